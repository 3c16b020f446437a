#include "agent/web/guard.hpp"

#include "tests/support/loop.hpp"

#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace midst::web {
namespace {

using namespace std::chrono_literals;
using net::Reach;
using net::Request;
using net::Response;
using testing::ElementsAre;
using testing::Pair;

// "secret", at bcrypt's lowest cost.
const std::string bcrypt_hash = "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W";
const std::string yescrypt_hash = "$y$j75$qq4mPon0jtlQAhqhmPHLZ/$AKxVYNoViUw4Y9WeVWiQd/4RqbX/BTllQOGwtz5rwPA";
const std::string sha512_hash =
    "$6$rounds=1000$ZEraWL6znCRF0csa$"
    "MKLUatANnfNRRZN3EDHdOvel8feyEq0zhBp8YWuPp1JFY7mYSKCjdIJ/opFny0Rsm2ALDEICq2X8rNX00VXDW1";

class GuardTest : public testing::Test {
 protected:
  GuardTest() : gate_(io_.get_executor(), Deadline::max()) {}

  static asio::awaitable<Response> page(GuardTest* test, Request request) {
    test->seen_.push_back(request);
    if (request.path == "/gated") co_await test->gate_.async_wait(as_result);
    Response response;
    response.body = "page";
    response.headers = {{"content-security-policy", "of the page"}};
    co_return response;
  }

  void guard(GuardOptions options) {
    guard_ = std::make_unique<Guard>(std::move(options));
    handler_ = guard_->protect([this](Request request) { return page(this, std::move(request)); });
  }

  static Request request(std::string path, net::Headers headers = {}, std::string method = "GET") {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    request.reach = Reach::loopback;
    return request;
  }

  Response ask(Request request) { return test::run(io_, handler_(std::move(request))); }
  unsigned status_of(Request request) { return ask(std::move(request)).status; }
  unsigned status_of_login(const std::string& base64) {
    return status_of(request("/", {{"Authorization", "Basic " + base64}}));
  }

  /// Begins a request and leaves it where it waits.
  void begin(Request request, std::optional<unsigned>& status) {
    asio::co_spawn(io_, handler_(std::move(request)),
                   [&status](std::exception_ptr, Response response) { status = response.status; });
    io_.restart();
    io_.poll();
  }

  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return {};
  }

  asio::io_context io_{1};
  asio::steady_timer gate_;
  std::vector<Request> seen_;
  std::unique_ptr<Guard> guard_;
  net::Handler handler_;
};

TEST_F(GuardTest, LetsEverybodyThroughWithoutAccounts) {
  guard({});
  EXPECT_EQ(ask(request("/")).body, "page");
  EXPECT_EQ(status_of(request("/", {{"Authorization", "Basic nonsense"}})), 200U);
}

TEST_F(GuardTest, AsksForALoginAndTakesTheRightOne) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}, {"bob", yescrypt_hash}, {"carol", sha512_hash}};
  guard(options);
  const auto refused = ask(request("/metrics"));
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(header(refused, "WWW-Authenticate"), R"(Basic realm="midst-agent", charset="UTF-8")");
  EXPECT_TRUE(seen_.empty());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(status_of_login("YWxpY2U6c2VjcmV0"), 200U) << "alice:secret";
    EXPECT_EQ(status_of_login("Ym9iOnNlY3JldA=="), 200U) << "bob:secret";
    EXPECT_EQ(status_of_login("Y2Fyb2w6c2VjcmV0"), 200U) << "carol:secret";
  }
  EXPECT_EQ(status_of_login("YWxpY2U6U2VjcmV0"), 401U) << "alice:Secret";
  EXPECT_EQ(status_of_login("YWxpY2U6"), 401U) << "alice:";
  EXPECT_EQ(status_of_login("YWxpY2U6c2VjcmV0AHg="), 401U) << "alice:secret, a zero byte, and more";
  EXPECT_EQ(status_of_login("ZGF2ZTpzZWNyZXQ="), 401U) << "dave:secret";
  EXPECT_EQ(status_of_login("YWxpY2U6c2VjcmV"), 401U) << "no base64";
  EXPECT_EQ(status_of(request("/", {{"Authorization", "Bearer YWxpY2U6c2VjcmV0"}})), 401U);
  EXPECT_EQ(status_of(request("/", {{"Authorization", "bAsIc  YWxpY2U6c2VjcmV0"}})), 200U);
  EXPECT_EQ(guard_->counters().credentials, 7U);
}

