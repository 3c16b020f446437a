#include "api/telemetry/metrics.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

TEST(Metrics, BoundTheMethodLabel) {
  for (const auto* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
    EXPECT_EQ(method_label(known), known);
  for (const auto* other : {"", "get", "BREW", "GETX", "PROPFIND"}) EXPECT_EQ(method_label(other), "_OTHER") << other;
}

TEST(Metrics, CountWithoutAnAgent) {
  push::ClientOptions options;
  options.socket_path = "/nonexistent/push.sock";
  Metrics metrics(options, "0");
  { RequestRecord record(metrics, "GET"); }
  metrics.query_finished("select", "profiles", std::chrono::milliseconds(1));
  EXPECT_FALSE(metrics.flush(std::chrono::milliseconds(20)));
  EXPECT_FALSE(metrics.stats().is_connected);
}

}  // namespace
}  // namespace midst::api
