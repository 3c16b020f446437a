#include "lib/net/http_server.hpp"

#include "tests/support/gunzip.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/served_site.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace midst::net {
namespace {

using namespace std::chrono_literals;
using test::HttpClient;

using HttpServerTest = test::ServedSite;

TEST_F(HttpServerTest, AnswersWithLengthTypeAndDateAndNamesNoSoftware) {
  start();
  const auto answer = test::http_get(address_, "/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello\n");
  EXPECT_EQ(answer.header("Content-Length"), "6");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("Date").size(), std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
  EXPECT_EQ(answer.header("Server"), "");
  EXPECT_EQ(answer.header("Vary"), "");
}

TEST_F(HttpServerTest, KeepsTheConnectionForMoreRequests) {
  start();
  HttpClient client(address_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.get("/").body, "hello\n");
  const auto now = counters();
  EXPECT_EQ(now.requests, 3U);
  EXPECT_EQ(now.open_connections, 1U);
}

TEST_F(HttpServerTest, ClosesTheConnectionWhenAskedTo) {
  start();
  HttpClient client(address_);
  const auto answer = client.get("/", "Connection: close\r\n");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(client.read_rest(), "");
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  HttpClient client(address_);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1"
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n2"
      "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST 1");
  EXPECT_EQ(client.read_answer().body, "POST 2");
  EXPECT_EQ(client.read_answer().body, "hello\n");
}

TEST_F(HttpServerTest, AnswersHeadWithTheLengthOfGetAndNoBody) {
  start();
  HttpClient client(address_);
  const auto head = client.request("HEAD", "/size?5000");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "5000");
  EXPECT_EQ(client.get("/").body, "hello\n") << "a body would stand before this answer";
}

TEST_F(HttpServerTest, SendsNoLengthWhereThereIsNoBody) {
  start();
  HttpClient client(address_);
  const auto answer = client.get("/empty");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("Content-Length"), "");
  EXPECT_EQ(client.get("/").status, 200);
}

