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

/// What the document says besides the sources.
struct AgentFacts {
  std::chrono::seconds uptime{0};
  bool is_ready = true;
  std::string view;  ///< Of the listener that was asked; empty: everything.
  bool has_lifecycle = false, has_probe = false;
  std::vector<Counter> counters;  ///< Written as "counters" when there are any.
};

/// @return the document: version, uptime_seconds, ready, view, lifecycle, probe, samples, and "targets" in the order
/// of `sources`, each with kind, target, state ("up", "down" or "pending"), duration_seconds, success_age_seconds,
/// samples, bytes, attempts, failures and last_error {reason, message, age_seconds}. What is unknown is null.
/// Invalid UTF-8 in an error's text becomes U+FFFD.
[[nodiscard]] std::string status_json(const std::vector<scrape::SourceStatus>& sources, const AgentFacts& facts);

}  // namespace midst::web
