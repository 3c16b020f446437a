// INFO text → ServerFacts: a glance at the few fields that decide what else is asked, without reading the rest.
// Used by redis_source.cpp between the first write of a scrape and the next; the page is made by info.hpp. Pure.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <string_view>

namespace midst::sources::redis_info {

/// Reads the sections Server, Replication, Persistence and Cluster, by their headers, in any order; a text without
/// headers is read whole. Costs a few microseconds; what the server does not say keeps its default.
/// @return start_seconds by the server's own clock, 0 when it does not tell it (before Redis 7.0).
[[nodiscard]] ServerFacts peek_facts(std::string_view info);

/// As above, with the start latched: uptime and clock are both cut to whole seconds, so their difference wavers by one.
/// @param before  what was known of the target; its start stays while the same process answers.
/// @param unix_now  seconds; stands in for the clock of a server that does not tell its own.
[[nodiscard]] ServerFacts peek_facts(std::string_view info, const ServerFacts& before, double unix_now);

/// @return "7.0.15" → 70015, "8.1" → 80100; 0 for what does not begin with a number.
[[nodiscard]] int parse_version(std::string_view version) noexcept;

}  // namespace midst::sources::redis_info
