#include "lib/metrics/encode.hpp"

#include "tests/unit/lib/metrics/pages.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace midst::metrics {
namespace {

using test::page_of;

std::string golden_path(std::string_view name) {
  return std::string(MIDST_SOURCE_DIR "/tests/golden/encode/").append(name);
}

/// Compares with a golden file; MIDST_UPDATE_GOLDEN=1 writes it instead, to be read before it is committed.
void expect_golden(std::string_view name, const std::string& bytes) {
  if (std::getenv("MIDST_UPDATE_GOLDEN") != nullptr) std::ofstream(golden_path(name), std::ios::binary) << bytes;
  std::ifstream file(golden_path(name), std::ios::binary);
  ASSERT_TRUE(file) << name;
  EXPECT_EQ(bytes, std::string(std::istreambuf_iterator<char>(file), {})) << name;
}

TEST(Encode, WritesEverythingAsTheGoldenFilesHaveIt) {
  const auto page = test::everything();
  expect_golden("everything.prom", encode(page, Format::text));
  expect_golden("everything.om", encode(page, Format::openmetrics));
  expect_golden("everything.pb", encode(page, Format::protobuf));
}

TEST(Encode, WritesWellNamedFamiliesAsTheGoldenFilesHaveThem) {
  const auto page = test::well_named();
  expect_golden("well_named.prom", encode(page, Format::text));
  expect_golden("well_named.om", encode(page, Format::openmetrics));
}

TEST(Encode, WritesAnEmptyPageInEveryFormat) {
  EXPECT_EQ(encode(Exposition{}, Format::text), "");
  EXPECT_EQ(encode(Exposition{}, Format::openmetrics), "# EOF\n");
  EXPECT_EQ(encode(Exposition{}, Format::protobuf), "");
}

struct NumberCase {
  double value;
  std::string_view text;
};

class Numbers : public ::testing::TestWithParam<NumberCase> {};

TEST_P(Numbers, AreSpeltTheShortestWay) {
  const auto page = page_of([](SnapshotBuilder& builder) {
    builder.add({"n", MetricType::gauge, "", ""}, GetParam().value);
  });
  EXPECT_EQ(encode(page, Format::text), "# TYPE n gauge\nn " + std::string(GetParam().text) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Numbers,
    ::testing::Values(NumberCase{0, "0"}, NumberCase{-0.0, "0"}, NumberCase{1, "1"}, NumberCase{-42, "-42"},
                      NumberCase{100000, "100000"}, NumberCase{1e15, "1000000000000000"},
                      NumberCase{9007199254740991, "9007199254740991"},
                      NumberCase{9007199254740992, "9007199254740992"}, NumberCase{1e22, "1e+22"},
                      NumberCase{0.1, "0.1"}, NumberCase{1.0 / 3, "0.3333333333333333"}, NumberCase{1e-7, "1e-07"},
                      NumberCase{1.7976931348623157e308, "1.7976931348623157e+308"}, NumberCase{5e-324, "5e-324"},
                      NumberCase{-2.2250738585072014e-308, "-2.2250738585072014e-308"},
                      NumberCase{std::numeric_limits<double>::infinity(), "+Inf"},
                      NumberCase{-std::numeric_limits<double>::infinity(), "-Inf"},
                      NumberCase{std::numeric_limits<double>::quiet_NaN(), "NaN"},
                      NumberCase{-std::numeric_limits<double>::quiet_NaN(), "NaN"}));

class Bounds : public ::testing::TestWithParam<NumberCase> {};

/// Expected texts were printed by Go 1.26: strconv.FormatFloat(v, 'g', -1, 64).
TEST_P(Bounds, AreSpeltLikeGoInEveryTextFormat) {
  const auto page = page_of([](SnapshotBuilder& builder) {
    const std::array bounds{GetParam().value};
    const std::array<std::uint64_t, 1> counts{1};
    builder.family({"h", MetricType::histogram, "", ""})
        .add(builder.labels({}), {.bounds = bounds, .cumulative = counts, .quantile_values = {}, .sum = 2, .count = 3});
  });
  const auto body =
      "h_bucket{le=\"" + std::string(GetParam().text) + "\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 2\nh_count 3\n";
  EXPECT_EQ(encode(page, Format::text), "# TYPE h histogram\n" + body);
  EXPECT_EQ(encode(page, Format::openmetrics), "# TYPE h histogram\n" + body + "# EOF\n");
}

INSTANTIATE_TEST_SUITE_P(Table, Bounds,
                         ::testing::Values(NumberCase{0, "0"}, NumberCase{1, "1"}, NumberCase{1.5, "1.5"},
                                           NumberCase{0.005, "0.005"}, NumberCase{0.0001, "0.0001"},
                                           NumberCase{0.00012345, "0.00012345"}, NumberCase{0.00001, "1e-05"},
                                           NumberCase{1.23e-5, "1.23e-05"}, NumberCase{100000, "100000"},
                                           NumberCase{999999, "999999"}, NumberCase{1e6, "1e+06"},
                                           NumberCase{1048575, "1.048575e+06"}, NumberCase{33554431, "3.3554431e+07"},
                                           NumberCase{12345678.5, "1.23456785e+07"}, NumberCase{1e21, "1e+21"},
                                           NumberCase{5e-324, "5e-324"}));

struct ShapeCase {
  const char* name;
  MetricType type;
  std::string_view unit;
  double value;
  std::string_view text, openmetrics;
};

class Shapes : public ::testing::TestWithParam<ShapeCase> {};

TEST_P(Shapes, KeepTheSeriesNameAndTakeTheTypeTheFormatAllows) {
  const auto& given = GetParam();
  const auto page = page_of([&](SnapshotBuilder& builder) {
    builder.add({given.name, given.type, given.unit, ""}, given.value);
  });
  EXPECT_EQ(encode(page, Format::text), given.text);
  EXPECT_EQ(encode(page, Format::openmetrics), std::string(given.openmetrics) + "# EOF\n");
}

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Table, Shapes,
    ::testing::Values(ShapeCase{"a_total", MetricType::counter, "", 1, "# TYPE a_total counter\na_total 1\n",
                                "# TYPE a counter\na_total 1\n"},
                      ShapeCase{"a_seconds_total", MetricType::counter, "seconds", 1,
                                "# TYPE a_seconds_total counter\na_seconds_total 1\n",
                                "# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n"},
                      ShapeCase{"a", MetricType::counter, "", 1, "# TYPE a counter\na 1\n", "# TYPE a unknown\na 1\n"},
                      ShapeCase{"a_total", MetricType::counter, "", -1, "# TYPE a_total counter\na_total -1\n",
                                "# TYPE a_total unknown\na_total -1\n"},
                      ShapeCase{"a_total", MetricType::counter, "", not_a_number,
                                "# TYPE a_total counter\na_total NaN\n", "# TYPE a_total unknown\na_total NaN\n"},
                      ShapeCase{"a_bytes", MetricType::gauge, "bytes", 1, "# TYPE a_bytes gauge\na_bytes 1\n",
                                "# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes 1\n"},
                      ShapeCase{"a_kilobytes", MetricType::gauge, "bytes", 1,
                                "# TYPE a_kilobytes gauge\na_kilobytes 1\n",
                                "# TYPE a_kilobytes gauge\na_kilobytes 1\n"},
                      ShapeCase{"bytes", MetricType::gauge, "bytes", 1, "# TYPE bytes gauge\nbytes 1\n",
                                "# TYPE bytes gauge\nbytes 1\n"},
                      ShapeCase{"a", MetricType::unknown, "", 1, "# TYPE a untyped\na 1\n", "# TYPE a unknown\na 1\n"},
                      ShapeCase{"a_info", MetricType::info, "info", 1, "# TYPE a_info gauge\na_info 1\n",
                                "# TYPE a info\na_info 1\n"},
                      ShapeCase{"a_info", MetricType::info, "", 2, "# TYPE a_info gauge\na_info 2\n",
                                "# TYPE a_info gauge\na_info 2\n"},
                      ShapeCase{"a", MetricType::info, "", 1, "# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1\n"},
                      ShapeCase{"a", MetricType::stateset, "", 1, "# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1\n"}));

TEST(Encode, SplitsAHistogramThatOpenMetricsForbids) {
  const std::array bounds{1.0};
  const std::array<std::uint64_t, 1> counts{2};
  const auto openmetrics = [&](double sum, std::uint64_t count) {
    return encode(
        page_of([&](SnapshotBuilder& builder) {
          builder.family({"h", MetricType::histogram, "", "Help."})
              .add(builder.labels({}),
                   {.bounds = bounds, .cumulative = counts, .quantile_values = {}, .sum = sum, .count = count});
        }),
        Format::openmetrics);
  };
  const auto split = [](std::string_view sum, std::string_view count) {
    return "# HELP h_bucket Help.\n# TYPE h_bucket unknown\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} " +
           std::string(count) + "\n# HELP h_sum Help.\n# TYPE h_sum unknown\nh_sum " + std::string(sum) +
           "\n# HELP h_count Help.\n# TYPE h_count unknown\nh_count " + std::string(count) + "\n# EOF\n";
  };
  EXPECT_EQ(openmetrics(not_a_number, 2), split("NaN", "2"));
  EXPECT_EQ(openmetrics(-1, 2), split("-1", "2"));
  EXPECT_EQ(openmetrics(1, 1), split("1", "1"));
}

TEST(Encode, WritesExemplarsOnlyWhereOpenMetricsAllowsThem) {
  const auto page = page_of([](SnapshotBuilder& builder) {
    const Label labels[] = {{"trace_id", "\"7\""}};
    for (const auto* name : {"a_total", "b"}) {
      auto& family = builder.family({name, MetricType::counter, "", ""});
      family.add(1);
      family.add_exemplar(0, 0.5, 1'700'000'000.0625, builder.exemplar_labels(labels));
    }
  });
  EXPECT_EQ(encode(page, Format::text), "# TYPE a_total counter\na_total 1\n# TYPE b counter\nb 1\n");
  EXPECT_EQ(
      encode(page, Format::openmetrics),
      "# TYPE a counter\na_total 1 # {trace_id=\"\\\"7\\\"\"} 0.5 1700000000.062\n# TYPE b unknown\nb 1\n# EOF\n");
}

TEST(Encode, WritesLinesLongerThanItsStep) {
  const std::string value(100'000, 'x');
  const auto page = page_of([&](SnapshotBuilder& builder) {
    builder.add({"a", MetricType::gauge, "", value}, {{"v", value}}, 1);
    builder.add({"b", MetricType::gauge, "", ""}, 2);
  });
  EXPECT_EQ(encode(page, Format::text),
            "# HELP a " + value + "\n# TYPE a gauge\na{v=\"" + value + "\"} 1\n# TYPE b gauge\nb 2\n");
}

}  // namespace
}  // namespace midst::metrics
