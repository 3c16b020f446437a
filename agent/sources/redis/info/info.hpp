// INFO text → samples, in one pass, by the table of info_catalog.cpp. Pure: no I/O, no clock.
// Used by redis_source.cpp. Lines of several values are read by info_replication, info_lines, info_keysizes, keyspace.
#pragma once

#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::sources::redis_info {

/// One row of the catalogue.
struct Row {
  std::string_view field;    ///< INFO field.
  metrics::MetricSpec spec;  ///< Its family.
  double scale;              ///< What the field's number is multiplied by; a '%' behind the number is let pass.
};

/// @return all rows, in the order of the page.
[[nodiscard]] std::span<const Row> catalog() noexcept;
/// @return the row of a field, or nullptr.
[[nodiscard]] const Row* find_row(std::string_view field) noexcept;

/// What the reader is told from outside.
struct InfoOptions {
  double start_seconds = 0;           ///< Unix time of the server's start, latched (ServerFacts); 0: not known.
  bool has_zero_databases = true;     ///< Whether empty databases get a 0.
  int databases = 16;                 ///< How many there are (CONFIG databases).
  std::size_t max_error_labels = 64;  ///< Further kinds of errors are folded into err="other".
  std::size_t max_labels = 2000;      ///< Commands, replicas, databases or lines of one thing each.
  std::size_t max_key_sizes = 64;     ///< Histograms of key sizes, one a database and type; 0: none.
  /// Globs of fields without a metric of their own that are wanted as redis_info_field: "io_*", "stats:new_*".
  std::span<const std::string> extra_fields;
  std::size_t max_extra_fields = 100;  ///< Of them.
};

/// What commandstats say of one command, for the replies that are read after INFO.
struct CommandTotals {
  double microseconds = 0;  ///< Since the start; of a container command with those of its subcommands.
  double calls = 0;
  metrics::LabelSet labels;  ///< {cmd="…"} of the builder; empty text for a container that is never called itself.
};
/// By name ("get", "config", "config|get"); the names point into the INFO text.
using Commands = std::unordered_map<std::string_view, CommandTotals>;

/// What the readers of other replies need of INFO.
struct InfoFacts {
  Commands commands;
};

/// Reads an INFO reply (LF or CRLF, sections in any order, unknown fields skipped) into `builder`.
/// @return what others need of it, or Errc::protocol when not one field is known.
[[nodiscard]] Result<InfoFacts> read_info(std::string_view info, const InfoOptions& options,
                                          metrics::SnapshotBuilder& builder);

/// @return ok/true as 1, err/fail/false as 0, else the number; nothing when it is neither.
[[nodiscard]] std::optional<double> parse_value(std::string_view value) noexcept;

/// One cmdstat_ line. The optional counts exist since Redis 6.2.
struct CommandStat {
  double calls = 0, microseconds = 0;
  std::optional<double> rejected, failed;
};
/// @param fields  "calls=1,usec=2,usec_per_call=2.00[,rejected_calls=0,failed_calls=0]".
/// @return nothing when calls or usec is missing or a count is no number.
[[nodiscard]] std::optional<CommandStat> parse_command_stat(std::string_view fields) noexcept;

/// Adds the samples of the fields that the catalogue has, for replies beside INFO itself (INFO MODULES).
/// @return how many there were.
std::size_t add_known_fields(std::string_view info, metrics::SnapshotBuilder& builder);

/// @return every family that read_info() can deliver and that is neither in catalog() nor in families.hpp.
[[nodiscard]] std::vector<metrics::MetricSpec> info_specs();

}  // namespace midst::sources::redis_info
