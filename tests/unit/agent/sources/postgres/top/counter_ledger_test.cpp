#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

LedgerOptions options(std::size_t limit) {
  LedgerOptions options;
  options.limit = limit;
  options.hold = 10min;
  options.activity = {1};
  return options;
}

/// A ledger of one counter, and what its page would say: series by key, the rest under "_other".
class Book {
 public:
  explicit Book(LedgerOptions options) : ledger(std::move(options)) {}

  std::map<std::string, double> look(const std::map<std::string, double>& counts,
                                     Continuity continuity = Continuity::same, double nameless = 0,
                                     Answer answer = Answer::whole) {
    now += 30s;
    ledger.begin(continuity);
    std::map<std::uint32_t, std::string> keys;
    for (const auto& [key, count] : counts)
      if (const auto id = ledger.take({.key = key, .counters = std::span(&count, 1)})) names[*id] = key;
    ledger.take_nameless(std::span(&nameless, 1));
    ledger.end(now, answer);
    std::map<std::string, double> page;
    for (const auto id : ledger.members()) page[names[id]] = ledger.counters_of(id).front();
    if (ledger.has_rest()) page["_other"] = ledger.rest().front();
    return page;
  }

  CounterLedger ledger;
  std::map<std::uint32_t, std::string> names;
  Deadline now{};
};

TEST(CounterLedger, TheFirstLookHasTheServersCounts) {
  Book book(options(2));
  EXPECT_THAT(book.look({{"a", 10}, {"b", 20}, {"c", 5}, {"d", 7}}),
              ElementsAre(Pair("_other", 12), Pair("a", 10), Pair("b", 20)));
}

TEST(CounterLedger, WhileThereIsRoomANewcomerBeginsWithItsCount) {
  Book book(options(2));
  (void)book.look({{"a", 10}});
  EXPECT_THAT(book.look({{"a", 11}, {"b", 20}}), ElementsAre(Pair("a", 11), Pair("b", 20)));
  EXPECT_THAT(book.look({{"a", 11}, {"b", 21}, {"c", 3}}),
              ElementsAre(Pair("_other", 3), Pair("a", 11), Pair("b", 21)));
}

TEST(CounterLedger, AMemberThatIsGoneKeepsItsSeriesForAnHourAndCountsOnWhenItReturns) {
  Book book(options(1));
  (void)book.look({{"a", 10}});
  EXPECT_THAT(book.look({}), ElementsAre(Pair("a", 10)));
  EXPECT_THAT(book.look({{"a", 30}}), ElementsAre(Pair("a", 40)));
  book.now += 2h;
  EXPECT_THAT(book.look({}), testing::IsEmpty());
  EXPECT_EQ(book.ledger.key_count(), 0U);
  EXPECT_THAT(book.look({{"a", 5}}), ElementsAre(Pair("_other", 5), Pair("a", 40))) << "its series goes on";
}

TEST(CounterLedger, ForeignCountsAreABeginningAndNoGrowth) {
  Book book(options(1));
  (void)book.look({{"a", 10}, {"b", 1}}, Continuity::same, 4);
  EXPECT_THAT(book.look({{"a", 1000}, {"b", 5000}, {"c", 90}}, Continuity::foreign, 700),
              ElementsAre(Pair("_other", 5), Pair("a", 10)));
  EXPECT_THAT(book.look({{"a", 1001}, {"b", 5002}, {"c", 94}}, Continuity::same, 708),
              ElementsAre(Pair("_other", 5 + 2 + 4 + 8), Pair("a", 11)));
}

TEST(CounterLedger, AfterAResetAllCountFromZero) {
  Book book(options(1));
  (void)book.look({{"a", 10}, {"b", 5}}, Continuity::same, 4);
  EXPECT_THAT(book.look({{"a", 12}, {"b", 6}}, Continuity::reset, 9),
              ElementsAre(Pair("_other", 9 + 6 + 9), Pair("a", 22)));
}

TEST(CounterLedger, RowsWithoutAKeyThatGetFewerLowerNothing) {
  Book book(options(1));
  (void)book.look({{"a", 1}}, Continuity::same, 100);
  EXPECT_THAT(book.look({{"a", 1}}, Continuity::same, 40), ElementsAre(Pair("_other", 100), Pair("a", 1)));
  EXPECT_THAT(book.look({{"a", 1}}, Continuity::same, 45), ElementsAre(Pair("_other", 105), Pair("a", 1)));
}

