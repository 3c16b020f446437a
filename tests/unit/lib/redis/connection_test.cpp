#include "lib/redis/connection.hpp"

#include "tests/support/loop.hpp"
#include "tests/support/scripted_server.hpp"
#include "tests/support/servers.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>

namespace midst::redis {
namespace {

using std::chrono::milliseconds;
using test::Script;
using test::ScriptedServer;
using test::Step;

constexpr const char* ping = "*1\r\n$4\r\nPING\r\n";

class RedisConnection : public testing::Test {
 protected:
  static Deadline soon(milliseconds wait = milliseconds(5000)) { return std::chrono::steady_clock::now() + wait; }

  /// No login, and attempts right after a failure: what a test needs it sets.
  static ConnectionOptions plain() {
    ConnectionOptions options;
    options.client_name = "";
    options.backoff_first = options.backoff_max = milliseconds(0);
    return options;
  }

  static Uri at(std::uint16_t port) {
    Uri uri;
    uri.host = "127.0.0.1";
    uri.port = port;
    return uri;
  }

  Result<std::vector<Reply>> run(Connection& connection, std::vector<Command> commands, Deadline deadline = soon()) {
    return test::run(io, connection.pipeline(std::move(commands), deadline));
  }

  PartialReplies exchange(Connection& connection, std::vector<Command> commands, Deadline deadline = soon()) {
    return test::run(io, connection.exchange(std::move(commands), deadline));
  }

  /// @return the texts of the replies and the error, in one line.
  static std::string told(const PartialReplies& partial) {
    std::string all;
    for (const auto& reply : partial.replies) all += reply.text + ' ';
    return all + (partial.error ? std::string(word(partial.error->code)) : "whole");
  }

  std::string at_port(const ScriptedServer& server, const std::string& what) const {
    return "redis://127.0.0.1:" + std::to_string(server.port()) + "/0: " + what;
  }

  asio::io_context io;
};

TEST_F(RedisConnection, SendsLoginAndCommandsInOneWrite) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+OK\r\n+OK\r\n+OK\r\n+PONG\r\n$-1\r\n"), Step::hang()}});
  auto uri = at(server.port());
  uri.username = "me";
  uri.password = "secret";
  uri.database = 3;
  Connection connection(io.get_executor(), uri, ConnectionOptions{});
  const auto replies = run(connection, {{"GET", "x"}, {"PING"}});
  ASSERT_TRUE(replies) << describe(replies.error());
  ASSERT_EQ(replies->size(), 2u);
  EXPECT_EQ((*replies)[0].text, "PONG");
  EXPECT_EQ((*replies)[1].type, Reply::Type::nil);
  EXPECT_EQ(server.turns(0), 1u);
  EXPECT_EQ(server.received(0),
            "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
            "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$11\r\nmidst-agent\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\n" +
                std::string(ping));
}

TEST_F(RedisConnection, KeepsTheConnectionAndSendsOneWritePerPipeline) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::await("PING"), Step::send("+PO"),
                              Step::send("NG\r\n+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  const auto replies = run(connection, {{"PING"}, {"PING"}});
  ASSERT_TRUE(replies) << describe(replies.error());
  EXPECT_EQ(replies->size(), 2u);
  EXPECT_EQ(server.received(0), std::string(ping) + ping + ping);
  EXPECT_EQ(server.connection_count(), 1u);
  EXPECT_EQ(connection.connect_count(), 1u);
  EXPECT_TRUE(connection.is_connected());
  EXPECT_GT(connection.last_connect_duration().count(), 0);
}

TEST_F(RedisConnection, CountsTheBytesOfAllItsConnections) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::close()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(connection.traffic().sent_bytes, 14u);
  EXPECT_EQ(connection.traffic().received_bytes, 7u);
  connection.close();
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(connection.traffic().sent_bytes, 28u);
  EXPECT_EQ(connection.traffic().received_bytes, 14u);
}

/// @return an option of the socket of this process that is connected to the port, or -1.
int socket_option(std::uint16_t port, int level, int name) {
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
    int value = -1;
    size = sizeof value;
    return ::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : -1;
  }
  return -1;
}