TEST_F(GuardTest, AsksForALoginForHealthToo) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}};
  guard(options);
  EXPECT_EQ(status_of(request("/-/healthy")), 401U);
}

TEST_F(GuardTest, KeepsThePasswordFromTheHandler) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}};
  guard(options);
  EXPECT_EQ(status_of(request("/", {{"authorization", "Basic YWxpY2U6c2VjcmV0"}, {"Accept", "*/*"}})), 200U);
  EXPECT_THAT(seen_.at(0).headers, ElementsAre(Pair("Accept", "*/*")));
}

TEST_F(GuardTest, AnswersLoginsBeyondTheLimitAtOnceButNotThoseItRemembers) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}};
  options.max_logins = 1;
  guard(options);
  EXPECT_EQ(status_of_login("YWxpY2U6c2VjcmV0"), 200U);
  std::optional<unsigned> first, second, known;
  const auto wrong = request("/", {{"Authorization", "Basic YWxpY2U6d3Jvbmc="}});
  asio::co_spawn(io_, handler_(wrong), [&](std::exception_ptr, Response answer) { first = answer.status; });
  asio::co_spawn(io_, handler_(wrong), [&](std::exception_ptr, Response answer) { second = answer.status; });
  asio::co_spawn(io_, handler_(request("/", {{"Authorization", "Basic YWxpY2U6c2VjcmV0"}})),
                 [&](std::exception_ptr, Response answer) { known = answer.status; });
  ASSERT_TRUE(test::run_until(io_, [&] { return first && second && known; }));
  EXPECT_EQ(first, 401U);
  EXPECT_EQ(second, 503U);
  EXPECT_EQ(known, 200U);
  EXPECT_EQ(guard_->counters().busy, 1U);
}

TEST_F(GuardTest, MayGoWhileALoginIsChecked) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}};
  guard(options);
  std::optional<unsigned> status;
  begin(request("/", {{"Authorization", "Basic YWxpY2U6c2VjcmV0"}}), status);
  guard_.reset();
  ASSERT_TRUE(test::run_until(io_, [&] { return status.has_value(); }));
  EXPECT_EQ(status, 200U);
  EXPECT_EQ(status_of_login("YWxpY2U6d3Jvbmc="), 503U);
}

struct HostCase {
  std::string_view host;
  bool is_loopback_served, is_network_served;  ///< With nothing but the default.
};

TEST_F(GuardTest, AnswersOnlyToItsOwnHostsOnLoopback) {
  GuardOptions options;
  options.own_hosts = {"myhost"};
  guard(options);
  for (const auto& [host, on_loopback, on_network] :
       {HostCase{"localhost:9464", true, true}, HostCase{"LOCALHOST", true, true}, HostCase{"localhost.:1", true, true},
        HostCase{"127.0.0.1:9464", true, true}, HostCase{"[::1]:9464", true, true}, HostCase{"10.0.0.7", true, true},
        HostCase{"myhost:9464", true, true}, HostCase{"", true, true}, HostCase{"evil.example:9464", false, true},
        HostCase{"localhost.evil.example", false, true}, HostCase{"127.0.0.1.evil.example", false, true},
        HostCase{"[::1].evil.example", true, true}, HostCase{"localhost@evil.example", false, true}}) {
    for (const auto reach : {Reach::loopback, Reach::network, Reach::socket_file}) {
      auto asked = request("/metrics", {{"Host", std::string(host)}});
      asked.reach = reach;
      const bool is_served = reach == Reach::loopback ? on_loopback : on_network;
      EXPECT_EQ(status_of(asked), is_served ? 200U : 421U) << host;
    }
  }
  EXPECT_EQ(guard_->counters().host, 4U);
}

TEST_F(GuardTest, AnswersToAllowedHostsAloneOnceThereAreAny) {
  GuardOptions options;
  options.allowed_hosts = {"metrics.example"};
  guard(options);
  for (const auto reach : {Reach::loopback, Reach::network}) {
    auto good = request("/", {{"Host", "Metrics.Example:443"}});
    auto bad = request("/", {{"Host", "evil.example"}});
    good.reach = bad.reach = reach;
    EXPECT_EQ(status_of(good), 200U);
    EXPECT_EQ(status_of(bad), 421U);
  }
  options.allowed_hosts = {"*"};
  guard(options);
  EXPECT_EQ(status_of(request("/", {{"Host", "evil.example"}})), 200U);
}

