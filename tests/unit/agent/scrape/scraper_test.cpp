#include "agent/scrape/scraper.hpp"

#include "tests/support/fake_source.hpp"
#include "tests/support/loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::scrape {
namespace {

using namespace std::chrono_literals;
using metrics::Exposition;
using test::FakeSource;

/// The value of one series of a page, or nothing.
std::optional<double> value_of(const Exposition& page, std::string_view family, std::string_view labels) {
  for (const auto& merged : page.families) {
    if (merged.head->name != family) continue;
    for (const auto& part : merged.parts)
      for (std::size_t i = 0; i < part.family->labels.size(); ++i)
        if (part.family->labels[i].text == labels) return part.family->values[i];
  }
  return std::nullopt;
}

class ScraperTest : public testing::Test {
 protected:
  FakeSource& add(Scraper& scraper, std::string target) {
    auto source = std::make_unique<FakeSource>(SourceId{"fake", std::move(target)});
    auto& reference = *source;
    scraper.add(std::move(source));
    return reference;
  }

  std::shared_ptr<const Exposition> scrape(Scraper& scraper, std::chrono::milliseconds within,
                                           Selection selection = {}) {
    return test::run(io_, scraper.scrape(std::move(selection), std::chrono::steady_clock::now() + within));
  }

  asio::io_context io_{1};
  static constexpr ScraperOptions always_fresh{0ms};
};

TEST_F(ScraperTest, MergesEverySourceIntoOnePage) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "a").value = 3;
  add(scraper, "b").value = 4;
  const auto page = scrape(scraper, 1s);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="a")"), 3);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="b")"), 4);
  EXPECT_EQ(value_of(*page, "midst_agent_target_up", R"(kind="fake",target="a")"), 1);
}

TEST_F(ScraperTest, ShowsAFailedSourceAsDownWithItsReasonAndKeepsTheOthers) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "a").fails_with = Error{Errc::auth, "refused"};
  add(scraper, "b");
  const auto page = scrape(scraper, 1s);
  EXPECT_EQ(value_of(*page, "fake_up", R"(target="a")"), 0);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="a")"), std::nullopt);
  EXPECT_EQ(value_of(*page, "midst_agent_target_up", R"(kind="fake",target="a")"), 0);
  EXPECT_EQ(value_of(*page, "midst_agent_collect_errors_total", R"(kind="fake",reason="auth",target="a")"), 1);
  EXPECT_EQ(value_of(*page, "midst_agent_collect_errors_total", R"(kind="fake",reason="timeout",target="a")"), 0);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="b")"), 1);
}

TEST_F(ScraperTest, AnswersAtTheDeadlineWithTheLateSourceDownAndTheRestComplete) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "late").takes = 1h;
  add(scraper, "quick").value = 7;
  const auto page = scrape(scraper, 50ms);
  EXPECT_EQ(value_of(*page, "fake_up", R"(target="late")"), 0);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="quick")"), 7);
  EXPECT_EQ(value_of(*page, "midst_agent_target_up", R"(kind="fake",target="late")"), 0);
}

TEST_F(ScraperTest, IsNotDelayedByASourceThatIgnoresCancellation) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& stubborn = add(scraper, "stubborn");
  stubborn.takes = 1h;
  stubborn.ignores_cancellation = true;
  const auto page = scrape(scraper, 50ms);
  EXPECT_EQ(value_of(*page, "fake_up", R"(target="stubborn")"), 0);
  EXPECT_EQ(value_of(*scrape(scraper, 50ms), "fake_up", R"(target="stubborn")"), 0);
  EXPECT_EQ(stubborn.collects, 1) << "a second attempt began while the first was still running";
}

TEST_F(ScraperTest, ConcurrentScrapesShareOneCollection) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& source = add(scraper, "a");
  source.takes = 20ms;
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  int answered = 0;
  for (int i = 0; i < 10; ++i)
    asio::co_spawn(io_, scraper.scrape({}, deadline), [&](std::exception_ptr, auto page) {
      EXPECT_EQ(value_of(*page, "fake_up", R"(target="a")"), 1);
      ++answered;
    });
  EXPECT_TRUE(test::run_until(io_, [&] { return answered == 10; }));
  EXPECT_EQ(source.collects, 1);
}

TEST_F(ScraperTest, AJoinerWithAShorterDeadlineLeavesOnItsOwn) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "a").takes = 300ms;
  std::shared_ptr<const Exposition> patient;
  asio::co_spawn(io_, scraper.scrape({}, std::chrono::steady_clock::now() + 10s),
                 [&](std::exception_ptr, auto page) { patient = page; });
  const auto hasty = scrape(scraper, 20ms);
  EXPECT_EQ(value_of(*hasty, "fake_up", R"(target="a")"), 0);
  EXPECT_EQ(patient, nullptr);
  EXPECT_TRUE(test::run_until(io_, [&] { return patient != nullptr; }));
  EXPECT_EQ(value_of(*patient, "fake_up", R"(target="a")"), 1);
}

