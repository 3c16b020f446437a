// Checks JSON documents and query parameters against tables of rules. Pure; knows no resource.
#pragma once

#include "api/http/replies.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace midst::api {

/// What a field holds. Lengths and counts are bounded by FieldRule::min and ::max.
enum class FieldKind {
  text,     ///< A string; min and max count bytes.
  uuid,     ///< A UUID; stored in lower case.
  slug,     ///< "ada-lovelace": lower case letters, digits and single dashes.
  url,      ///< An absolute http or https URL.
  email,    ///< local@domain.tld; no quoting, no comments.
  choice,   ///< One of FieldRule::choices.
  flag,     ///< true or false.
  texts,    ///< An array of strings of at least one byte.
  values,   ///< An array of anything.
  object,   ///< An object by FieldRule::fields.
  objects,  ///< An array of such objects.
};

enum class Presence { optional, required };

struct FieldRule {
  std::string_view name;
  FieldKind kind;
  Presence presence = Presence::optional;
  std::size_t min = 0, max = 0;                 ///< Bytes of a string, elements of an array.
  std::span<const std::string_view> choices{};  ///< Of a choice.
  std::span<const FieldRule> fields{};          ///< Of an object.
};

/// Bounds of a JSON body, checked before anything else.
inline constexpr std::size_t max_json_depth = 16;
/// Faulty fields that are listed; the rest is left for the next attempt.
inline constexpr std::size_t max_field_errors = 20;

/// @return the document; Errc::protocol with a sentence for the client if the text is no JSON, is nested deeper than
/// max_json_depth, or holds U+0000, which Postgres cannot store.
[[nodiscard]] Result<nlohmann::json> parse_json(std::string_view text);

/// Checks `document` by the rules. @return the fields that the rules know; the others are left out. What was wrong is
/// appended to `errors`; the result is only good when nothing was.
[[nodiscard]] nlohmann::json check_object(const nlohmann::json& document, std::span<const FieldRule> rules,
                                          FieldErrors& errors);

/// @return the query parameter as an integer within [min, max], or `fallback` when it is not given. Anything else than
/// one run of digits is appended to `errors`.
[[nodiscard]] std::uint64_t integer_parameter(const net::Request& request, std::string_view name,
                                              std::uint64_t fallback, std::uint64_t min, std::uint64_t max,
                                              FieldErrors& errors);

}  // namespace midst::api
