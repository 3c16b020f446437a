#include "agent/ingest/statsd/line.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::ingest::statsd {
namespace {

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char code = text[++i];
    if (code == 'x') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += code == 'n' ? '\n' : code == 'r' ? '\r' : code == 't' ? '\t' : code;
    }
  }
  return out;
}

std::string describe_metric(const Metric& metric) {
  constexpr std::string_view types[] = {"c", "g", "ms", "h", "s"};
  constexpr std::string_view styles[] = {"", " dogstatsd", " librato", " influx", " graphite", " signalfx"};
  std::string out(metric.name);
  if (!metric.name_rest.empty()) out += fmt::format("+{}", metric.name_rest);
  out += fmt::format(" {} {}", types[static_cast<int>(metric.type)], metric.values);
  if (metric.rate != 1) out += fmt::format(" @{}", metric.rate);
  out += styles[static_cast<int>(metric.style)];
  auto rest = metric.tags;
  Tag tag;
  while (take_tag(metric.style, rest, tag))
    out += tag.is_bare ? fmt::format(" {}", tag.key) : fmt::format(" {}={}", tag.key, tag.value);
  if (metric.has_timestamp) out += " time";
  if (metric.has_odd_tag) out += " odd";
  if (metric.skipped_sections > 0) out += fmt::format(" skipped={}", metric.skipped_sections);
  return out;
}

std::string describe(std::string_view line) {
  const auto with_skipped = [](std::string text, unsigned skipped) {
    return skipped > 0 ? text + fmt::format(" skipped={}", skipped) : text;
  };
  if (kind_of(line) == LineKind::event) {
    Event event;
    const auto fault = parse_event(line, event);
    if (fault != Fault::none) return std::string(word(fault));
    return with_skipped(fmt::format("event \"{}\" \"{}\" {}", event.title, event.text, event.alert_type),
                        event.skipped_sections);
  }
  if (kind_of(line) == LineKind::check) {
    ServiceCheck check;
    const auto fault = parse_check(line, check);
    if (fault != Fault::none) return std::string(word(fault));
    return with_skipped(fmt::format("check \"{}\" {}", check.name, check.status), check.skipped_sections);
  }
  Metric metric;
  std::string_view more;
  auto fault = parse_metric(line, metric, more);
  std::string out;
  for (;;) {
    out += fault == Fault::none ? describe_metric(metric) : std::string(word(fault));
    if (more.empty()) return out;
    out += " ; ";
    fault = parse_more(metric, more);
  }
}

TEST(StatsdLine, MeansWhatTheGoldenFileSays) {
  std::ifstream file(MIDST_SOURCE_DIR "/tests/golden/push/statsd_lines.txt");
  std::string row;
  int checked = 0;
  while (std::getline(file, row)) {
    if (row.empty() || row.starts_with("# ")) continue;
    const auto arrow = row.find(" => ");
    ASSERT_NE(arrow, std::string::npos) << row;
    EXPECT_EQ(describe(unescaped(row.substr(0, arrow))), unescaped(row.substr(arrow + 4))) << row;
    ++checked;
  }
  EXPECT_EQ(checked, 85);
}

TEST(StatsdLine, ReadsNumbersAsPreciselyAsTheStandardLibrary) {
  for (const auto* text : {"0",
                           "1",
                           "-1",
                           "7",
                           "123456789012345",
                           "1234567890123456",
                           "0.1",
                           "0.25",
                           "3.14159",
                           "-2.5",
                           "1.",
                           "1e3",
                           "1E-3",
                           "0.000001",
                           "99999999999999999999",
                           "1.7976931348623157e308",
                           "5e-324",
                           "123456.789012345",
                           "0.1234567890123456789",
                           ".5"}) {
    double number = 0;
    const std::string_view all(text);
    ASSERT_EQ(parse_number(all.data(), all.data() + all.size(), number), all.data() + all.size()) << text;
    EXPECT_EQ(number, std::strtod(text, nullptr)) << text;
  }
}

TEST(StatsdLine, ReadsAPlusSignAndStopsWhereTheNumberEnds) {
  double number = 0;
  const std::string_view packed("+12:13");
  EXPECT_EQ(parse_number(packed.data(), packed.data() + packed.size(), number) - packed.data(), 3);
  EXPECT_EQ(number, 12);
  for (const auto* text : {"", "+", "-", "+-1", "x", "0x10", "--1", "."}) {
    const std::string_view all(text);
    const auto* stop = parse_number(all.data(), all.data() + all.size(), number);
    EXPECT_NE(stop, all.data() + all.size()) << text << "|";
  }
}

TEST(StatsdLine, LeavesNumbersThatAreNotFiniteToTheCaller) {
  double number = 0;
  for (const auto* text : {"nan", "inf", "-inf", "1e999"}) {
    const std::string_view all(text);
    ASSERT_EQ(parse_number(all.data(), all.data() + all.size(), number), all.data() + all.size()) << text;
    EXPECT_FALSE(std::isfinite(number)) << text;
  }
  const std::string_view tiny("1e-999");
  ASSERT_NE(parse_number(tiny.data(), tiny.data() + tiny.size(), number), nullptr);
  EXPECT_EQ(number, 0);
}

}  // namespace
}  // namespace midst::ingest::statsd