TEST_F(ScraperTest, ScrapesCloserThanTheMinimumIntervalShareOneCollection) {
  Scraper scraper(io_.get_executor(), {1h});
  auto& source = add(scraper, "a");
  scrape(scraper, 1s);
  source.value = 9;
  EXPECT_EQ(value_of(*scrape(scraper, 1s), "fake_value", R"(target="a")"), 1);
  EXPECT_EQ(source.collects, 1);
}

TEST_F(ScraperTest, CollectsOnlyWhatIsSelected) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& a = add(scraper, "a");
  auto& b = add(scraper, "b");
  scrape(scraper, 1s, {{}, {"b"}});
  scrape(scraper, 1s, {{"other"}, {}});
  EXPECT_EQ(a.collects, 0);
  EXPECT_EQ(b.collects, 1);
  EXPECT_EQ(scraper.unknown_target({{}, {"b", "c"}}), "c");
  EXPECT_EQ(scraper.unknown_target({{}, {"a", "b"}}), std::nullopt);
}

TEST_F(ScraperTest, TellsTheSourceTheDeadlineOfTheScrape) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& source = add(scraper, "a");
  const auto deadline = std::chrono::steady_clock::now() + 1234ms;
  test::run(io_, scraper.scrape({}, deadline));
  EXPECT_EQ(source.last_deadline, deadline);
}

TEST_F(ScraperTest, KeepsTheLastErrorInTheStatusAfterRecovery) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& source = add(scraper, "a");
  source.fails_with = Error{Errc::loading, "loading the dataset"};
  scrape(scraper, 1s);
  source.fails_with.reset();
  scrape(scraper, 1s);
  const auto status = scraper.status().at(0);
  EXPECT_TRUE(status.is_up);
  EXPECT_EQ(status.last_error->code, Errc::loading);
  EXPECT_EQ(status.attempts, 2);
  EXPECT_EQ(status.failures, 1);
  EXPECT_EQ(status.samples, 2);
  EXPECT_TRUE(status.success_age.has_value());
}

TEST_F(ScraperTest, CountsDuplicateSeriesAcrossSources) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "same");
  add(scraper, "same");
  EXPECT_EQ(scrape(scraper, 1s)->duplicate_samples, 2) << "fake_up and fake_value of the second";
  const auto next = scrape(scraper, 1s);
  EXPECT_EQ(value_of(*next, "midst_agent_dropped_series_total", R"(reason="duplicate_across_sources")"), 2);
}

TEST_F(ScraperTest, AViewCarriesNoFamiliesOfTheScraper) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "a");
  EXPECT_EQ(scrape(scraper, 1s, {{"fake"}, {}})->families.size(), 2);
  EXPECT_EQ(value_of(*scrape(scraper, 1s, {{"agent"}, {}}), "midst_agent_target_up", R"(kind="fake",target="a")"), 1)
      << "without a collection of its own, the agent's part shows the last attempt";
}

TEST_F(ScraperTest, OtherTargetsTakeThePlaceOfThoseThatAreThere) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& kept = add(scraper, "kept");
  add(scraper, "changed").value = 1;
  add(scraper, "gone");
  add(scraper, "").value = 5;  // no target
  scrape(scraper, 1s);
  auto changed = std::make_unique<FakeSource>(SourceId{"fake", "changed"});
  changed->value = 2;
  std::vector<TargetChange> targets;
  targets.push_back({{"fake", "changed"}, std::move(changed)});
  targets.push_back({{"fake", "kept"}, nullptr});
  scraper.set_targets(std::move(targets), always_fresh);
  const auto page = scrape(scraper, 1s);
  EXPECT_EQ(kept.collects, 2);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="changed")"), 2);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="gone")"), std::nullopt);
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="")"), 5);
  EXPECT_EQ(value_of(*page, "midst_agent_collects_total", R"(kind="fake",target="changed")"), 2);
  EXPECT_EQ(value_of(*page, "midst_agent_target_up", R"(kind="fake",target="gone")"), std::nullopt);
}

asio::awaitable<void> scrape_into(Scraper& scraper, std::shared_ptr<const Exposition>& page) {
  page = co_await scraper.scrape({}, std::chrono::steady_clock::now() + 1s);
}

TEST_F(ScraperTest, AScrapeUnderWayEndsWithTheTargetsItBeganWith) {
  Scraper scraper(io_.get_executor(), always_fresh);
  add(scraper, "gone").takes = 20ms;
  std::shared_ptr<const Exposition> page;
  asio::co_spawn(io_, scrape_into(scraper, page), asio::detached);
  io_.poll();
  scraper.set_targets({}, always_fresh);
  io_.restart();
  io_.run();
  EXPECT_EQ(value_of(*page, "fake_value", R"(target="gone")"), 1);
  EXPECT_TRUE(scraper.status().empty());
}

TEST_F(ScraperTest, TellsHowLongATargetIsInItsState) {
  Scraper scraper(io_.get_executor(), always_fresh);
  auto& source = add(scraper, "a");
  EXPECT_EQ(scraper.status().at(0).state_age, std::nullopt);
  scrape(scraper, 1s);
  EXPECT_EQ(scraper.status().at(0).state_age, 0s);
  source.fails_with = Error{Errc::auth, "refused"};
  scrape(scraper, 1s);
  EXPECT_EQ(scraper.status().at(0).state_age, 0s);
}

}  // namespace
}  // namespace midst::scrape