TEST_F(GuardTest, LetsNoOtherSiteChangeAnything) {
  guard({});
  const net::Headers foreign{{"Host", "localhost:9464"}, {"Origin", "https://evil.example"}};
  const net::Headers own{{"Host", "localhost:9464"}, {"Origin", "http://localhost:9464"}};
  EXPECT_EQ(status_of(request("/-/reload", foreign, "POST")), 403U);
  EXPECT_EQ(status_of(request("/-/reload", {{"Host", "localhost:9464"}, {"Origin", "null"}}, "PUT")), 403U);
  EXPECT_EQ(status_of(request("/-/reload", own, "POST")), 200U);
  EXPECT_EQ(status_of(request("/-/reload", {{"Host", "localhost:9464"}}, "POST")), 200U);
  EXPECT_EQ(status_of(request("/", foreign)), 200U);
  EXPECT_EQ(guard_->counters().origin, 2U);
}

TEST_F(GuardTest, PutsItsHeadersOnEveryAnswer) {
  GuardOptions options;
  options.accounts = {{"alice", bcrypt_hash}};
  options.headers.emplace_back("Content-Security-Policy", "of the operator");
  guard(options);
  const auto refused = ask(request("/"));
  EXPECT_EQ(header(refused, "X-Content-Type-Options"), "nosniff");
  const auto answered = ask(request("/", {{"Authorization", "Basic YWxpY2U6c2VjcmV0"}}));
  EXPECT_THAT(answered.headers, ElementsAre(Pair("X-Content-Type-Options", "nosniff"),
                                            Pair("Content-Security-Policy", "of the operator")));
}

TEST_F(GuardTest, AnswersAsManyRequestsAtATimeAsItMay) {
  GuardOptions options;
  options.max_requests = 2;
  guard(options);
  std::optional<unsigned> first, second;
  begin(request("/gated"), first);
  begin(request("/gated"), second);
  const auto third = ask(request("/metrics"));
  EXPECT_EQ(third.status, 503U);
  EXPECT_EQ(header(third, "Retry-After"), "1");
  EXPECT_EQ(status_of(request("/-/healthy")), 200U) << "a busy agent is a healthy one";
  gate_.cancel();
  ASSERT_TRUE(test::run_until(io_, [&] { return first && second; }));
  EXPECT_EQ(status_of(request("/metrics")), 200U);
  EXPECT_EQ(guard_->counters().busy, 1U);
}

TEST_F(GuardTest, KeepsToItsRate) {
  GuardOptions options;
  options.rate_interval = std::chrono::hours(1);
  options.rate_burst = 3;
  guard(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status_of(request("/metrics")), 200U);
  EXPECT_EQ(status_of(request("/metrics")), 429U);
  EXPECT_EQ(guard_->counters().rate, 1U);
}

TEST(ParseBasic, TakesWhatRfc7617Has) {
  const auto credentials = parse_basic("Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==");
  ASSERT_TRUE(credentials.has_value());
  EXPECT_EQ(credentials->name, "Aladdin");
  EXPECT_EQ(credentials->password, "open:sesame");
  EXPECT_EQ(parse_basic("Basic Og==")->name, "");
  for (const auto* broken : {"", "Basic", "Basic ", "Basic QQ==", "Basic QWxhZGRpbjpvcGVu=", "Basic QWx!",
                             "Digest Og==", "Basic Og===", "Basic ====", "Basic O=g=", "Basic Og== Og=="})
    EXPECT_FALSE(parse_basic(broken).has_value()) << broken;
}

TEST(CheckHash, TakesWhatCryptCanCheckInTime) {
  for (const auto& good : {bcrypt_hash, yescrypt_hash, sha512_hash}) EXPECT_TRUE(check_hash(good).has_value()) << good;
  auto costly = bcrypt_hash;
  costly[5] = '9';
  costly[4] = '1';
  EXPECT_EQ(check_hash(costly).error().message,
            "this hash costs too much to check at each login; bcrypt's cost may be 14 at most");
  EXPECT_EQ(check_hash("$6$rounds=999999999" + sha512_hash.substr(14)).error().message,
            "this hash costs too much to check at each login; rounds may be 500000 at most");
  for (const std::string bad :
       {"", "secret", "$2y$", "$2y$04$short", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "*0", "!", "$", "$y$j75$",
        "$6$salt$tooshort", "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX ",
        "$2z$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W"})
    EXPECT_FALSE(check_hash(bad).has_value()) << bad;
}

}  // namespace
}  // namespace midst::web
