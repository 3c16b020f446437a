// One line of StatsD or DogStatsD, taken apart: metrics with their tags, events and service checks. Pure; allocates
// nothing; every view is into the line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace midst::ingest::statsd {

/// Why a line, or one value of it, does not count.
enum class Fault : std::uint8_t {
  none,
  malformed_line,    ///< No ":" or no "|" where one must be, or no name.
  malformed_value,   ///< Not a number.
  not_finite,        ///< NaN, infinite, or a sum that would be.
  negative_counter,  ///< Counters only grow.
  unknown_type,
  bad_rate,          ///< Not a number of 1e-9 to 1.
  mixed_tag_styles,  ///< Tags in the name and after "|#".
  malformed_event,   ///< Lengths that do not fit, or no title.
  malformed_check,   ///< No name, or a status other than 0 to 3.
  invalid_utf8,
  too_long,       ///< A name, a tag or a whole line; or too many tags.
  reserved_name,  ///< The family's name begins like those of the agent's own.
  type_conflict,  ///< The family is of another type already, or its buckets are others.
  name_taken,     ///< A native client has a family of that name.
  too_many_families,
  no_room,  ///< A set that may not grow any more.
  count
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::count);

/// @return the stable word that is the reason label.
[[nodiscard]] std::string_view word(Fault fault) noexcept;

enum class Type : std::uint8_t { counter, gauge, timing, histogram, set };

/// How tags are written. DogStatsD's stand behind "|#", all others inside the name.
enum class TagStyle : std::uint8_t { none, dogstatsd, librato, influx, graphite, signalfx };

/// One sample group of a line: "name:values|type|sections".
struct Metric {
  std::string_view name;       ///< Without tags. SignalFX: what stands before the brackets.
  std::string_view name_rest;  ///< SignalFX: what stands behind them and belongs to the name.
  TagStyle style = TagStyle::none;
  std::string_view tags;    ///< All of them, without what begins and ends them.
  std::string_view values;  ///< "21:22:23"; of a set, one value.
  Type type = Type::counter;
  double rate = 1;             ///< More than 0, at most 1.
  bool has_timestamp = false;  ///< A section T, whose time is not used.
  bool has_odd_tag = false;    ///< A bracket without its partner.
  unsigned skipped_sections = 0;
};

/// One tag. A bare one has no value.
struct Tag {
  std::string_view key, value;
  bool is_bare = false;
};

struct Event {
  std::string_view title, text, alert_type;  ///< The last is "info" when the line has none or an unknown one.
  unsigned skipped_sections = 0;
};

struct ServiceCheck {
  std::string_view name;
  int status = 0;  ///< 0 ok, 1 warning, 2 critical, 3 unknown.
  unsigned skipped_sections = 0;
};

enum class LineKind : std::uint8_t { metric, event, check };
/// @return what a line claims to be.
[[nodiscard]] LineKind kind_of(std::string_view line) noexcept;

/// Takes the first sample group of a line apart.
/// @param more  gets what follows it in the older form "name:1|c:2|ms", without the name; empty when nothing does.
[[nodiscard]] Fault parse_metric(std::string_view line, Metric& metric, std::string_view& more) noexcept;
/// Takes the next group out of `more`; `metric` still has the name and tags that came before.
[[nodiscard]] Fault parse_more(Metric& metric, std::string_view& more) noexcept;
[[nodiscard]] Fault parse_event(std::string_view line, Event& event) noexcept;
[[nodiscard]] Fault parse_check(std::string_view line, ServiceCheck& check) noexcept;

/// Takes the next tag off the front of `tags`; empty ones are passed over. @return false at the end.
[[nodiscard]] bool take_tag(TagStyle style, std::string_view& tags, Tag& tag) noexcept;

/// Reads a number from [begin, end): digits with a sign, a point, an exponent; "inf" and "nan" too.
/// @return where it ends, or nullptr when there is none.
[[nodiscard]] const char* parse_number(const char* begin, const char* end, double& number) noexcept;

}  // namespace midst::ingest::statsd
