#include "api/http/middleware.hpp"

#include "api/http/replies.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace midst::api {
namespace {

asio::awaitable<Result<net::Response>> echo(Call call) {
  co_return json_reply(200, call.request_id + " " + (call.arguments.empty() ? "" : call.arguments.front()));
}
asio::awaitable<Result<net::Response>> fail(Errc code) {
  co_return Error{code, "the secret reason"};
}
asio::awaitable<Result<net::Response>> throw_later() {
  throw std::runtime_error("the secret reason");
  co_return Error{};
}
asio::awaitable<Result<net::Response>> throw_at_once() {
  throw std::runtime_error("the secret reason");
}

push::ClientOptions without_agent() {
  push::ClientOptions options;
  options.socket_path = "/nonexistent/push.sock";
  return options;
}

struct MiddlewareTest : testing::Test {
  asio::io_context io;
  Metrics metrics{without_agent(), "0"};
  Router router;

  MiddlewareTest() {
    router.add({"GET", "/echo/:word", echo});
    router.add({"POST", "/echo/:word", echo});
    router.add({"GET", "/late", [](Call) { return fail(Errc::timeout); }});
    router.add({"GET", "/broken", [](Call) { return fail(Errc::server); }});
    router.add({"GET", "/throws", [](Call) { return throw_later(); }});
    router.add({"GET", "/throws_at_once", [](Call) { return throw_at_once(); }});
  }

  net::Response ask(net::Request request) {
    Middleware middleware(router, metrics, {.body_bytes = 4});
    return test::run(io, middleware.handle(std::move(request)));
  }
  net::Response get(const std::string& path) { return ask({"GET", path, "", {}, ""}); }

  static std::string header(const net::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return "(none)";
  }
};

TEST_F(MiddlewareTest, HandsACleanRequestIdThroughAndBack) {
  const auto response = ask({"GET", "/echo/x", "", {{"x-request-id", "abc-1"}}, ""});
  EXPECT_EQ(response.body, "abc-1 x");
  EXPECT_EQ(header(response, "X-Request-Id"), "abc-1");
}

TEST_F(MiddlewareTest, MakesARequestIdWhenThereIsNoCleanOne) {
  for (const auto* given : {"", "a b", "<script>"}) {
    const auto response = ask({"GET", "/echo/x", "", {{"X-Request-Id", given}}, ""});
    EXPECT_EQ(header(response, "X-Request-Id").size(), 36U) << given;
  }
}

TEST_F(MiddlewareTest, MarksEveryAnswerWithTheVersionOfTheApi) {
  for (const auto* path : {"/echo/x", "/nowhere", "/broken", "/late"}) {
    const auto response = get(path);
    EXPECT_EQ(header(response, "X-API-Version"), "1") << path;
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(response.content_type, "application/json; charset=utf-8") << path;
  }
}

TEST_F(MiddlewareTest, AnswersUnknownPathsAndMethodsInTheOneErrorShape) {
  const auto unknown = get("/nowhere");
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_EQ(unknown.body, R"({"ok":false,"error":"not_found","message":"there is nothing at this path"})");
  for (const auto* method : {"DELETE", "BREW"}) {
    const auto refused = ask({method, "/echo/x", "", {}, ""});
    EXPECT_EQ(refused.status, 405U);
    EXPECT_EQ(header(refused, "Allow"), "GET, HEAD, POST");
  }
}

TEST_F(MiddlewareTest, TakesABodyUpToItsLimitAndNotBeyond) {
  EXPECT_EQ(ask({"POST", "/echo/x", "", {}, "1234"}).status, 200U);
  const auto refused = ask({"POST", "/echo/x", "", {}, "12345"});
  EXPECT_EQ(refused.status, 413U);
  EXPECT_NE(refused.body.find("body_too_large"), std::string::npos);
}

TEST_F(MiddlewareTest, AnswersFailuresAndExceptionsWithoutTheirText) {
  for (const auto* path : {"/late", "/broken", "/throws", "/throws_at_once"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, std::string_view(path) == "/late" ? 503U : 500U) << path;
    EXPECT_EQ(response.body.find("secret"), std::string::npos) << path;
    EXPECT_NE(response.body.find(R"("ok":false)"), std::string::npos) << path;
  }
}

}  // namespace
}  // namespace midst::api