TEST_F(RedisConnection, LetsTheKernelNoticeAPeerThatVanished) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(socket_option(server.port(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(socket_option(server.port(), IPPROTO_TCP, TCP_KEEPIDLE), 15);
  EXPECT_EQ(socket_option(server.port(), IPPROTO_TCP, TCP_KEEPINTVL), 5);
  EXPECT_EQ(socket_option(server.port(), IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(socket_option(server.port(), IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
}

TEST_F(RedisConnection, AnswersNothingToNoCommands) {
  Connection connection(io.get_executor(), at(1), plain());
  const auto replies = run(connection, {});
  ASSERT_TRUE(replies);
  EXPECT_TRUE(replies->empty());
}

TEST_F(RedisConnection, LeavesAServerErrorToItsCommand) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("-NOPERM no\r\n+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto replies = run(connection, {{"CONFIG", "GET", "x"}, {"PING"}});
  ASSERT_TRUE(replies) << describe(replies.error());
  EXPECT_EQ((*replies)[0].to_error().code, Errc::noperm);
  EXPECT_EQ((*replies)[1].text, "PONG");
  EXPECT_TRUE(connection.is_connected());
}

TEST_F(RedisConnection, ForgivesARefusedClientName) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("-NOPERM no\r\n+PONG\r\n"), Step::hang()}});
  auto options = plain();
  options.client_name = "me";
  Connection connection(io.get_executor(), at(server.port()), options);
  EXPECT_EQ(run(connection, {{"PING"}}).value().at(0).text, "PONG");
}

TEST_F(RedisConnection, SaysAuthWhenTheLoginIsRefusedAndNeverThePassword) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("-WRONGPASS invalid\r\n-NOAUTH no\r\n"), Step::hang()}});
  auto uri = at(server.port());
  uri.password = "s3cret";
  Connection connection(io.get_executor(), uri, plain());
  const auto replies = run(connection, {{"PING"}});
  ASSERT_FALSE(replies);
  EXPECT_EQ(replies.error().code, Errc::auth);
  EXPECT_EQ(replies.error().message, at_port(server, "AUTH refused, check user name and password: WRONGPASS invalid"));
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, SaysAuthWhenALoginIsWantedAndNoneIsSet) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("-NOAUTH required\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::auth);
  EXPECT_EQ(replies.error().message, at_port(server, "the server wants a login, set a password: NOAUTH required"));
}

TEST_F(RedisConnection, FailsWhenTheDatabaseCannotBeSelected) {
  ScriptedServer server(
      io, {{Step::await("PING"), Step::send("-ERR DB index is out of range\r\n+PONG\r\n"), Step::hang()}});
  auto uri = at(server.port());
  uri.database = 99;
  Connection connection(io.get_executor(), uri, plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::server);
  EXPECT_TRUE(replies.error().message.ends_with("/99: SELECT: ERR DB index is out of range"))
      << replies.error().message;
}

TEST_F(RedisConnection, AsksForTheLoginAtEveryConnect) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+OK\r\n+PONG\r\n"), Step::close()}});
  int asked = 0;
  Connection connection(io.get_executor(), at(server.port()), plain(), [&asked]() -> Result<Login> {
    return Login{"", "p" + std::to_string(++asked)};
  });
  ASSERT_TRUE(run(connection, {{"PING"}}));
  connection.close();
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_NE(server.received(0).find("$2\r\np1\r\n"), std::string::npos);
  EXPECT_NE(server.received(1).find("$2\r\np2\r\n"), std::string::npos);
}

TEST_F(RedisConnection, PassesOnWhyThereIsNoLogin) {
  Connection connection(io.get_executor(), at(1), plain(), []() -> Result<Login> {
    return Error{Errc::config, "password_file: not readable"};
  });
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::config);
  EXPECT_EQ(replies.error().message, "redis://127.0.0.1:1/0: password_file: not readable");
}

