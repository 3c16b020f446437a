#include "api/http/router.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

asio::awaitable<Result<net::Response>> answer(unsigned status) {
  net::Response response;
  response.status = status;
  co_return response;
}

RouteHandler handler(unsigned status) {
  return [status](Call) { return answer(status); };
}

Router make_router() {
  Router router;
  router.add({"GET", "/v1/profiles/:id", handler(1)});
  router.add({"GET", "/v1/profiles", handler(2)});
  router.add({"POST", "/v1/profiles", handler(3)});
  router.add({"GET", "/v1/profiles/validate", handler(4)});
  router.add({"GET", "/v1/profiles/:id/cv/:entry", handler(5)});
  router.add({"GET", "/health", handler(6)});
  return router;
}

TEST(Router, LabelsARequestWithItsTemplate) {
  const auto router = make_router();
  const auto match = router.match("GET", "/v1/profiles/42");
  EXPECT_EQ(match.label, "/v1/profiles/:id");
  EXPECT_NE(match.handler, nullptr);
  EXPECT_EQ(match.arguments, (std::vector<std::string>{"42"}));
}

TEST(Router, HandsParametersOverInOrder) {
  const auto router = make_router();
  const auto match = router.match("GET", "/v1/profiles/a/cv/b");
  EXPECT_EQ(match.label, "/v1/profiles/:id/cv/:entry");
  EXPECT_EQ(match.arguments, (std::vector<std::string>{"a", "b"}));
}

TEST(Router, PrefersALiteralSegmentToAParameterWhateverTheOrderOfAdding) {
  const auto router = make_router();
  EXPECT_EQ(router.match("GET", "/v1/profiles/validate").label, "/v1/profiles/validate");
}

TEST(Router, LeavesEverythingElseUnmatched) {
  const auto router = make_router();
  for (const auto* path : {"/", "", "*", "/v1", "/v1/profiles/", "/v1/profiles//", "/v1/profiles//cv/b", "/V1/profiles",
                           "//v1/profiles", "/v1/profiles/a/b", "/health/"}) {
    const auto match = router.match("GET", path);
    EXPECT_EQ(match.label, "unmatched") << path;
    EXPECT_EQ(match.handler, nullptr) << path;
    EXPECT_EQ(match.allow, "") << path;
  }
}

TEST(Router, NamesTheMethodsOfAPathWhoseMethodIsUnknown) {
  const auto router = make_router();
  const auto match = router.match("DELETE", "/v1/profiles");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.label, "/v1/profiles");
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
}

TEST(Router, AnswersHeadWithTheHandlerOfGet) {
  const auto router = make_router();
  EXPECT_EQ(router.match("HEAD", "/health").handler, router.match("GET", "/health").handler);
  EXPECT_EQ(router.match("get", "/health").handler, nullptr);
}

}  // namespace
}  // namespace midst::api
