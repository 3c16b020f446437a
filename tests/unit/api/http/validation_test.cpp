#include "api/http/validation.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <string>

namespace midst::api {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 2> colours{"red", "blue"};
constexpr std::array<FieldRule, 2> part_rules{{
    {"name", FieldKind::text, Presence::required, 1, 5, {}, {}},
    {"tags", FieldKind::texts, Presence::optional, 0, 2, {}, {}},
}};
constexpr std::array<FieldRule, 9> rules{{
    {"id", FieldKind::uuid, Presence::optional, 0, 0, {}, {}},
    {"name", FieldKind::text, Presence::required, 1, 5, {}, {}},
    {"slug", FieldKind::slug, Presence::optional, 1, 20, {}, {}},
    {"url", FieldKind::url, Presence::optional, 1, 100, {}, {}},
    {"email", FieldKind::email, Presence::optional, 3, 254, {}, {}},
    {"colour", FieldKind::choice, Presence::optional, 0, 0, colours, {}},
    {"on", FieldKind::flag, Presence::optional, 0, 0, {}, {}},
    {"part", FieldKind::object, Presence::optional, 0, 0, {}, part_rules},
    {"parts", FieldKind::objects, Presence::optional, 0, 2, {}, part_rules},
}};

/// @return the errors of {"name": "ok", field: value} as one line.
std::string errors_of(const std::string& field, const std::string& value) {
  auto document = json::object({{"name", "ok"}});
  document[field] = json::parse(value);
  FieldErrors errors;
  (void)check_object(document, rules, errors);
  std::string line;
  for (const auto& error : errors) line += error.field + " " + error.message + ";";
  return line;
}

TEST(Validation, JudgesEachKindOfField) {
  struct Row {
    const char *field, *value, *errors;
  };
  const std::string slug_message = "slug must be lower case letters and digits with single dashes between them;";
  for (const auto& row : {
           Row{"id", R"("0190A6B2-7C3D-7E4F-8A5B-0C1D2E3F4A5B")", ""},
           Row{"id", R"("nope")", "id must be a UUID;"},
           Row{"id", "7", "id must be a string;"},
           Row{"id", "null", "id must be a string;"},
           Row{"name", R"("")", "name must have 1 to 5 bytes;"},
           Row{"name", R"("12345")", ""},
           Row{"name", R"("123456")", "name must have 1 to 5 bytes;"},
           Row{"name", R"(["a"])", "name must be a string;"},
           Row{"slug", R"("ada-lovelace-2")", ""},
           Row{"slug", R"("Ada")", slug_message.c_str()},
           Row{"slug", R"("a--b")", slug_message.c_str()},
           Row{"slug", R"("-a")", slug_message.c_str()},
           Row{"slug", R"("a-")", slug_message.c_str()},
           Row{"slug", R"("a b")", slug_message.c_str()},
           Row{"url", R"("https://example.org/a?b=c")", ""},
           Row{"url", R"("http://localhost:3001")", ""},
           Row{"url", R"("https://")", "url must be an http or https URL;"},
           Row{"url", R"("https:///path")", "url must be an http or https URL;"},
           Row{"url", R"("https://:80/")", "url must be an http or https URL;"},
           Row{"url", R"("https://user@host/")", "url must be an http or https URL;"},
           Row{"url", R"("javascript:alert")", "url must be an http or https URL;"},
           Row{"url", R"("https://exa mple.org")", "url must be an http or https URL;"},
           Row{"email", R"("ada@example.org")", ""},
           Row{"email", R"("ada@example")", "email must be an e-mail address;"},
           Row{"email", R"("ada@example..org")", "email must be an e-mail address;"},
           Row{"email", R"("a@b@example.org")", "email must be an e-mail address;"},
           Row{"email", R"("@example.org")", "email must be an e-mail address;"},
           Row{"email", R"("a d@example.org")", "email must be an e-mail address;"},
           Row{"colour", R"("red")", ""},
           Row{"colour", R"("green")", "colour must be one of red, blue;"},
           Row{"on", "false", ""},
           Row{"on", R"("false")", "on must be true or false;"},
           Row{"part", R"({"name":"x","tags":["a"]})", ""},
           Row{"part", R"({})", "part.name is required;"},
           Row{"part", R"([])", "part must be an object;"},
           Row{"part", R"({"name":"x","tags":["a",""]})", "part.tags[1] must be a string that is not empty;"},
           Row{"part", R"({"name":"x","tags":["a",1]})", "part.tags[1] must be a string that is not empty;"},
           Row{"part", R"({"name":"x","tags":["a","b","c"]})", "part.tags must have at most 2 elements;"},
           Row{"parts", R"([{"name":"x"},{"name":9}])", "parts[1].name must be a string;"},
           Row{"parts", R"({"name":"x"})", "parts must be an array;"},
       })
    EXPECT_EQ(errors_of(row.field, row.value), row.errors) << row.field << " = " << row.value;
}

TEST(Validation, KeepsWhatTheRulesKnowAndNothingElse) {
  const auto document = json::parse(
      R"({"name":"ok","id":"0190A6B2-7C3D-7E4F-8A5B-0C1D2E3F4A5B","is_admin":true,"part":{"name":"x","y":1}})");
  FieldErrors errors;
  const auto kept = check_object(document, rules, errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(kept.dump(), R"({"id":"0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b","name":"ok","part":{"name":"x"}})");
}

TEST(Validation, NamesTheBodyWhenItIsNoObject) {
  for (const auto* text : {"[]", "7", "null", "\"x\"", "true"}) {
    FieldErrors errors;
    (void)check_object(json::parse(text), rules, errors);
    ASSERT_EQ(errors.size(), 1U) << text;
    EXPECT_EQ(errors[0].field, "body");
    EXPECT_EQ(errors[0].message, "must be an object");
  }
}

TEST(Validation, ListsNoMoreThanTwentyFaults) {
  std::array<FieldRule, 30> many{};
  std::array<std::string, 30> names;
  for (std::size_t i = 0; i < many.size(); ++i) {
    names[i] = "field" + std::to_string(i);
    many[i] = {names[i], FieldKind::flag, Presence::required, 0, 0, {}, {}};
  }
  FieldErrors errors;
  (void)check_object(json::object(), many, errors);
  EXPECT_EQ(errors.size(), max_field_errors);
}

TEST(Validation, RefusesTextThatIsNoJson) {
  for (const auto* text : {"", "{", "{\"a\":}", "{'a':1}", "{\"a\":1}x", "nul", "\"\xff\"", "\"\\ud800\"", "[1e999]"}) {
    const auto parsed = parse_json(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message, "the body is not valid JSON") << text;
  }
}

TEST(Validation, TakesJsonUpToItsDepthAndNotBeyond) {
  const std::string at_limit = std::string(max_json_depth, '[') + std::string(max_json_depth, ']');
  EXPECT_TRUE(parse_json(at_limit));
  EXPECT_EQ(parse_json("[" + at_limit + "]").error().message, "the JSON is nested deeper than 16");
  EXPECT_FALSE(parse_json(std::string(200'000, '[')));
  EXPECT_TRUE(parse_json(R"(["[[[[[[[[[[[[[[[[[[[[", "\"[[[[[[[[[[[[[[[[[[[["])"));
}

TEST(Validation, RefusesTheNulCharacterThatPostgresCannotStore) {
  for (const auto* text : {R"({"a":"x\u0000y"})", R"({"a\u0000":1})", R"([[{"a":["\u0000"]}]])"})
    EXPECT_EQ(parse_json(text).error().message, "the JSON holds the character U+0000") << text;
  EXPECT_TRUE(parse_json(R"({"a":"\\u0000"})"));
}

TEST(Validation, TakesQueryParametersAsWholeNumbersOnly) {
  struct Row {
    const char* query;
    std::uint64_t value;
    std::size_t errors;
  };
  for (const auto& row :
       {Row{"", 20, 0}, Row{"limit=1", 1, 0}, Row{"limit=100", 100, 0}, Row{"x=1&limit=007", 7, 0},
        Row{"limit=0", 20, 1}, Row{"limit=101", 20, 1}, Row{"limit=-1", 20, 1}, Row{"limit=%2B5", 20, 1},
        Row{"limit=+5", 20, 1}, Row{"limit=5.0", 20, 1}, Row{"limit=1e1", 20, 1}, Row{"limit=0x10", 20, 1},
        Row{"limit=", 20, 1}, Row{"limit", 20, 1}, Row{"limit=5&limit=6", 20, 1}, Row{"limit=%zz", 20, 1},
        Row{"limit=99999999999999999999", 20, 1}, Row{"limit=NaN", 20, 1}, Row{"limit=5%00", 20, 1}}) {
    net::Request request;
    request.query = row.query;
    FieldErrors errors;
    EXPECT_EQ(integer_parameter(request, "limit", 20, 1, 100, errors), row.value) << row.query;
    EXPECT_EQ(errors.size(), row.errors) << row.query;
  }
}

}  // namespace
}  // namespace midst::api