TEST_F(RedisConnection, DropsAPeerThatDoesNotSpeakTheProtocol) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("HTTP/1.1 400 Bad Request\r\n\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::protocol);
  EXPECT_EQ(replies.error().message, at_port(server, "the peer does not speak the Redis protocol"));
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, DropsAPeerThatAnswersMoreThanItWasAsked) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  EXPECT_EQ(run(connection, {{"PING"}}).error().code, Errc::protocol);
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, SaysClosedWhenTheServerClosesInsideAReply) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("$100\r\nhalf"), Step::close()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::closed);
  EXPECT_EQ(replies.error().message, at_port(server, "the server closed the connection"));
  EXPECT_EQ(server.connection_count(), 1u);
}

TEST_F(RedisConnection, PassesOnWhatTheServerSaysBeforeItHangsUp) {
  ScriptedServer server(io,
                        {{Step::await("PING"), Step::send("-ERR max number of clients reached\r\n"), Step::close()}});
  auto options = plain();
  options.client_name = "me";
  Connection connection(io.get_executor(), at(server.port()), options);
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::server);
  EXPECT_EQ(replies.error().message, at_port(server, "ERR max number of clients reached"));
}

TEST_F(RedisConnection, DropsAHangingConnectionAtTheDeadline) {
  ScriptedServer server(
      io, {{Step::await("PING"), Step::hang()}, {Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto replies = run(connection, {{"PING"}}, soon(milliseconds(50)));
  EXPECT_EQ(replies.error().code, Errc::timeout);
  EXPECT_EQ(replies.error().message, at_port(server, "deadline passed"));
  EXPECT_FALSE(connection.is_connected());
  EXPECT_EQ(run(connection, {{"PING"}}).value().at(0).text, "PONG");
  EXPECT_EQ(connection.connect_count(), 2u);
}

TEST_F(RedisConnection, TouchesNothingWhenTheDeadlineHasPassedAlready) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(run(connection, {{"PING"}}, soon(milliseconds(-1))).error().code, Errc::timeout);
  EXPECT_TRUE(connection.is_connected());
}

TEST_F(RedisConnection, ReopensAConnectionThatWasClosedWhileIdle) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::close()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(run(connection, {{"PING"}}).value().at(0).text, "PONG");
  EXPECT_EQ(server.connection_count(), 2u);
  EXPECT_EQ(connection.connect_count(), 2u);
}

TEST_F(RedisConnection, SendsAgainOnceWhenTheServerClosesBeforeTheFirstByte) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::await("PING"), Step::close()},
                             {Step::await("PING"), Step::close()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  ASSERT_TRUE(run(connection, {{"PING"}}));
  EXPECT_EQ(run(connection, {{"PING"}}).error().code, Errc::closed);
  EXPECT_EQ(server.connection_count(), 2u);
  EXPECT_EQ(server.received(1), ping);
}

TEST_F(RedisConnection, DropsAKeptConnectionThatHoldsUnaskedBytes) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+PONG\r\n"), Step::send("+LATE\r\n"), Step::hang()},
                             {Step::await("PING"), Step::send("+FRESH\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  const auto first = run(connection, {{"PING"}});
  // The late reply comes with the first one (that is a protocol failure) or behind it; it is never the next answer.
  EXPECT_EQ(first ? first->at(0).text : "PONG", "PONG");
  EXPECT_EQ(run(connection, {{"PING"}}).value().at(0).text, "FRESH");
}

TEST_F(RedisConnection, RefusesRepliesAboveItsLimit) {
  ScriptedServer server(
      io, {{Step::await("PING"), Step::send("$2000\r\n" + std::string(2000, 'x') + "\r\n"), Step::hang()}});
  auto options = plain();
  options.max_reply_bytes = 1000;
  Connection connection(io.get_executor(), at(server.port()), options);
  EXPECT_EQ(run(connection, {{"PING"}}).error().code, Errc::limit);
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, GivesTheRepliesThatCameBeforeTheServerClosed) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+OK\r\n+one\r\n+two\r\n$5\r\nth"), Step::close()}});
  auto options = plain();
  options.client_name = "me";
  Connection connection(io.get_executor(), at(server.port()), options);
  const auto partial = exchange(connection, {{"A"}, {"B"}, {"C"}, {"PING"}});
  EXPECT_EQ(told(partial), "one two closed");
  EXPECT_EQ(partial.error->message, at_port(server, "the server closed the connection"));
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, GivesTheRepliesThatCameBeforeTheDeadline) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+one\r\n"), Step::hang()},
                             {Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  EXPECT_EQ(told(exchange(connection, {{"A"}, {"PING"}}, soon(milliseconds(50)))), "one timeout");
  EXPECT_FALSE(connection.is_connected());
  EXPECT_EQ(told(exchange(connection, {{"PING"}})), "PONG whole");
}

