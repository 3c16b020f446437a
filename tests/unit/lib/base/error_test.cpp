#include "lib/base/error.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

namespace midst {
namespace {

struct WordCase {
  Errc code;
  std::string_view word;
};

constexpr WordCase words[] = {{Errc::connect_refused, "connect_refused"},
                              {Errc::dns, "dns"},
                              {Errc::tls, "tls"},
                              {Errc::auth, "auth"},
                              {Errc::noperm, "noperm"},
                              {Errc::timeout, "timeout"},
                              {Errc::closed, "closed"},
                              {Errc::loading, "loading"},
                              {Errc::protocol, "protocol"},
                              {Errc::limit, "limit"},
                              {Errc::unsupported, "unsupported"},
                              {Errc::config, "config"},
                              {Errc::not_found, "not_found"},
                              {Errc::conflict, "conflict"},
                              {Errc::server, "server"},
                              {Errc::internal, "internal"}};

TEST(Errc, HasOneStableWordForEachKind) {
  std::set<std::string_view> seen;
  for (const auto& row : words) {
    EXPECT_EQ(word(row.code), row.word);
    EXPECT_TRUE(seen.insert(word(row.code)).second) << row.word;
  }
}

TEST(Error, PutsEachContextInFrontAndKeepsItsKind) {
  const Error error{Errc::auth, "WRONGPASS"};
  const auto outer = error.with_context("AUTH").with_context("redis main");
  EXPECT_EQ(outer.code, Errc::auth);
  EXPECT_EQ(outer.message, "redis main: AUTH: WRONGPASS");
  EXPECT_EQ(describe(outer), "auth: redis main: AUTH: WRONGPASS");
}

Result<int> half(int number) {
  if (number % 2 != 0) return Error{Errc::config, "odd"};
  return number / 2;
}

TEST(Result, IsAValueOrAnError) {
  EXPECT_EQ(*half(8), 4);
  ASSERT_FALSE(half(7));
  EXPECT_EQ(half(7).error().code, Errc::config);
}

TEST(Result, ThrowsALogicErrorWhenTheValueOfAFailureIsTaken) {
  try {
    (void)half(7).value();
    FAIL() << "no exception";
  } catch (const std::logic_error& error) {
    EXPECT_NE(std::string(error.what()).find("config: odd"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace midst
