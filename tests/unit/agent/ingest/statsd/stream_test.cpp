#include "agent/ingest/statsd/stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace midst::ingest::statsd {
namespace {

const SteadyTime now{std::chrono::hours(1000)};

std::string framed(std::string_view payload) {
  std::string out;
  for (std::size_t i = 0; i < 4; ++i) out += static_cast<char>(payload.size() >> (8 * i));
  return out.append(payload);
}

double value(Statsd& statsd, std::string_view family) {
  metrics::SnapshotBuilder builder;
  statsd.write(builder, now);
  const auto snapshot = builder.freeze();
  const auto* found = snapshot.find(family);
  return found == nullptr ? -1 : found->values[0];
}

/// Feeds the bytes in pieces of every size from 1 on. @return what the page says of a_total after the end, each time
/// the same.
double sum_in_pieces(std::string_view bytes) {
  double sum = -2;
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    Statsd statsd({});
    StreamCutter cutter(statsd);
    for (std::size_t at = 0; at < bytes.size(); at += size) EXPECT_TRUE(cutter.feed(bytes.substr(at, size), now));
    cutter.finish(now);
    const auto found = value(statsd, "a_total");
    EXPECT_TRUE(sum == -2 || found == sum) << "pieces of " << size;
    sum = found;
  }
  return sum;
}

TEST(StatsdStream, CutsLinesAtNewlinesWhereverTheReadsEnd) {
  EXPECT_EQ(sum_in_pieces("a:1|c\na:2|c\r\n\nb:4|c|#k:v,l:w\na:8|c"), 11);
}

TEST(StatsdStream, TakesTheLastLineWithoutANewline) {
  EXPECT_EQ(sum_in_pieces("a:1|c\na:2|c"), 3);
  EXPECT_EQ(sum_in_pieces("a:1"), -1);
}

TEST(StatsdStream, CutsFramesOfTheirLengthWhereverTheReadsEnd) {
  EXPECT_EQ(sum_in_pieces(framed("a:1|c\na:2|c\n") + framed("") + framed("a:4|c") + framed("a:8|c\n")), 15);
}

TEST(StatsdStream, DoesNotCountALineWhoseFrameIsCutOff) {
  const auto whole = framed("a:1|c\n") + framed("a:100|c");
  EXPECT_EQ(sum_in_pieces(std::string_view(whole).substr(0, whole.size() - 3)), 1);
}

TEST(StatsdStream, RefusesAFrameThatIsTooLong) {
  Statsd statsd({});
  StreamCutter cutter(statsd);
  ASSERT_TRUE(cutter.feed(framed("a:1|c"), now));
  EXPECT_FALSE(cutter.feed(std::string("\x01\x00\x10\x00", 4), now));  // 1 MiB and a byte
  Statsd second({});
  StreamCutter edge(second);
  EXPECT_TRUE(edge.feed(framed("a:1|c"), now));
  EXPECT_TRUE(edge.feed(std::string("\x00\x00\x10\x00", 4), now));
}

TEST(StatsdStream, PassesOverALineThatIsTooLongAndGoesOnBehindIt) {
  Statsd statsd({});
  StreamCutter cutter(statsd);
  const std::string filler(50'000, 'x');
  for (const auto& part : {std::string("a:1|c\na"), filler, filler, std::string(":1|c\na:2|c\n")})
    ASSERT_TRUE(cutter.feed(part, now));
  EXPECT_EQ(value(statsd, "a_total"), 3);
  EXPECT_EQ(statsd.counters().line_faults[static_cast<std::size_t>(Fault::too_long)], 1U);
}

}  // namespace
}  // namespace midst::ingest::statsd