TEST_F(RedisConnection, GivesTheRepliesThatCameBeforeOtherBytes) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+one\r\n?what\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  EXPECT_EQ(told(exchange(connection, {{"A"}, {"PING"}})), "one protocol");
  EXPECT_FALSE(connection.is_connected());
}

TEST_F(RedisConnection, GivesNoRepliesWhenThereAreMoreThanCommands) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+one\r\n+two\r\n+three\r\n"), Step::hang()}});
  Connection connection(io.get_executor(), at(server.port()), plain());
  EXPECT_EQ(told(exchange(connection, {{"A"}, {"PING"}})), "protocol");
}

TEST_F(RedisConnection, GivesNoRepliesWhenTheLoginIsRefused) {
  ScriptedServer server(io,
                        {{Step::await("PING"), Step::send("-WRONGPASS no\r\n-NOAUTH no\r\n-NOAUTH"), Step::close()}});
  auto uri = at(server.port());
  uri.password = "p";
  Connection connection(io.get_executor(), uri, plain());
  EXPECT_EQ(told(exchange(connection, {{"A"}, {"PING"}})), "auth");
}

TEST_F(RedisConnection, NamesTheReplyThatIsTooLarge) {
  ScriptedServer server(
      io,
      {{Step::await("PING"), Step::send("+one\r\n+two\r\n$2000\r\n" + std::string(2000, 'x') + "\r\n"), Step::hang()}});
  auto options = plain();
  options.max_reply_bytes = 1000;
  Connection connection(io.get_executor(), at(server.port()), options);
  const auto partial = exchange(connection, {{"A"}, {"B"}, {"C"}, {"PING"}});
  EXPECT_EQ(told(partial), "one two limit");
  EXPECT_EQ(partial.error->message, at_port(server, "reply 2: the replies are larger than allowed"));
}

TEST_F(RedisConnection, TakesRepliesUpToItsLimitToTheByte) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+" + std::string(100, 'x') + "\r\n"), Step::hang()}});
  auto options = plain();
  options.max_reply_bytes = 100 + sizeof(Reply);
  Connection fits(io.get_executor(), at(server.port()), options);
  EXPECT_EQ(exchange(fits, {{"PING"}}).replies.size(), 1u);
  --options.max_reply_bytes;
  Connection too_small(io.get_executor(), at(server.port()), options);
  const auto partial = exchange(too_small, {{"PING"}});
  EXPECT_EQ(partial.error->message, at_port(server, "reply 0: the replies take more memory than allowed"));
}

TEST_F(RedisConnection, BeginsNoBackOffWhenSomethingWasAnswered) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send("+one\r\n"), Step::close()},
                             {Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  auto options = plain();
  options.backoff_first = options.backoff_max = std::chrono::hours(1);
  Connection connection(io.get_executor(), at(server.port()), options);
  EXPECT_EQ(told(exchange(connection, {{"A"}, {"PING"}})), "one closed");
  EXPECT_EQ(told(exchange(connection, {{"PING"}})), "PONG whole");
}

