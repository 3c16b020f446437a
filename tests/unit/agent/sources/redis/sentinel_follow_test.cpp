#include "agent/sources/redis/sentinel_follow.hpp"

#include "tests/support/loop.hpp"
#include "tests/support/scripted_server.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using std::chrono::milliseconds;
using test::ScriptedServer;
using test::Step;

std::string address(const std::string& host, const std::string& port) {
  return "*2\r\n$" + std::to_string(host.size()) + "\r\n" + host + "\r\n$" + std::to_string(port.size()) + "\r\n" +
         port + "\r\n";
}

/// A Sentinel that answers every client so.
test::Script saying(const std::string& wire) {
  return {Step::await("mine"), Step::send(wire), Step::hang()};
}

class RedisMasterFinder : public testing::Test {
 protected:
  std::unique_ptr<MasterFinder> finder(const std::vector<std::uint16_t>& ports) {
    SentinelFollowOptions options;
    for (const auto port : ports)
      options.sentinels.push_back(parse_sentinel_address("127.0.0.1:" + std::to_string(port)).value());
    options.master_name = "mine";
    options.connection.client_name = "";
    options.connection.backoff_first = options.connection.backoff_max = milliseconds(0);
    return std::make_unique<MasterFinder>(io_.get_executor(), options);
  }

  /// @return "host:port", or the error's word.
  std::string found(MasterFinder& finder, milliseconds wait = milliseconds(5000)) {
    result_ = test::run(io_, finder.find_master(std::chrono::steady_clock::now() + wait));
    return result_ ? result_->host + ":" + std::to_string(result_->port) : std::string(word(result_.error().code));
  }

  asio::io_context io_;
  Result<MasterAddress> result_ = MasterAddress{};
};

TEST_F(RedisMasterFinder, AsksByTheNameOfTheMasterAndKeepsNoConnection) {
  ScriptedServer sentinel(io_, {saying(address("10.0.0.5", "6379"))});
  const auto finder = this->finder({sentinel.port()});
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  EXPECT_EQ(sentinel.received(0), "*3\r\n$8\r\nSENTINEL\r\n$23\r\nGET-MASTER-ADDR-BY-NAME\r\n$4\r\nmine\r\n");
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  EXPECT_EQ(sentinel.connection_count(), 2u);
}

TEST_F(RedisMasterFinder, LogsInToTheSentinels) {
  ScriptedServer sentinel(io_, {saying("+OK\r\n" + address("::1", "7000"))});
  SentinelFollowOptions options;
  options.sentinels.push_back(parse_sentinel_address("127.0.0.1:" + std::to_string(sentinel.port())).value());
  options.master_name = "mine";
  options.connection.client_name = "";
  options.login = []() -> Result<redis::Login> { return redis::Login{"watcher", "s3cret"}; };
  MasterFinder finder(io_.get_executor(), options);
  EXPECT_EQ(found(finder), "::1:7000");
  EXPECT_TRUE(sentinel.received(0).starts_with("*3\r\n$4\r\nAUTH\r\n$7\r\nwatcher\r\n$6\r\ns3cret\r\n"));
}

TEST_F(RedisMasterFinder, GoesOnUntilOneKnowsAndBeginsWithThatOneNextTime) {
  ScriptedServer ignorant(io_, {saying("*-1\r\n")});
  ScriptedServer odd(io_, {saying("+PONG\r\n")});
  ScriptedServer refusing(io_, {saying("-NOPERM no\r\n")});
  ScriptedServer good(io_, {saying(address("10.0.0.5", "6379"))});
  const auto finder = this->finder({test::free_port(), ignorant.port(), odd.port(), refusing.port(), good.port()});
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  EXPECT_EQ(good.connection_count(), 2u);
  for (const auto* other : {&ignorant, &odd, &refusing}) EXPECT_EQ(other->connection_count(), 1u);
}

