#include "lib/net/gzip.hpp"

#include "tests/support/gunzip.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace midst::net {
namespace {

struct Case {
  std::string_view accept_encoding;
  bool is_accepted;
};

constexpr Case cases[] = {
    {"", false},
    {"gzip", true},
    {"GZIP", true},
    {"x-gzip", true},
    {"deflate", false},
    {"deflate, gzip", true},
    {"gzip;q=0", false},
    {"gzip;q=0.0", false},
    {"gzip; q=0.001", true},
    {"gzip;q=nonsense", false},
    {"gzip;q=7", false},
    {"*", true},
    {"*;q=0", false},
    {"*, gzip;q=0", false},
    {"gzip, *;q=0", true},
    {"identity", false},
    {"identity, *;q=0", false},
    {"identity;q=1, gzip;q=0.5", false},
    {"identity;q=0.5, gzip;q=1", true},
    {"gzip, identity", true},
    {"gzipped", false},
    {",,;;,", false},
};

TEST(Gzip, IsUsedExactlyWhenTheClientAllowsIt) {
  for (const auto& [accept_encoding, is_accepted] : cases)
    EXPECT_EQ(accepts_gzip(accept_encoding), is_accepted) << '"' << accept_encoding << '"';
}

TEST(Gzip, KeepsEveryByte) {
  std::string bytes;
  for (unsigned i = 0; i < 300'000; ++i) bytes += static_cast<char>((i * i) >> 3U);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1024}, bytes.size()}) {
    const auto packed = gzip(bytes.substr(0, size));
    ASSERT_TRUE(packed.has_value());
    EXPECT_EQ(test::gunzip(*packed), bytes.substr(0, size));
  }
}

}  // namespace
}  // namespace midst::net