TEST_F(RedisConnection, FailsAtOnceWithTheFirstErrorWhileItBacksOff) {
  ScriptedServer server(io, {{Step::await("PING"), Step::close()}});
  auto options = plain();
  options.backoff_first = options.backoff_max = std::chrono::hours(1);
  Connection connection(io.get_executor(), at(server.port()), options);
  const auto first = run(connection, {{"PING"}});
  const auto second = run(connection, {{"PING"}});
  EXPECT_EQ(first.error().code, Errc::closed);
  EXPECT_EQ(second.error().code, Errc::closed);
  EXPECT_EQ(second.error().message, first.error().message);
  EXPECT_EQ(server.connection_count(), 1u);
}

TEST_F(RedisConnection, TriesAgainWhenTheBackOffIsOver) {
  ScriptedServer server(
      io, {{Step::await("PING"), Step::close()}, {Step::await("PING"), Step::send("+PONG\r\n"), Step::hang()}});
  auto options = plain();
  options.backoff_first = options.backoff_max = milliseconds(20);
  Connection connection(io.get_executor(), at(server.port()), options);
  ASSERT_FALSE(run(connection, {{"PING"}}));
  const auto limit = soon();
  bool is_back = false;
  while (!is_back && std::chrono::steady_clock::now() < limit) is_back = run(connection, {{"PING"}}).has_value();
  EXPECT_TRUE(is_back);
  EXPECT_EQ(server.connection_count(), 2u);
}

TEST_F(RedisConnection, SaysConnectRefusedWhereNobodyListens) {
  const auto port = test::free_port();
  Connection connection(io.get_executor(), at(port), plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::connect_refused);
  EXPECT_EQ(replies.error().message, "redis://127.0.0.1:" + std::to_string(port) + "/0: connect: Connection refused");
}

TEST_F(RedisConnection, SaysConnectRefusedForAMissingSocketFile) {
  Connection connection(io.get_executor(), parse_uri("/nonexistent/redis.sock").value(), plain());
  const auto replies = run(connection, {{"PING"}});
  EXPECT_EQ(replies.error().code, Errc::connect_refused);
  EXPECT_EQ(replies.error().message, "unix:///nonexistent/redis.sock: connect: No such file or directory");
}

TEST_F(RedisConnection, SaysDnsForANameWithoutAddress) {
  auto uri = at(6379);
  uri.host = std::string(64, 'a') + ".invalid";  // a label may have 63 characters, so no server is asked
  Connection connection(io.get_executor(), uri, plain());
  EXPECT_EQ(run(connection, {{"PING"}}).error().code, Errc::dns);
}

TEST_F(RedisConnection, SaysTlsWhenThePeerDoesNotSpeakIt) {
  ScriptedServer server(io, {{Step::send("-ERR Protocol error\r\n"), Step::close()}});
  auto uri = at(server.port());
  uri.has_tls = true;
  Connection connection(io.get_executor(), uri, plain());
  EXPECT_EQ(run(connection, {{"PING"}}).error().code, Errc::tls);
}

TEST_F(RedisConnection, TimesOutInAHangingHandshake) {
  ScriptedServer server(io, {{Step::hang()}});
  auto uri = at(server.port());
  uri.has_tls = true;
  Connection connection(io.get_executor(), uri, plain());
  EXPECT_EQ(run(connection, {{"PING"}}, soon(milliseconds(50))).error().code, Errc::timeout);
}

TEST_F(RedisConnection, MayGoWhileAPipelineIsUnderWay) {
  ScriptedServer server(io, {{Step::await("PING"), Step::hang()}});
  auto connection = std::make_unique<Connection>(io.get_executor(), at(server.port()), plain());
  Result<std::vector<Reply>> replies = std::vector<Reply>{};
  bool is_done = false;
  asio::co_spawn(io, connection->pipeline({{"PING"}}, soon()),
                 [&](std::exception_ptr thrown, Result<std::vector<Reply>> result) {
                   EXPECT_EQ(thrown, nullptr);
                   replies = std::move(result);
                   is_done = true;
                 });
  ASSERT_TRUE(test::run_until(io, [&] { return server.connection_count() == 1 && !server.received(0).empty(); }));
  connection.reset();
  ASSERT_TRUE(test::run_until(io, [&] { return is_done; }));
  EXPECT_FALSE(replies);
}

}  // namespace
}  // namespace midst::redis
