#include "lib/base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace midst::log {
namespace {

using ::testing::MatchesRegex;

TEST(Render, WritesLogfmtWithQuotesWhereTheyAreNeeded) {
  EXPECT_EQ(render(Format::logfmt, Level::info, "scrape done",
                   {{"target", "main"}, {"took_ms", 12}, {"error", "a \"b\"\nc"}, {"empty", ""}, {"eq", "a=b"}}),
            "level=info msg=\"scrape done\" target=main took_ms=12 error=\"a \\\"b\\\"\\nc\" empty=\"\" eq=\"a=b\"");
}

TEST(Render, MendsInvalidUtf8) {
  EXPECT_EQ(render(Format::logfmt, Level::warn, "m", {{"key", "a\xFF"}}), "level=warn msg=m key=\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(render(Format::logfmt, Level::warn, "m", {{"key", "\xC3\xA4"}}), "level=warn msg=m key=\xC3\xA4");
}

TEST(Render, WritesJsonThatIsOneObject) {
  EXPECT_EQ(render(Format::json, Level::error, "it \"broke\"", {{"path", "C:\\x"}, {"code", 78}}),
            "{\"level\":\"error\",\"msg\":\"it \\\"broke\\\"\",\"path\":\"C:\\\\x\",\"code\":\"78\"}");
}

TEST(Render, GivesJournaldItsPriorities) {
  EXPECT_EQ(render(Format::journald, Level::debug, "d", {}), "<7>msg=d");
  EXPECT_EQ(render(Format::journald, Level::info, "i", {}), "<6>msg=i");
  EXPECT_EQ(render(Format::journald, Level::warn, "w", {}), "<4>msg=w");
  EXPECT_EQ(render(Format::journald, Level::error, "e", {{"k", 1.5}}), "<3>msg=e k=1.5");
}

TEST(Render, KeepsAnEventOnOneLine) {
  for (const auto format : {Format::logfmt, Format::json, Format::journald}) {
    const auto line = render(format, Level::info, "two\nlines", {{"key", "a\r\nlevel=error"}});
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos) << line;
  }
}

TEST(ParseLevel, KnowsItsWords) {
  EXPECT_EQ(*parse_level("debug"), Level::debug);
  EXPECT_EQ(*parse_level("info"), Level::info);
  EXPECT_EQ(*parse_level("warn"), Level::warn);
  EXPECT_EQ(*parse_level("error"), Level::error);
  for (const auto* wrong : {"", "INFO", "warning", "trace"}) {
    ASSERT_FALSE(parse_level(wrong)) << wrong;
    EXPECT_EQ(parse_level(wrong).error().code, Errc::config);
  }
}

TEST(ParseFormat, KnowsItsWords) {
  EXPECT_EQ(*parse_format("logfmt"), Format::logfmt);
  EXPECT_EQ(*parse_format("json"), Format::json);
  EXPECT_EQ(*parse_format("journald"), Format::journald);
  ASSERT_FALSE(parse_format("xml"));
  EXPECT_EQ(parse_format("xml").error().code, Errc::config);
}

/// What reaches standard error between configure() and the default settings again.
template <class Work>
std::string written(Level level, Format format, Work work) {
  ::testing::internal::CaptureStderr();
  configure(level, format);
  work();
  configure(Level::info, Format::logfmt);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Write, LeavesOutWhatIsBelowTheLevel) {
  const auto lines = written(Level::warn, Format::journald, [] {
    EXPECT_FALSE(enabled(Level::info));
    EXPECT_TRUE(enabled(Level::warn));
    debug("d");
    info("i");
    warn("w");
    error("e", {{"k", "v"}});
  });
  EXPECT_EQ(lines, "<4>msg=w\n<3>msg=e k=v\n");
}

TEST(Write, StampsLinesWithUtcMilliseconds) {
  constexpr auto time = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z";
  EXPECT_THAT(written(Level::info, Format::logfmt, [] { info("hello"); }),
              MatchesRegex("ts=" + std::string(time) + " level=info msg=hello\n"));
  EXPECT_THAT(written(Level::info, Format::json, [] { info("hello"); }),
              MatchesRegex("[{]\"ts\":\"" + std::string(time) + "\",\"level\":\"info\",\"msg\":\"hello\"[}]\n"));
}

TEST(Write, KeepsBracesAsTheyAre) {
  EXPECT_EQ(written(Level::info, Format::journald, [] { info("{}", {{"k", "{0}"}}); }), "<6>msg={} k={0}\n");
}

TEST(Write, KeepsLinesOfSeveralThreadsWhole) {
  const auto lines = written(Level::info, Format::journald, [] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) info("a line of some length", {{"key", "value"}});
      });
    for (auto& thread : threads) thread.join();
  });
  std::string expected;
  for (int i = 0; i < 400; ++i) expected += "<6>msg=\"a line of some length\" key=value\n";
  EXPECT_EQ(lines, expected);
}

TEST(Log, TheJournalGetsEachFieldOfItsOwn) {
  const auto fields = journal_fields(Level::warn, "target is down", {{"target", "pg.main"}, {"took-ms", 12}});
  EXPECT_THAT(fields, testing::ElementsAre("MESSAGE=target is down target=pg.main took-ms=12", "PRIORITY=4",
                                           testing::StartsWith("SYSLOG_IDENTIFIER="), "MIDST_EVENT=target is down",
                                           "MIDST_TARGET=pg.main", "MIDST_TOOK_MS=12"));
}

}  // namespace
}  // namespace midst::log
