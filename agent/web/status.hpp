// What the status page and the control commands show, as one JSON document. Pure: what is known comes in, text goes
// out.
#pragma once

#include "agent/scrape/scraper.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace midst::web {

/// One number of the agent itself, for /api/v1/live: a metric name and its value.
using Counter = std::pair<std::string, std::uint64_t>;

/// How reading the configuration anew has gone.
struct ReloadState {
  bool is_successful = true;       ///< The last one; the start counts as one.
  bool waits_for_restart = false;  ///< Settings have changed that a restart alone takes over.
  double loaded_at = 0;            ///< Unix seconds of the configuration in force.
  std::uint64_t good = 0, bad = 0;
  std::string error;  ///< Of the last one, when it failed.
};

/// What has been pushed.
struct PushFacts {
  std::size_t clients = 0;  ///< Connected now.
  std::size_t series = 0;
};

/// What the document says besides the sources.
struct AgentFacts {
  std::chrono::seconds uptime{0};
  bool is_ready = true;
  std::string view;  ///< Of the listener that was asked; empty: everything.
  bool has_lifecycle = false, has_probe = false;
  ReloadState reload;
  PushFacts push;
  std::vector<Counter> counters;  ///< Written as "counters" when there are any.
};

/// @return the document: version, uptime_seconds, ready, view, lifecycle, probe, samples, configuration {successful,
/// loaded_at, error, waits_for_restart}, push {clients, series}, and "targets" in the order of `sources`, each with
/// kind, target, address, state ("up", "down" or "pending"), state_age_seconds, retry_in_seconds, duration_seconds,
/// success_age_seconds, samples, bytes, attempts, failures and last_error {reason, message, age_seconds}. What is
/// unknown is null. docs/status.schema.json says it for programs. Invalid UTF-8 in an error's text becomes U+FFFD.
[[nodiscard]] std::string status_json(const std::vector<scrape::SourceStatus>& sources, const AgentFacts& facts);

}  // namespace midst::web