TEST_F(HttpServerTest, CompressesFromTheLimitOnAndSaysThatItDepends) {
  start();
  HttpClient client(address_);
  const auto at_limit = client.get("/size?1024", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(at_limit.header("Content-Encoding"), "gzip");
  EXPECT_EQ(at_limit.header("Vary"), "Accept-Encoding");
  EXPECT_EQ(test::gunzip(at_limit.body), std::string(1024, 'm'));

  const auto below = client.get("/size?1023", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(below.header("Content-Encoding"), "");
  EXPECT_EQ(below.header("Vary"), "");
  EXPECT_EQ(below.body, std::string(1023, 'm'));

  const auto unwanted = client.get("/size?1024", "Accept-Encoding: gzip;q=0\r\n");
  EXPECT_EQ(unwanted.header("Content-Encoding"), "");
  EXPECT_EQ(unwanted.header("Vary"), "Accept-Encoding");
  EXPECT_EQ(unwanted.body, std::string(1024, 'm'));
}

TEST_F(HttpServerTest, CompressesLargeAnswersOnItsOwnThread) {
  start();
  HttpClient client(address_);
  for (const std::size_t size : {std::size_t{65'535}, std::size_t{65'536}, std::size_t{3'000'000}}) {
    const auto answer = client.get("/size?" + std::to_string(size), "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(answer.header("Content-Encoding"), "gzip");
    EXPECT_EQ(test::gunzip(answer.body), std::string(size, 'm'));
  }
  const auto head = client.request("HEAD", "/size?3000000", "Accept-Encoding: gzip\r\n");
  const auto get = client.get("/size?3000000", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(head.header("Content-Length"), get.header("Content-Length"));
}

TEST_F(HttpServerTest, SendsAnswersThatNoSocketBufferHolds) {
  start();
  const auto answer = test::http_get(address_, "/size?20000000");
  EXPECT_EQ(answer.body.size(), 20'000'000U);
}

TEST_F(HttpServerTest, RefusesHeadersBeyondTheLimit) {
  ServerLimits limits;
  limits.header_bytes = 256;
  start(limits);
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  const auto with_header_bytes = [&](std::size_t size) {
    return head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
  };
  HttpClient at_limit(address_);
  at_limit.send(with_header_bytes(256));
  EXPECT_EQ(at_limit.read_answer().status, 200);
  HttpClient beyond(address_);
  beyond.send(with_header_bytes(257));
  const auto answer = beyond.read_answer();
  EXPECT_EQ(answer.status, 431);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(beyond.read_rest(), "");
  EXPECT_EQ(counters().bad_requests, 1U);
}

TEST_F(HttpServerTest, RefusesABodyBeyondTheLimitBeforeItIsSent) {
  ServerLimits limits;
  limits.body_bytes = 10;
  start(limits);
  HttpClient at_limit(address_);
  EXPECT_EQ(at_limit.request("POST", "/echo", "", "0123456789").body, "POST 0123456789");
  HttpClient beyond(address_);
  beyond.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(beyond.read_answer().status, 413);
}

TEST_F(HttpServerTest, AnswersABodyItRefusesEvenWhenTheClientKeepsSending) {
  ServerLimits limits;
  limits.body_bytes = 10;
  start(limits);
  HttpClient client(address_);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + std::string(400'000, 'x'));
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST_F(HttpServerTest, AnswersMalformedRequestsWithoutTheirText) {
  start();
  HttpClient client(address_);
  client.send("<script>alert(1)</script>\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "the request is malformed\n");
}

TEST_F(HttpServerTest, AsksForTheBodyOfAClientThatWaitsForIt) {
  start();
  HttpClient client(address_);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("ok");
  EXPECT_EQ(client.read_answer().body, "POST ok");
}

TEST_F(HttpServerTest, GivesUpOnHeadersThatTrickle) {
  ServerLimits limits;
  limits.header_timeout = 50ms;
  start(limits);
  HttpClient client(address_);
  client.send("GET / HTTP/1.1\r\nHo");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.body, "the request did not arrive in time\n");
}

TEST_F(HttpServerTest, GivesUpOnABodyThatDoesNotCome) {
  ServerLimits limits;
  limits.body_timeout = 50ms;
  start(limits);
  HttpClient client(address_);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhal");
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(HttpServerTest, ClosesSilentConnectionsWithoutAnAnswer) {
  ServerLimits limits;
  limits.header_timeout = 50ms;
  start(limits);
  HttpClient client(address_);
  EXPECT_EQ(client.read_rest(), "");
}

TEST_F(HttpServerTest, ClosesKeptConnectionsThatStayIdle) {
  ServerLimits limits;
  limits.idle_timeout = 50ms;
  start(limits);
  HttpClient client(address_);
  EXPECT_EQ(client.get("/").status, 200);
  EXPECT_EQ(client.read_rest(), "");
}

TEST_F(HttpServerTest, GivesUpOnAClientThatDoesNotReadItsAnswer) {
  ServerLimits limits;
  limits.body_timeout = 50ms;
  start(limits);
  HttpClient client(address_);
  client.send("GET /size?50000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return server_->counters().requests == 1; }));
  EXPECT_TRUE(becomes_true([this] { return server_->counters().open_connections == 0; }));
}

TEST_F(HttpServerTest, AnswersOneConnectionTooManyWith503WhenAllAreBeingAnswered) {
  ServerLimits limits;
  limits.connections = 2;
  start(limits);
  HttpClient first(address_);
  HttpClient second(address_);
  for (auto* client : {&first, &second}) client->send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 2; }));
  HttpClient third(address_);
  const auto refused = third.get("/");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(third.read_rest(), "");
  EXPECT_EQ(counters().refused_connections, 1U);
  EXPECT_EQ(counters().displaced_connections, 0U);

  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(second.read_answer().status, 200);
  EXPECT_EQ(test::http_get(address_, "/").status, 200);
}

TEST_F(HttpServerTest, ClosesTheConnectionThatWaitedLongestForANewOne) {
  ServerLimits limits;
  limits.connections = 3;
  start(limits);
  HttpClient trickling(address_);
  trickling.send("GET / HTTP/1.1\r\nHo");
  ASSERT_TRUE(becomes_true([this] { return server_->counters().open_connections == 1; }));
  HttpClient kept(address_);
  EXPECT_EQ(kept.get("/").status, 200);
  HttpClient busy(address_);
  busy.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));
  trickling.send("st");  // a byte at a time does not make it younger

  HttpClient fourth(address_);
  EXPECT_EQ(fourth.get("/").status, 200);
  EXPECT_EQ(trickling.read_rest(), "");
  EXPECT_EQ(kept.get("/").status, 200);
  EXPECT_EQ(counters().displaced_connections, 1U);
  EXPECT_EQ(counters().refused_connections, 0U);

  HttpClient fifth(address_);
  EXPECT_EQ(fifth.get("/").status, 200);
  EXPECT_EQ(fourth.read_rest(), "") << "kept was used after it";
  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_EQ(busy.read_answer().status, 200);
}

TEST_F(HttpServerTest, ClosesReadersThatDoNotReadWhenTheirAnswersAreTooMuchMemory) {
  ServerLimits limits;
  limits.unsent_bytes = 60'000'000;
  start(limits);
  HttpClient first(address_);
  HttpClient second(address_);
  HttpClient third(address_);
  const std::string request = "GET /size?30000000 HTTP/1.1\r\nHost: h\r\n\r\n";
  first.send(request);
  ASSERT_TRUE(becomes_true([this] { return server_->counters().requests == 1; }));
  second.send(request);
  ASSERT_TRUE(becomes_true([this] { return server_->counters().requests == 2; }));
  EXPECT_EQ(counters().displaced_connections, 0U);
  third.send(request);
  ASSERT_TRUE(becomes_true([this] { return server_->counters().displaced_connections == 1; }));
  EXPECT_THROW(first.read_answer(), std::runtime_error);
  EXPECT_EQ(second.read_answer().body.size(), 30'000'000U);
  EXPECT_EQ(third.read_answer().body.size(), 30'000'000U);
}

TEST_F(HttpServerTest, AnswersWithANewHandlerFromTheNextRequestOn) {
  start();
  HttpClient kept(address_);
  EXPECT_EQ(kept.get("/").body, "hello\n");
  on_loop([this] {
    server_->set_handler([](const Request&) { return test::answer_with("changed\n"); });
    return 0;
  });
  EXPECT_EQ(kept.get("/").body, "changed\n");
}

TEST_F(HttpServerTest, TellsWhoCanReachTheListener) {
  start();
  EXPECT_EQ(test::http_get(address_, "/reach").body, "loopback");
  const auto anywhere = on_loop([this] { return server_->listen("0.0.0.0:0"); });
  const auto port = anywhere.value().substr(anywhere.value().rfind(':'));
  EXPECT_EQ(test::http_get("127.0.0.1" + port, "/reach").body, "network");
  const auto path = "unix:" + testing::TempDir() + "midst-reach-" + std::to_string(::getpid()) + ".sock";
  EXPECT_EQ(on_loop([&] { return server_->listen(path); }).value(), path);
  EXPECT_EQ(test::http_get(path, "/reach").body, "socket file");
}

TEST_F(HttpServerTest, TurnsAnExceptionOfTheHandlerInto500AndServesOn) {
  start();
  HttpClient client(address_);
  for (const auto* path : {"/throws", "/throws-at-once"}) {
    const auto answer = client.get(path);
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body, "internal error\n");
  }
  EXPECT_EQ(client.get("/").status, 200);
}

TEST_F(HttpServerTest, SurvivesAClientThatLeavesDuringASlowAnswer) {
  start();
  HttpClient client(address_);
  client.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));
  client.close();
  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_TRUE(becomes_true([this] { return server_->counters().open_connections == 0; }));
  EXPECT_EQ(test::http_get(address_, "/").status, 200);
}

