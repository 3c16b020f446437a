// The HTTP server under clients that mean ill: whatever they do, a scrape that comes meanwhile is answered on time.
#include "lib/base/process_usage.hpp"
#include "lib/net/server_tls.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/crowd.hpp"
#include "tests/support/served_site.hpp"
#include "tests/support/tls_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace midst::net {
namespace {

using namespace std::chrono_literals;
using test::HttpClient;

/// What a scrape may take while the attack goes on, under a sanitizer and on a busy machine too: half of Prometheus'
/// own patience. Mostly it takes milliseconds; a client that blocks the loop costs it minutes.
constexpr auto on_time = 5s;

class AttackTest : public test::ServedSite {
 protected:
  /// One scrape on a connection of its own.
  std::chrono::milliseconds scrape() {
    const auto begun = std::chrono::steady_clock::now();
    const auto answer = test::http_get(address_, "/size?100000");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body.size(), 100'000U);
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  }

  void expect_scrapes_on_time(int times = 5) {
    for (int i = 0; i < times; ++i) EXPECT_LT(scrape(), on_time);
  }

  [[nodiscard]] std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1)));
  }

  /// More clients than there are places, each of which sends `bytes`.
  std::vector<std::unique_ptr<HttpClient>> attack(std::size_t count, const std::string& bytes) {
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<HttpClient>(address_));
      clients.back()->send(bytes);
    }
    return clients;
  }

  static ServerLimits patient(std::size_t connections) {
    ServerLimits limits;
    limits.connections = connections;
    // Far beyond the test: it is not by waiting that the server gets out of it.
    limits.header_timeout = limits.body_timeout = limits.idle_timeout = std::chrono::minutes(10);
    return limits;
  }
};

TEST_F(AttackTest, HeadersThatComeAByteAtATimeLeaveRoomForScrapes) {
  start(patient(64));
  const auto clients = attack(200, "GET / HTTP/1.1\r\n");
  for (const char c : std::string("Host: localhost\r\nX-")) {
    for (const auto& client : clients) client->send(std::string_view(&c, 1));
    EXPECT_LT(scrape(), on_time);
  }
  EXPECT_EQ(counters().refused_connections, 0U);
  EXPECT_GE(counters().displaced_connections, 136U);
}

TEST_F(AttackTest, HeadersThatComeAByteAtATimeEndAtTheTimeLimit) {
  auto limits = patient(64);
  limits.header_timeout = 300ms;
  start(limits);
  const auto clients = attack(32, "GET / HTTP/1.1\r\n");
  ASSERT_TRUE(becomes_true([this] { return server_->counters().open_connections == 32; }));
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (on_loop([this] { return server_->counters().open_connections; }) > 0 && std::chrono::steady_clock::now() < end)
    for (const auto& client : clients) client->send("X");
  EXPECT_EQ(counters().bad_requests, 32U);
  expect_scrapes_on_time(1);
}

