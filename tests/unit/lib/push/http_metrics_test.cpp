#include "lib/push/http_metrics.hpp"

#include <gtest/gtest.h>

namespace midst::push {
namespace {

TEST(HttpMetrics, BoundTheMethodLabel) {
  for (const auto* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
    EXPECT_EQ(method_label(known), known);
  for (const auto* other : {"", "get", "BREW", "GETX", "PROPFIND"}) EXPECT_EQ(method_label(other), "_OTHER") << other;
}

}  // namespace
}  // namespace midst::push