TEST_F(HttpServerTest, ServesOthersWhileOneAnswerIsSlow) {
  start();
  HttpClient slow(address_);
  slow.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));
  EXPECT_EQ(test::http_get(address_, "/").status, 200);
  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_EQ(slow.read_answer().status, 200);
}

TEST_F(HttpServerTest, DrainFinishesTheAnswerUnderWayAndClosesTheRest) {
  start();
  HttpClient idle(address_);
  EXPECT_EQ(idle.get("/").status, 200);
  HttpClient untouched(address_);
  HttpClient busy(address_);
  busy.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));

  auto drained = drain(10s);
  EXPECT_EQ(idle.read_rest(), "");
  EXPECT_EQ(untouched.read_rest(), "");
  EXPECT_THROW(HttpClient{address_}, std::runtime_error);
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);

  on_loop([this] { return site_->open_gate(), 0; });
  const auto answer = busy.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  drained.get();
  EXPECT_EQ(counters().open_connections, 0U);
}

TEST_F(HttpServerTest, DrainCutsWhatIsNotFinishedByTheDeadline) {
  start();
  HttpClient busy(address_);
  busy.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));
  drain(50ms).get();
  EXPECT_EQ(busy.read_rest(), "");
  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_TRUE(becomes_true([this] { return server_->counters().open_connections == 0; }));
}

