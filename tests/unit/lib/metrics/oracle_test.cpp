// Text 0.0.4 against prometheus-cpp's serializer: the same families, written by both, must have the same lines.
// Known differences of prometheus-cpp 1.0.1, which is why this page avoids them: it writes "Nan", "-0" and 16 digits,
// does not escape HELP, and writes an le from 1e+06 on without exponent. Its order of lines within a histogram differs.
#include "lib/metrics/encode.hpp"
#include "tests/unit/lib/metrics/pages.hpp"

#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace midst::metrics {
namespace {

using Lines = std::map<std::string, std::vector<std::string>>;

/// The lines of a page by family, sorted: what must be equal.
Lines lines_by_family(const std::string& page) {
  Lines families;
  std::istringstream text(page);
  std::string line, family;
  while (std::getline(text, line)) {
    if (line.starts_with("# ")) family = line.substr(7, line.find(' ', 7) - 7);
    families[family].push_back(line);
  }
  for (auto& [name, lines] : families) std::sort(lines.begin(), lines.end());
  return families;
}

prometheus::MetricType oracle_type(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return prometheus::MetricType::Counter;
    case MetricType::histogram:
      return prometheus::MetricType::Histogram;
    case MetricType::summary:
      return prometheus::MetricType::Summary;
    case MetricType::unknown:
      return prometheus::MetricType::Untyped;
    default:
      return prometheus::MetricType::Gauge;
  }
}

prometheus::ClientMetric oracle_metric(const Family& family, std::size_t i) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : decode(family.labels[i])) metric.label.push_back({name, value});
  if (family.type == MetricType::histogram) {
    const auto& from = family.distributions[i];
    metric.histogram.sample_count = from.count;
    metric.histogram.sample_sum = from.sum;
    for (std::size_t b = 0; b < from.bounds.size(); ++b)
      metric.histogram.bucket.push_back({from.cumulative[b], from.bounds[b]});
    metric.histogram.bucket.push_back({from.count, std::numeric_limits<double>::infinity()});
  } else if (family.type == MetricType::summary) {
    const auto& from = family.distributions[i];
    metric.summary.sample_count = from.count;
    metric.summary.sample_sum = from.sum;
    for (std::size_t q = 0; q < from.bounds.size(); ++q)
      metric.summary.quantile.push_back({from.bounds[q], from.quantile_values[q]});
  } else {
    metric.counter.value = metric.gauge.value = metric.untyped.value = family.values[i];
  }
  return metric;
}

std::string oracle_text(const Exposition& page) {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& merged : page.families) {
    auto& family = families.emplace_back();
    family.name = merged.head->name;
    family.help = merged.head->help;
    family.type = oracle_type(merged.head->type);
    for (const auto& part : merged.parts)
      for (std::size_t i = 0; i < part.family->labels.size(); ++i)
        family.metric.push_back(oracle_metric(*part.family, i));
  }
  return prometheus::TextSerializer().Serialize(families);
}

TEST(Oracle, AgreesOnWellNamedFamilies) {
  const auto page = test::well_named();
  EXPECT_EQ(lines_by_family(encode(page, Format::text)), lines_by_family(oracle_text(page)));
}

/// A value both spell alike: a whole number below 1e15 or one with few digits.
double agreed_value(std::mt19937& random) {
  const auto whole = static_cast<double>(random() % 1'000'000'000'000ULL);
  switch (random() % 4) {
    case 0:
      return whole;
    case 1:
      return -whole;
    case 2:
      return std::numeric_limits<double>::infinity();
    default:
      return static_cast<double>(random() % 100'000) / 1024;
  }
}

std::string any_text(std::mt19937& random) {
  constexpr std::string_view pieces[] = {"a", "\\", "\"", "\n", " ", "{", "}", ",", "=", "#", "\xC3\xA9", "0"};
  std::string text;
  for (auto i = random() % 12; i > 0; --i) text += pieces[random() % std::size(pieces)];
  return text;
}

void fill(SnapshotBuilder& builder, std::mt19937& random) {
  constexpr MetricType types[] = {MetricType::counter, MetricType::gauge, MetricType::histogram, MetricType::summary,
                                  MetricType::unknown, MetricType::info,  MetricType::stateset};
  const std::vector<double> bounds{0.001, 0.25, 0.5, 1, 10, 250, 99999};
  const std::vector<double> quantiles{0, 0.5, 0.9, 0.99, 1};
  for (int f = 0; f < 40; ++f) {
    const auto type = types[random() % std::size(types)];
    const std::string name = "family_" + std::to_string(f);
    auto& family = builder.family({name, type, "", f % 5 == 0 ? "" : "Some help."});
    for (auto s = random() % 8; s > 0; --s) {
      const auto labels = builder.labels({{"a", any_text(random)}, {"b", any_text(random)}});
      if (type != MetricType::histogram && type != MetricType::summary) {
        family.add(labels, agreed_value(random));
        continue;
      }
      std::vector<std::uint64_t> cumulative;
      std::vector<double> values;
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < bounds.size(); ++i) cumulative.push_back(count += random() % 1000);
      for (std::size_t i = 0; i < quantiles.size(); ++i) values.push_back(agreed_value(random));
      family.add(labels, {.bounds = type == MetricType::histogram ? bounds : quantiles,
                          .cumulative = cumulative,
                          .quantile_values = values,
                          .sum = agreed_value(random),
                          .count = count + random() % 10});
    }
  }
}

TEST(Oracle, AgreesOnPagesMadeAtRandom) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    const auto page = test::page_of([&](SnapshotBuilder& builder) { fill(builder, random); });
    ASSERT_GT(page.sample_count, 50U);
    ASSERT_EQ(lines_by_family(encode(page, Format::text)), lines_by_family(oracle_text(page))) << "seed " << seed;
  }
}

TEST(Oracle, DiffersWhereItIsKnownTo) {
  const auto page = test::page_of([](SnapshotBuilder& builder) {
    builder.add({"n", MetricType::gauge, "", "Two\nlines."}, std::numeric_limits<double>::quiet_NaN());
  });
  EXPECT_EQ(oracle_text(page), "# HELP n Two\nlines.\n# TYPE n gauge\nn Nan\n");
  EXPECT_EQ(encode(page, Format::text), "# HELP n Two\\nlines.\n# TYPE n gauge\nn NaN\n");
}

}  // namespace
}  // namespace midst::metrics
