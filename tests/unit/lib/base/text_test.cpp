#include "lib/base/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace midst::text {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
struct Row {
  std::string text;
  std::optional<T> value;  ///< nullopt: refused.
};

template <class T, class Parse>
void expect_rows(const std::vector<Row<T>>& rows, Parse parse, Errc refusal) {
  for (const auto& row : rows) {
    const auto parsed = parse(row.text);
    ASSERT_EQ(parsed.has_value(), row.value.has_value()) << '"' << row.text << '"';
    if (row.value)
      EXPECT_EQ(*parsed, *row.value) << '"' << row.text << '"';
    else
      EXPECT_EQ(parsed.error().code, refusal) << '"' << row.text << '"';
  }
}

TEST(ParseNumber, TakesWholeTextsOnly) {
  expect_rows<double>({{"0", 0.0},        {"-0.5", -0.5},      {"+7", 7.0},
                       {"1e3", 1000.0},   {"1.", 1.0},         {".5", 0.5},
                       {"inf", infinity}, {"-inf", -infinity}, {"Infinity", infinity},
                       {"", {}},          {" 1", {}},          {"1 ", {}},
                       {"1,5", {}},       {"0x10", {}},        {"+-1", {}},
                       {"++1", {}},       {"+", {}},           {"-", {}},
                       {".", {}},         {"e5", {}},          {"one", {}}},
                      parse_number, Errc::protocol);
  EXPECT_TRUE(std::isnan(*parse_number("nan")));
}

TEST(ParseNumber, RoundsWhatNoDoubleHoldsToZeroOrInfinity) {
  const std::string zeros(400, '0');
  expect_rows<double>({{"1e400", infinity},
                       {"-1e400", -infinity},
                       {"1e-400", 0.0},
                       {"0.1e400", infinity},
                       {"0." + zeros + "1", 0.0},
                       {"0." + zeros + "1e+5", 0.0},
                       {"1" + zeros, infinity},
                       {"1" + zeros + "e-10", infinity},
                       {"-00.1e999", -infinity},
                       {"1e99999999999999999999", infinity},
                       {"1e9223372036854775807", infinity},
                       {"1e-9223372036854775808", 0.0},
                       {"1e-99999999999999999999", 0.0}},
                      parse_number, Errc::protocol);
  EXPECT_TRUE(std::signbit(*parse_number("-1e-400")));
}