TEST_F(HttpServerTest, MayBeDestroyedWhileAnAnswerIsUnderWay) {
  start();
  HttpClient busy(address_);
  busy.send("GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return site_->waiting == 1; }));
  on_loop([this] { return server_.reset(), 0; });
  EXPECT_EQ(busy.read_rest(), "");
  on_loop([this] { return site_->open_gate(), 0; });
  EXPECT_TRUE(becomes_true([this] { return site_->waiting == 0; }));
}

TEST_F(HttpServerTest, ServesOverAUnixSocketAndRemovesItsFile) {
  start();
  const auto path = testing::TempDir() + "midst-http-" + std::to_string(::getpid()) + ".sock";
  const auto bound = on_loop([&] { return server_->listen("unix:" + path); });
  ASSERT_TRUE(bound.has_value()) << bound.error().message;
  EXPECT_EQ(*bound, "unix:" + path);
  HttpClient client(*bound);
  EXPECT_EQ(client.get("/").body, "hello\n");
  EXPECT_EQ(client.get("/").body, "hello\n");
  on_loop([this] { return server_.reset(), 0; });
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpServerTest, ServesOverIpv6) {
  start();
  const auto bound = on_loop([&] { return server_->listen("[::1]:0"); });
  if (!bound) GTEST_SKIP() << bound.error().message;
  EXPECT_EQ(test::http_get(*bound, "/").status, 200);
}

TEST_F(HttpServerTest, ServesOnADescriptorThatListensAlready) {
  start();
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in any_port{};
  any_port.sin_family = AF_INET;
  any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port), 0);
  ASSERT_EQ(::listen(socket, 8), 0);
  const auto bound = on_loop([&] { return server_->adopt(socket); });
  ASSERT_TRUE(bound.has_value()) << bound.error().message;
  EXPECT_EQ(test::http_get(*bound, "/").status, 200);
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
  start();
  EXPECT_EQ(on_loop([&] { return server_->listen("nonsense"); }).error().code, Errc::config);
  const auto taken = on_loop([&] { return server_->listen(address_); });
  EXPECT_EQ(taken.error().code, Errc::connect_refused);
  EXPECT_EQ(taken.error().message, "cannot listen on " + address_ + ": bind: Address already in use");
}

}  // namespace
}  // namespace midst::net