TEST(CounterLedger, WhatACutAnswerLacksMayStillBeThere) {
  Book book(options(2));
  (void)book.look({{"a", 10}, {"b", 20}, {"c", 5}});
  EXPECT_THAT(book.look({{"a", 11}}, Continuity::same, 0, Answer::cut),
              ElementsAre(Pair("_other", 5), Pair("a", 11), Pair("b", 20)));
  // A key that was not in the cut answer may have been there all the time: what it has is no growth.
  EXPECT_THAT(book.look({{"a", 11}, {"b", 22}, {"c", 6}, {"d", 9000}}),
              ElementsAre(Pair("_other", 6), Pair("a", 11), Pair("b", 22)));
}

TEST(CounterLedger, KeysBeyondTheLimitAreNotFollowedAndCounted) {
  auto limited = options(1);
  limited.max_keys = 2;
  Book book(limited);
  EXPECT_THAT(book.look({{"a", 10}, {"b", 5}, {"c", 700}}), ElementsAre(Pair("_other", 5), Pair("a", 10)));
  EXPECT_EQ(book.ledger.untracked(), 1U);
  EXPECT_EQ(book.ledger.key_count(), 2U);
  EXPECT_THAT(book.look({{"a", 10}, {"c", 701}}), ElementsAre(Pair("_other", 5), Pair("a", 10)));
  EXPECT_THAT(book.look({{"a", 10}, {"c", 702}}), ElementsAre(Pair("_other", 5), Pair("a", 10)))
      << "followed at last, from what it had";
  EXPECT_THAT(book.look({{"a", 10}, {"c", 703}}), ElementsAre(Pair("_other", 6), Pair("a", 10)));
}

TEST(CounterLedger, LanesOfAKeyBeginAnewSeparately) {
  auto two = options(1);
  two.lanes = 2;
  CounterLedger ledger(two);
  const auto look = [&](double first, double second) {
    ledger.begin(Continuity::same);
    std::ignore = ledger.take({.key = "a", .counters = std::span(&first, 1), .lane = 0});
    if (second > 0) std::ignore = ledger.take({.key = "a", .counters = std::span(&second, 1), .lane = 1});
    ledger.end(Deadline{}, Answer::whole);
    return ledger.counters_of(0).front();
  };
  EXPECT_EQ(look(1000, 50), 1050);
  EXPECT_EQ(look(1001, 3), 1054);
  EXPECT_EQ(look(1002, 0), 1055);
  EXPECT_EQ(look(1002, 4), 1059);
}

TEST(CounterLedger, AnotherOriginIsABeginningAnew) {
  CounterLedger ledger(options(1));
  const auto look = [&](double count, double origin) {
    ledger.begin(Continuity::same);
    std::ignore = ledger.take({.key = "a", .counters = std::span(&count, 1), .origin = origin});
    ledger.end(Deadline{}, Answer::whole);
    return ledger.counters_of(0).front();
  };
  EXPECT_EQ(look(10, 0), 10);
  EXPECT_EQ(look(12, 5.5), 12) << "the server has learnt to say it";
  EXPECT_EQ(look(13, 5.5), 13);
  EXPECT_EQ(look(20, 6.5), 33);
}

TEST(CounterLedger, SumsThatDifferInTheirLastDigitsDidNotBeginAnew) {
  Book book(options(1));
  (void)book.look({{"a", 1e9 + 0.3}});
  EXPECT_THAT(book.look({{"a", 1e9 + 0.2999999}}), ElementsAre(Pair("a", 1e9 + 0.3)));
}

TEST(CounterLedger, WithoutALimitThereIsNoRest) {
  Book book(options(0));
  (void)book.look({{"a", 1}, {"b", 2}});
  EXPECT_THAT(book.look({{"a", 1}, {"b", 2}, {"c", 3}}), ElementsAre(Pair("a", 1), Pair("b", 2), Pair("c", 3)));
}

TEST(CounterLedger, TotalsOfThoseThatLeftAreRememberedUpToALimit) {
  auto fickle = options(1);
  fickle.hold = 0ms;
  Book book(fickle);
  (void)book.look({{"k0", 5}, {"k1", 1}});
  EXPECT_THAT(book.look({{"k0", 5}, {"k1", 9}}), ElementsAre(Pair("_other", 9), Pair("k1", 0)));
  EXPECT_THAT(book.look({{"k0", 500}, {"k1", 9}}), ElementsAre(Pair("_other", 504), Pair("k0", 5)));
  // Six hundred others take the place, each for one look.
  double count = 1e6;
  for (int i = 2; i < 602; ++i) (void)book.look({{"k" + std::to_string(i), count *= 2}, {"k0", 500}});
  const auto page = book.look({{"k0", 500 + count * 4}});
  EXPECT_EQ(page.at("k0"), 0) << "forgotten; a series that falls has begun anew for whoever reads it";
}

}  // namespace
}  // namespace midst::sources