TEST(ParseInteger, TakesTheWholeRange) {
  expect_rows<std::int64_t>({{"0", 0},
                             {"-1", -1},
                             {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
                             {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()},
                             {"9223372036854775808", {}},
                             {"", {}},
                             {"1.0", {}},
                             {" 1", {}},
                             {"1x", {}}},
                            parse_integer, Errc::protocol);
}

TEST(ParseDuration, NeedsAUnit) {
  expect_rows<milliseconds>({{"250ms", milliseconds(250)},
                             {"15s", milliseconds(15'000)},
                             {"1m30s", milliseconds(90'000)},
                             {"1.5s", milliseconds(1500)},
                             {"2h", milliseconds(7'200'000)},
                             {"1d", milliseconds(86'400'000)},
                             {"0", milliseconds(0)},
                             {"0s", milliseconds(0)},
                             {"36500d", milliseconds(3'153'600'000'000)},
                             {"37100d", {}},
                             {"15", {}},
                             {"", {}},
                             {"s", {}},
                             {"-1s", {}},
                             {"1.2.3s", {}},
                             {".s", {}},
                             {"1s30", {}},
                             {"1 s", {}},
                             {"1S", {}},
                             {"1w", {}},
                             {"1e3s", {}},
                             {std::string(400, '9') + "s", {}}},
                            parse_duration, Errc::config);
}

TEST(FormatDuration, WritesWhatParseDurationTakesBack) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  EXPECT_EQ(format_duration(milliseconds(250)), "250ms");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1.5s");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(120'000)), "2m");
  EXPECT_EQ(format_duration(milliseconds(7'200'000)), "2h");
  EXPECT_EQ(format_duration(milliseconds(86'400'000)), "1d");
  for (const std::int64_t count :
       {1LL, 999LL, 1001LL, 59'999LL, 61'500LL, 3'599'999LL, 86'400'001LL, 3'000'000'000'001LL})
    EXPECT_EQ(parse_duration(format_duration(milliseconds(count))).value(), milliseconds(count)) << count;
}

TEST(ParseSize, KnowsBothFamiliesOfUnits) {
  expect_rows<std::uint64_t>({{"0", 0},
                              {"512", 512},
                              {"512B", 512},
                              {"64KiB", 65'536},
                              {"10MB", 10'000'000},
                              {"2GiB", 2'147'483'648},
                              {"1KB", 1000},
                              {"1MiB", 1'048'576},
                              {"3GB", 3'000'000'000},
                              {"9223372036854775807", 9'223'372'036'854'775'807},
                              {"9223372036854775808", {}},
                              {"8589934591GiB", 9'223'372'035'781'033'984},
                              {"8589934592GiB", {}},
                              {"", {}},
                              {"KiB", {}},
                              {"-1", {}},
                              {"1.5MB", {}},
                              {"1kb", {}},
                              {"1 KB", {}},
                              {"1K", {}}},
                             parse_size, Errc::config);
}

TEST(Split, KeepsEmptyPartsAndGivesNoneForNothing) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("abc", ','), ElementsAre("abc"));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
  EXPECT_THAT(split("", ','), ElementsAre());
}

TEST(TakeUntil, CutsTheFrontOff) {
  std::string_view rest = "a:b:";
  EXPECT_EQ(take_until(rest, ':'), "a");
  EXPECT_EQ(rest, "b:");
  EXPECT_EQ(take_until(rest, ':'), "b");
  EXPECT_EQ(rest, "");
  EXPECT_EQ(take_until(rest, ':'), "");
  rest = "no separator";
  EXPECT_EQ(take_until(rest, ':'), "no separator");
  EXPECT_EQ(rest, "");
}

TEST(Trim, TakesBlanksOffBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \t\r\n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(EqualIgnoringCase, FoldsAsciiOnly) {
  EXPECT_TRUE(equal_ignoring_case("Content-TYPE", "content-type"));
  EXPECT_FALSE(equal_ignoring_case("ab", "abc"));
  EXPECT_FALSE(equal_ignoring_case("abc", "ab"));
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
  EXPECT_TRUE(equal_ignoring_case("", ""));
}

struct Utf8Case {
  std::string bytes;
  bool is_valid;
  std::string mended;
};

TEST(Utf8, FollowsRfc3629) {
  const std::string mark = "\xEF\xBF\xBD";
  const Utf8Case cases[] = {{"", true, ""},
                            {"plain", true, "plain"},
                            {std::string("\0", 1), true, std::string("\0", 1)},
                            {"\x7F", true, "\x7F"},
                            {"\xC2\x80", true, "\xC2\x80"},
                            {"\xE0\xA0\x80", true, "\xE0\xA0\x80"},
                            {"\xED\x9F\xBF", true, "\xED\x9F\xBF"},
                            {"\xF0\x90\x80\x80", true, "\xF0\x90\x80\x80"},
                            {"\xF4\x8F\xBF\xBF", true, "\xF4\x8F\xBF\xBF"},
                            {"\x80", false, mark},
                            {"\xC1\xBF", false, mark + mark},                        // overlong
                            {"\xE0\x9F\xBF", false, mark + mark + mark},             // overlong
                            {"\xF0\x8F\xBF\xBF", false, mark + mark + mark + mark},  // overlong
                            {"\xED\xA0\x80", false, mark + mark + mark},             // surrogate
                            {"\xF4\x90\x80\x80", false, mark + mark + mark + mark},  // beyond U+10FFFF
                            {"a\xC3", false, "a" + mark},
                            {"a\xE2\x82z", false, "a" + mark + mark + "z"},
                            {"\xFF\xFE", false, mark + mark}};
  for (const auto& row : cases) {
    EXPECT_EQ(is_utf8(row.bytes), row.is_valid) << ::testing::PrintToString(row.bytes);
    EXPECT_EQ(to_utf8(row.bytes), row.mended) << ::testing::PrintToString(row.bytes);
    EXPECT_TRUE(is_utf8(to_utf8(row.bytes)));
  }
}

TEST(AppendJsonString, EscapesWhatJsonDoesNotAllow) {
  std::string out = "x=";
  constexpr char bytes[] = "a\"b\\c\nd\te\0f\x1F g\xC3\xA4\xFF";
  append_json_string(out, {bytes, sizeof bytes - 1});
  EXPECT_EQ(out, "x=\"a\\\"b\\\\c\\nd\\u0009e\\u0000f\\u001f g\xC3\xA4\xEF\xBF\xBD\"");
}

TEST(PercentDecode, DecodesWholeEscapesOnly) {
  expect_rows<std::string>({{"", ""},
                            {"plain", "plain"},
                            {"%41b", "Ab"},
                            {"a%2Fb%2fc", "a/b/c"},
                            {"%00", std::string(1, '\0')},
                            {"a+b", "a+b"},
                            {"%", {}},
                            {"%4", {}},
                            {"x%4", {}},
                            {"%zz", {}},
                            {"%4g", {}},
                            {"%-1", {}}},
                           percent_decode, Errc::protocol);
}

TEST(Closest, SuggestsWhatATypistMeant) {
  const std::vector<std::string_view> keys{"listen", "lifecycle", "timeout", "port", "db"};
  EXPECT_EQ(closest("lisen", keys), "listen");
  EXPECT_EQ(closest("tiemout", keys), "timeout");
  EXPECT_EQ(closest("prot", keys), "port");
  EXPECT_EQ(closest("listen", keys), "listen");
  EXPECT_EQ(closest("completely_else", keys), "");
  EXPECT_EQ(closest("xy", keys), "");
  EXPECT_EQ(closest("", keys), "");
  EXPECT_EQ(closest("listen", {}), "");
}

}  // namespace
}  // namespace midst::text