TEST_F(RedisMasterFinder, LeavesTimeForTheOthersWhenOneHangs) {
  ScriptedServer hanging(io_, {{Step::hang()}});
  ScriptedServer good(io_, {saying(address("10.0.0.5", "6379"))});
  const auto finder = this->finder({hanging.port(), good.port()});
  EXPECT_EQ(found(*finder, milliseconds(200)), "10.0.0.5:6379");
  EXPECT_EQ(hanging.connection_count(), 1u);
}

TEST_F(RedisMasterFinder, AsksAnotherOneWhenTheAnswerWasNoMaster) {
  ScriptedServer stale(io_, {saying(address("10.0.0.4", "6379"))});
  ScriptedServer good(io_, {saying(address("10.0.0.5", "6379"))});
  const auto finder = this->finder({stale.port(), good.port()});
  EXPECT_EQ(found(*finder), "10.0.0.4:6379");
  finder->distrust_last();
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  EXPECT_EQ(found(*finder), "10.0.0.5:6379");
  finder->distrust_last();
  EXPECT_EQ(found(*finder), "10.0.0.4:6379");
}

TEST_F(RedisMasterFinder, SaysWhatTheBestInformedOneSaid) {
  ScriptedServer ignorant(io_, {saying("*-1\r\n")});
  ScriptedServer refusing(io_, {saying("-NOPERM no\r\n")});
  EXPECT_EQ(found(*finder({test::free_port(), refusing.port(), ignorant.port()})), "not_found");
  EXPECT_EQ(result_.error().message, "no Sentinel tells where the master mine is: redis://127.0.0.1:" +
                                         std::to_string(ignorant.port()) + "/0: it watches no master of that name");
  EXPECT_EQ(found(*finder({test::free_port(), refusing.port()})), "noperm");
  EXPECT_EQ(found(*finder({test::free_port(), test::free_port()})), "connect_refused");
}

TEST_F(RedisMasterFinder, RefusesAnswersThatAreNoAddress) {
  for (const auto& wire : {address("", "6379"), address("10.0.0.5", "0"), address("10.0.0.5", "65536"),
                           address("10.0.0.5", "x"), std::string("*1\r\n$1\r\na\r\n"), std::string("*0\r\n"),
                           std::string(":1\r\n"), std::string("*2\r\n:1\r\n:1\r\n")}) {
    ScriptedServer odd(io_, {saying(wire)});
    EXPECT_EQ(found(*finder({odd.port()})), "protocol") << wire;
  }
}

TEST_F(RedisMasterFinder, EndsWithItsDeadline) {
  ScriptedServer hanging(io_, {{Step::hang()}});
  EXPECT_EQ(found(*finder({hanging.port(), hanging.port()}), milliseconds(50)), "timeout");
}

TEST(RedisSentinelAddress, HasThePortOfSentinelsUnlessItIsGiven) {
  struct Case {
    const char* text;
    const char* redacted;
  };
  const Case cases[] = {
      {"one", "redis://one:26379/0"},
      {"one:5000", "redis://one:5000/0"},
      {"10.0.0.5", "redis://10.0.0.5:26379/0"},
      {"[::1]", "redis://[::1]:26379/0"},
      {"[::1]:5000", "redis://[::1]:5000/0"},
      {"rediss://one", "rediss://one:26379/0"},
      {"rediss://one/", "rediss://one:26379/0"},
      {"redis://me:s3cret@one", "redis://one:26379/0"},
      {"redis://me:s3cret@[::1]:1", "redis://[::1]:1/0"},
  };
  for (const auto& [text, redacted] : cases) {
    const auto uri = parse_sentinel_address(text);
    ASSERT_TRUE(uri) << text << ": " << uri.error().message;
    EXPECT_EQ(uri->redacted(), redacted) << text;
  }
  EXPECT_EQ(parse_sentinel_address("redis://me:s3cret@one")->password, "s3cret");
  for (const auto* text : {"", "one:x", "::1", "[::1", "unix:///run/s.sock", "/run/s.sock", "http://one", "one:0"})
    EXPECT_EQ(parse_sentinel_address(text).has_value() ? Errc::internal : parse_sentinel_address(text).error().code,
              Errc::config)
        << text;
}

}  // namespace
}  // namespace midst::sources::redis_info
