// Small text work that several floors share: numbers from text, splitting, durations and sizes, UTF-8, JSON strings.
// Pure; nothing here allocates unless it returns a string.
#pragma once

#include "lib/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::text {

/// @return the whole text as a number: decimal, exponent, "inf", "nan"; Errc::protocol for anything else,
/// including surrounding spaces. Independent of the locale.
[[nodiscard]] Result<double> parse_number(std::string_view text);
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);

/// @return "15s", "250ms", "1m30s", "2h", "1d" as a duration; a bare number has no unit and is refused.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// @return "1500ms" → "1.5s": the shortest form parse_duration takes back.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);
/// @return "64KiB", "10MB", "512" (bytes) as a number of bytes.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

/// @return the parts of `text` between separators; an empty text has no parts.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
/// Cuts the part before the separator off the front of `rest`; without one, takes all of it.
[[nodiscard]] std::string_view take_until(std::string_view& rest, char separator) noexcept;
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
/// @return the text with A–Z as a–z.
[[nodiscard]] std::string lower(std::string_view text);
/// @return whether the pattern matches the whole text: `*` any characters, `?` one, others themselves.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

/// @return whether the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;
/// @return the bytes with every invalid sequence replaced by U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

/// Appends `value` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view value);

/// @return "%41b" → "Ab"; Errc::protocol on a broken escape.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text);

/// @return the candidate nearest to `word` by edit distance, or empty when none is within two edits or a third of its
/// length, whichever is more, and fewer edits than it has letters.
[[nodiscard]] std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace midst::text
