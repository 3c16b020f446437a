#include "api/http/replies.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

TEST(Replies, HaveOneShapeForEveryFailure) {
  const auto response = error_reply(404, "not_found", "there is \"nothing\" here");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "application/json; charset=utf-8");
  EXPECT_EQ(response.body, R"({"ok":false,"error":"not_found","message":"there is \"nothing\" here"})");
}

TEST(Replies, NameEachFieldOfAFailedValidation) {
  const auto response = validation_reply({{"limit", "must be an integer"}, {"a[0].b", "is required"}});
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.body,
            R"({"ok":false,"error":"validation_failed","message":"the request has fields that cannot be accepted",)"
            R"("fields":{"limit":"must be an integer","a[0].b":"is required"}})");
}

TEST(Replies, TellWhatPassesFromWhatDoesNot) {
  struct Row {
    Errc code;
    unsigned status;
    const char* error;
  };
  for (const auto& row : {Row{Errc::not_found, 404, "not_found"}, Row{Errc::conflict, 409, "conflict"},
                          Row{Errc::limit, 503, "overloaded"}, Row{Errc::timeout, 503, "timeout"},
                          Row{Errc::connect_refused, 503, "storage_unavailable"},
                          Row{Errc::closed, 503, "storage_unavailable"}, Row{Errc::loading, 503, "storage_unavailable"},
                          Row{Errc::auth, 503, "storage_unavailable"}, Row{Errc::dns, 503, "storage_unavailable"},
                          Row{Errc::tls, 503, "storage_unavailable"}, Row{Errc::server, 500, "internal_error"},
                          Row{Errc::protocol, 500, "internal_error"}, Row{Errc::internal, 500, "internal_error"},
                          Row{Errc::noperm, 500, "internal_error"}, Row{Errc::unsupported, 500, "internal_error"}}) {
    const auto response = reply_for({row.code, "text"});
    EXPECT_EQ(response.status, row.status) << word(row.code);
    EXPECT_NE(response.body.find(row.error), std::string::npos) << response.body;
    EXPECT_EQ(response.headers.empty(), row.status != 503) << word(row.code);
  }
}

TEST(Replies, NeverRepeatWhatAServerSaid) {
  for (const auto code : {Errc::server, Errc::internal, Errc::closed, Errc::auth, Errc::timeout, Errc::protocol})
    EXPECT_EQ(reply_for({code, "relation \"secret\" does not exist"}).body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace midst::api
