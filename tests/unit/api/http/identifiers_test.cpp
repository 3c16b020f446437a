#include "api/http/identifiers.hpp"

#include <gtest/gtest.h>

#include <set>

namespace midst::api {
namespace {

TEST(Identifiers, TakeAUuidInAnyCaseAndGiveItInLowerCase) {
  EXPECT_EQ(parse_uuid("0190A6B2-7C3D-7E4F-8A5B-0C1D2E3F4A5B"), "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b");
  EXPECT_EQ(parse_uuid("00000000-0000-0000-0000-000000000000"), "00000000-0000-0000-0000-000000000000");
}

TEST(Identifiers, RefuseWhatIsNoUuid) {
  for (const auto* text :
       {"", "42", "test-profile-1", "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5", "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5bb",
        "0190a6b27c3d7e4f8a5b0c1d2e3f4a5b", "{190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5}",
        "0190a6b2x7c3d-7e4f-8a5b-0c1d2e3f4a5b", "0190a6bg-7c3d-7e4f-8a5b-0c1d2e3f4a5b",
        "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5\xc3", "' OR 1=1 -- 34567890123456789012345"})
    EXPECT_EQ(parse_uuid(text), std::nullopt) << text;
}

TEST(Identifiers, MakeRandomUuidsOfVersionFour) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto uuid = make_uuid();
    EXPECT_EQ(parse_uuid(uuid), uuid);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Identifiers, LetOnlyHarmlessRequestIdsThrough) {
  EXPECT_TRUE(is_request_id("a"));
  EXPECT_TRUE(is_request_id("Req_1.2-3"));
  EXPECT_TRUE(is_request_id(std::string(64, 'x')));
  EXPECT_FALSE(is_request_id(std::string(65, 'x')));
  for (const auto* text : {"", "a b", "a\"b", "a=b", "\xc3\xa4", "a\nb"}) EXPECT_FALSE(is_request_id(text)) << text;
}

}  // namespace
}  // namespace midst::api
