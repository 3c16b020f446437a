#include "lib/pq/resolve.hpp"

#include "tests/support/loop.hpp"

#include <gmock/gmock.h>

namespace midst::pq {
namespace {

Result<Conninfo> resolved(const std::string& text) {
  asio::io_context io;
  return test::run(io, resolve_hosts(io.get_executor(), parse_conninfo(text).value()));
}

TEST(ResolveHosts, LeavesAddressesSocketsAndGivenAddressesAlone) {
  for (const std::string text : {"dbname=app", "host=127.0.0.1", "host=::1", "host=/run/postgresql", "host=@abstract",
                                 "host=name hostaddr=10.0.0.1", "host=127.0.0.1,/run,::1 port=1,2,3"}) {
    const auto before = parse_conninfo(text).value();
    const auto after = resolved(text);
    ASSERT_TRUE(after) << text;
    EXPECT_EQ(after->keywords, before.keywords) << text;
  }
}

TEST(ResolveHosts, GivesANameItsAddressesAndKeepsTheNameForTheCertificate) {
  const auto after = resolved("host=localhost port=5433");
  ASSERT_TRUE(after);
  const std::string addresses(after->get("hostaddr"));
  // The hosts file decides which of the two localhost has.
  EXPECT_THAT(addresses, testing::AnyOf("127.0.0.1", "::1", "::1,127.0.0.1", "127.0.0.1,::1"));
  const bool has_both = addresses.find(',') != std::string::npos;
  EXPECT_EQ(after->get("host"), has_both ? "localhost,localhost" : "localhost");
  EXPECT_EQ(after->get("port"), has_both ? "5433,5433" : "5433");
}

TEST(ResolveHosts, KeepsEachHostOfAListWithItsPort) {
  const auto after = resolved("host=/run,localhost,10.0.0.1 port=1,2,3");
  ASSERT_TRUE(after);
  EXPECT_THAT(std::string(after->get("host")), testing::MatchesRegex("/run,(localhost,)+10.0.0.1"));
  EXPECT_THAT(std::string(after->get("hostaddr")), testing::MatchesRegex(",[0-9.:,]+,"));
  EXPECT_THAT(std::string(after->get("port")), testing::MatchesRegex("1,(2,)+3"));
}

TEST(ResolveHosts, GoesOnWithoutANameThatHasNoAddress) {
  const auto after = resolved("host=no-such-host.invalid,10.0.0.1 port=1,2");
  ASSERT_TRUE(after);
  EXPECT_EQ(after->get("host"), "10.0.0.1");
  EXPECT_EQ(after->get("port"), "2");
}

TEST(ResolveHosts, FailsWhenNoNameHasAnAddress) {
  const auto after = resolved("host=no-such-host.invalid");
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, Errc::dns);
}

TEST(ResolveHosts, RefusesListsOfDifferentLength) {
  const auto after = resolved("host=localhost,b,c port=1,2");
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, Errc::config);
}

}  // namespace
}  // namespace midst::pq
