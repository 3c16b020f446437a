// INFO text → samples, in one pass, by the table of info_catalog.cpp. Pure: no I/O, no clock.
// Used by redis_source.cpp; what other commands need from INFO comes back as InfoFacts.
#pragma once

#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace midst::sources::redis_info {

/// One row of the catalogue: INFO field, family, and what the field's number is multiplied by.
struct Row {
  std::string_view field;
  metrics::MetricSpec spec;
  double scale;
};

/// @return all rows, in the order of the page.
[[nodiscard]] std::span<const Row> catalog() noexcept;
/// @return the row of a field, or nullptr.
[[nodiscard]] const Row* find_row(std::string_view field) noexcept;

/// What the reader is told from outside.
struct InfoOptions {
  double now_seconds = 0;      ///< Unix time; used when the server does not tell its own.
  std::string latched_run_id;  ///< The run for which start_seconds is known.
  double latched_start_seconds = 0;
  bool has_zero_databases = true;     ///< Whether empty databases get a 0.
  int databases = 16;                 ///< How many there are (CONFIG databases).
  std::size_t max_error_labels = 64;  ///< Further kinds of errors are folded into err="other".
  std::size_t max_labels = 2000;      ///< Commands, replicas, threads or databases of one family.
};

/// What commandstats say of one command, for the replies that are read after INFO.
struct CommandTotals {
  double microseconds = 0;  ///< Since the start; of a container command with those of its subcommands.
  double calls = 0;
  metrics::LabelSet labels;  ///< {cmd="…"} of the builder; empty text for a container that is never called itself.
};
/// By name ("get", "config", "config|get"); the names point into the INFO text.
using Commands = std::unordered_map<std::string_view, CommandTotals>;

/// What INFO says that decides what else is asked.
struct InfoFacts {
  std::string run_id;
  int major_version = 0;  ///< 7 for "7.0.15"; 0 when the server does not say.
  bool has_cluster = false;
  double start_seconds = 0;
  Commands commands;
};

/// Reads an INFO reply (LF or CRLF, sections in any order, unknown fields skipped) into `builder`.
/// @return what else it told, or Errc::protocol when not one field is known.
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

/// One slaveN line; what it does not say is empty.
struct Replica {
  std::string_view ip, port, state;
  double offset = 0;
  std::optional<double> lag;
};
/// @param field  "slave0"; @param value "ip=…,port=…,state=online,offset=14,lag=0".
/// @return nothing when the field has no number or offset or lag is none.
[[nodiscard]] std::optional<Replica> parse_replica(std::string_view field, std::string_view value) noexcept;

}  // namespace midst::sources::redis_info