TEST_F(AttackTest, BodiesThatNeverEndLeaveRoomForScrapes) {
  start(patient(64));
  const auto clients = attack(200, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
  const auto chunked = attack(200, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  expect_scrapes_on_time();
  EXPECT_EQ(counters().refused_connections, 0U);
}

TEST_F(AttackTest, OversizedHeadersAreAnsweredOnceAndForgotten) {
  start(patient(64));
  const std::string endless = "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(64 * 1024, 'x');
  for (int i = 0; i < 100; ++i) {
    HttpClient client(address_);
    client.send(endless);
    EXPECT_EQ(client.read_answer().status, 431);
  }
  expect_scrapes_on_time();
  EXPECT_EQ(counters().bad_requests, 100U);
}

TEST_F(AttackTest, ClientsThatNeverStopSendingLeaveRoomForScrapes) {
  start(patient(64));
  std::atomic<bool> is_over = false;
  std::vector<std::thread> senders;
  for (int i = 0; i < 3; ++i)
    senders.emplace_back([&] {
      const std::string noise(64 * 1024, 'x');
      while (!is_over) {
        HttpClient client(address_);
        client.send("GET / HTTP/1.1\r\nHost: h\r\nX: ");
        while (!is_over && client.send(noise)) {
        }
      }
    });
  EXPECT_TRUE(becomes_true([this] { return server_->counters().bad_requests >= 3; }));
  std::chrono::milliseconds together{0};
  for (int i = 0; i < 50; ++i) together += scrape();
  EXPECT_LT(together, on_time) << "each may cost a second where a sender is served without pause";
  is_over = true;
  for (auto& sender : senders) sender.join();
}

TEST_F(AttackTest, ClientsThatNeverReadLeaveRoomForScrapes) {
  auto limits = patient(64);
  limits.unsent_bytes = 20'000'000;
  start(limits);
  const auto clients = attack(30, "GET /size?8000000 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(becomes_true([this] { return server_->counters().requests == 30; }));
  expect_scrapes_on_time();
  EXPECT_EQ(counters().refused_connections, 0U);
  EXPECT_GE(counters().displaced_connections, 25U) << "20 MB hold two or three of 8 MB";
}

TEST_F(AttackTest, HalfOpenConnectionsLeaveRoomForScrapes) {
  start(patient(64));
  const auto silent = attack(200, "");
  expect_scrapes_on_time();
  const auto halves = attack(200, "GET / HTTP/1.1\r\nHost: h\r\n\r");
  for (const auto& client : halves) ::shutdown(client->descriptor(), SHUT_WR);
  expect_scrapes_on_time();
  EXPECT_TRUE(becomes_true([this] { return server_->counters().open_connections <= 64; }));
}

TEST_F(AttackTest, TlsHandshakesThatStallLeaveRoomForScrapes) {
  const test::Certificates certificates;
  certificates.issue("server", "DNS:localhost");
  TlsOptions options;
  options.cert_file = certificates.file("server.crt");
  options.key_file = certificates.file("server.key");
  auto tls = ServerTls::load(options);
  ASSERT_TRUE(tls.has_value());
  start(patient(64));
  on_loop([&] { return server_->set_tls(*tls), 0; });
  const auto silent = attack(100, "");
  const auto stalled = attack(200, std::string("\x16\x03\x01\x02\x00\x01", 6));
  const auto plain = attack(20, "GET / HTTP/1.1\r\n");
  for (int i = 0; i < 5; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    test::TlsClient client(address_, {});
    ASSERT_TRUE(client.shake_hands());
    EXPECT_TRUE(client.get("/").ends_with("hello\n"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, on_time);
  }
  EXPECT_EQ(counters().refused_connections, 0U);
}

TEST_F(AttackTest, ThousandsOfIdleConnectionsLeaveRoomForScrapes) {
  constexpr std::uint32_t half = 1'500;
  if (test::raise_descriptor_limit() < half + 200)
    GTEST_SKIP() << "a process may have less than " << half + 200 << " descriptors; see ulimit -Hn";
  test::Crowd crowd;
  test::Crowd other_crowd;
  start(patient(256));
  EXPECT_EQ(crowd.connect(port(), half, ""), half);
  EXPECT_EQ(other_crowd.connect(port(), half, "GET"), half);
  expect_scrapes_on_time();
  EXPECT_LE(counters().open_connections, 256U);
  EXPECT_EQ(counters().refused_connections, 0U);
}

TEST_F(AttackTest, WithoutDescriptorsTheConnectionThatWaitedLongestGoes) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan needs descriptors of its own to look at memory, and takes their absence for a bad pointer";
#endif
  test::Crowd crowd;
  start(patient(256));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto few = before;
  few.rlim_cur = read_process_usage()->open_descriptors + 22;
  ::setrlimit(RLIMIT_NOFILE, &few);
  testing::internal::CaptureStderr();
  EXPECT_EQ(crowd.connect(port(), 200, ""), 200U);
  EXPECT_TRUE(becomes_true([this] { return server_->counters().displaced_connections >= 175; }));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_LE(counters().open_connections, 25U);
  ::setrlimit(RLIMIT_NOFILE, &before);
  expect_scrapes_on_time();
}

TEST_F(AttackTest, TenThousandIdleConnectionsMayStayWhereThereIsRoom) {
  constexpr std::uint32_t half = 5'000;
  if (test::raise_descriptor_limit() < 4 * half)
    GTEST_SKIP() << "a process may have less than " << 4 * half << " descriptors; see ulimit -Hn";
  test::Crowd crowd;
  test::Crowd other_crowd;
  start(patient(3 * half));
  const auto before = read_process_usage()->resident_bytes;
  EXPECT_EQ(crowd.connect(port(), half, ""), half);
  EXPECT_EQ(other_crowd.connect(port(), half, "GET"), half);
  ASSERT_TRUE(becomes_true([this] { return server_->counters().open_connections >= 2 * half - 1; }));
  const auto each = (read_process_usage()->resident_bytes - before) / (2 * half);
  std::cout << each << " bytes for each idle connection\n";
  expect_scrapes_on_time();
  EXPECT_EQ(counters().refused_connections, 0U);
}

}  // namespace
}  // namespace midst::net
