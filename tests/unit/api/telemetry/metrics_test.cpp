#include "api/telemetry/metrics.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

TEST(Metrics, CountWithoutAnAgent) {
  push::ClientOptions options;
  options.socket_path = "/nonexistent/push.sock";
  Metrics metrics(options, "0");
  { const auto request = metrics.begin_request("GET"); }
  metrics.query_finished("select", "profiles", std::chrono::milliseconds(1));
  EXPECT_FALSE(metrics.flush(std::chrono::milliseconds(20)));
  EXPECT_FALSE(metrics.stats().is_connected);
}

}  // namespace
}  // namespace midst::api
