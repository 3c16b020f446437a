#include "lib/pq/conninfo.hpp"

#include <gmock/gmock.h>

namespace midst::pq {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Accepted {
  std::string_view text, redacted, label;
};

TEST(Conninfo, ReadsWhatLibpqReads) {
  const Accepted table[] = {
      {"", "", "localhost:5432"},
      {"host=db", "host=db", "db:5432"},
      {"host=db port=5433 dbname=app user=me password=s3cret", "host=db port=5433 dbname=app user=me", "db:5433"},
      {"host = 'db'  port = 5433", "host=db port=5433", "db:5433"},
      {"host=/run/postgresql dbname=postgres", "host=/run/postgresql dbname=postgres", "/run/postgresql:5432"},
      {"hostaddr=10.0.0.1", "hostaddr=10.0.0.1", "10.0.0.1:5432"},
      {"host=::1 port=1", "host=::1 port=1", "::1:1"},
      {"host=a,b port=1,2", "host=a,b port=1,2", "a:1"},
      {"host=,b", "host=,b", "localhost:5432"},
      {"service=main", "service=main", "localhost:5432"},
      {"postgres://", "", "localhost:5432"},
      {"postgresql://db", "host=db", "db:5432"},
      {"postgres://me:s3cret@db:5433/app?sslmode=require", "host=db port=5433 dbname=app user=me", "db:5433"},
      {"postgres://me:s%2F%40%3A@db/app", "host=db dbname=app user=me", "db:5432"},
      {"postgres://me:with?question@db/app", "host=db dbname=app user=me", "db:5432"},
      {"postgres://[::1]:5433/app", "host=::1 port=5433 dbname=app", "::1:5433"},
      {"postgres://a:1,b:2/app?target_session_attrs=primary", "host=a,b port=1,2 dbname=app", "a:1"},
      {"postgres:///app?host=/run/postgresql", "host=/run/postgresql dbname=app", "/run/postgresql:5432"},
      {"postgres://db/app?user=me@tenant", "host=db dbname=app user=me@tenant", "db:5432"},
      {"postgres://db/a%40b", "host=db dbname=a@b", "db:5432"},
  };
  for (const auto& row : table) {
    const auto parsed = parse_conninfo(row.text);
    ASSERT_TRUE(parsed) << row.text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->redacted(), row.redacted) << row.text;
    EXPECT_EQ(parsed->server_label(), row.label) << row.text;
  }
}

TEST(Conninfo, KeepsQuotedValuesWithSpacesQuotesAndEqualSigns) {
  const auto parsed = parse_conninfo(R"(password='it\'s a = \\ b' dbname='my db')");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->get("password"), R"(it's a = \ b)");
  EXPECT_EQ(parsed->get("dbname"), "my db");
  EXPECT_EQ(parsed->get("host"), "");
}

TEST(Conninfo, DropsKeysThatOnlyTheGoDriverKnows) {
  for (const std::string_view text :
       {"host=db binary_parameters=yes password='a b' dbname=app", "binary_parameters = 'y e s' host=db dbname=app",
        "host=db disable_prepared_binary_result=1 dbname=app binary_parameters=",
        "postgres://db/app?binary_parameters=yes",
        "postgres://db/app?disable_prepared_binary_result=yes&sslmode=disable",
        "postgres://db/app?sslmode=disable&binary_parameters=yes"}) {
    const auto parsed = parse_conninfo(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->redacted(), "host=db dbname=app") << text;
  }
}

TEST(Conninfo, ReplacesAndDefaults) {
  auto parsed = parse_conninfo("host=db user=me").value();
  parsed.set("user", "you");
  parsed.set_default("user", "nobody");
  parsed.set_default("port", "1");
  EXPECT_EQ(parsed.redacted(), "host=db port=1 user=you");
}

TEST(Conninfo, ShowsNoSecretOfAnyKind) {
  const auto parsed = parse_conninfo(
      "host=db user=me password=s3cret sslpassword=s3cret passfile=/s3cret sslkey=/s3cret options=-cx=s3cret "
      "application_name=s3cret dbname='postgres://me:s3cret@db/app'");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->redacted(), "host=db dbname=(hidden) user=me");
}

TEST(Conninfo, RefusesABrokenStringWithoutRepeatingAnyOfIt) {
  const std::string_view table[][2] = {
      {"password=top s3cret", "without \"=\""},
      {"password=top s3cret=word", "unknown key"},
      {"password='top s3cret", "does not end"},
      {"postgres://me:s3cret%zz@db/app", "\"%\""},
      {"postgres://me:s3cret%@db/app", "\"%\""},
      {"postgres://me:s3cret%00@db/app", "%00"},
      {"postgres://me:top@s3cret@db/app", "%40"},
      {"postgres://me:top/s3cret@db/app", "%2F"},
      {"postgres://me:12/s3cret@db/app", "%2F"},
      {"postgres://me:s3cret@[::1/app", "\"]\""},
      {"postgres://me:s3cret@[]/app", "empty IPv6"},
      {"postgres://me:s3cret@[::1]x/app", "follows the host"},
      {"postgres://me:s3cret@db:s3cret/app", "port"},
      {"postgres://me:s3cret@db:70000/app", "port"},
      {"postgres://db:s3cret", "port"},
      {"postgres://db/app?password=s3cret=more", "two \"=\""},
      {"postgres://db/app?s3cret", "without \"=\""},
      {"postgres://db/app?pasword=s3cret", "did you mean \"password\"?"},
      {"sslmod=s3cret", "did you mean \"sslmode\"?"},
      {"host=db port=s3cret", "port"},
      {"s3cret", "without \"=\""},
      {"mysql://me:s3cret@db", "without \"=\""},
      {"=s3cret", "unknown key"},
      {std::string_view("host=db password=s3cret\0x", 25), "zero byte"},
  };
  for (const auto& [text, reason] : table) {
    const auto parsed = parse_conninfo(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::config) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr(std::string(reason))) << text;
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("s3cret"))) << text;
    EXPECT_THAT(parsed.error().message, Not(HasSubstr("top"))) << text;
  }
}

TEST(SplitConninfos, CutsBetweenConnectionStringsAndNowhereElse) {
  using testing::ElementsAre;
  EXPECT_THAT(split_conninfos(""), testing::IsEmpty());
  EXPECT_THAT(split_conninfos("postgresql://a/x"), ElementsAre("postgresql://a/x"));
  EXPECT_THAT(split_conninfos("postgresql://a/x,postgres://b/y"), ElementsAre("postgresql://a/x", "postgres://b/y"));
  EXPECT_THAT(split_conninfos("postgresql://a:1,b:2/x, postgres://c/y"),
              ElementsAre("postgresql://a:1,b:2/x", "postgres://c/y"));
  EXPECT_THAT(split_conninfos("postgresql://me:se,cret@a/x"), ElementsAre("postgresql://me:se,cret@a/x"));
  EXPECT_THAT(split_conninfos("postgresql://me:a,host=b@a/x"), ElementsAre("postgresql://me:a,host=b@a/x"));
  EXPECT_THAT(split_conninfos("host=a,b port=1,2"), ElementsAre("host=a,b port=1,2"));
  EXPECT_THAT(split_conninfos("host=a user=me,host=b user=you"), ElementsAre("host=a user=me", "host=b user=you"));
  EXPECT_THAT(split_conninfos("host=a password=x,y=z"), ElementsAre("host=a password=x,y=z"));
  EXPECT_THAT(split_conninfos("host=a,postgres://b/y,"), ElementsAre("host=a", "postgres://b/y"));
}

}  // namespace
}  // namespace midst::pq
