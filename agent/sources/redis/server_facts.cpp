#include "agent/sources/redis/server_facts.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace midst::sources::redis_info {
namespace {

/// The fields of interest as they stand in the text.
struct Seen {
  std::string_view run_id, redis_version, valkey_version, redis_mode, server_mode, role, cluster_enabled, loading,
      rdb_bgsave, aof_rewrite, uptime, server_time_usec;
};

struct Field {
  std::string_view name;
  std::string_view Seen::*member;
};
constexpr Field server_fields[] = {
    {"run_id", &Seen::run_id},
    {"redis_version", &Seen::redis_version},
    {"valkey_version", &Seen::valkey_version},
    {"redis_mode", &Seen::redis_mode},
    {"server_mode", &Seen::server_mode},
    {"uptime_in_seconds", &Seen::uptime},
    {"server_time_usec", &Seen::server_time_usec},
};
constexpr Field persistence_fields[] = {{"loading", &Seen::loading},
                                        {"rdb_bgsave_in_progress", &Seen::rdb_bgsave},
                                        {"aof_rewrite_in_progress", &Seen::aof_rewrite}};
constexpr Field replication_fields[] = {{"role", &Seen::role}};
constexpr Field cluster_fields[] = {{"cluster_enabled", &Seen::cluster_enabled}};

struct Section {
  std::string_view name;
  std::span<const Field> fields;
};
constexpr Section sections[] = {{"Server", server_fields},
                                {"Persistence", persistence_fields},
                                {"Replication", replication_fields},
                                {"Cluster", cluster_fields}};

std::string_view take_line(std::string_view& rest) noexcept {
  auto line = text::take_until(rest, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void look(std::string_view line, std::span<const Field> fields, Seen& seen) noexcept {
  for (const auto& field : fields) {
    if (line.size() <= field.name.size() || line[field.name.size()] != ':' || !line.starts_with(field.name)) continue;
    if ((seen.*field.member).empty()) seen.*field.member = line.substr(field.name.size() + 1);
    return;
  }
}

/// Moves `rest` to just behind the next "# " that begins a line, without looking at the lines before it.
bool skip_to_header(std::string_view& rest, bool is_line_begin) noexcept {
  for (std::size_t at = rest.find('#'); at != std::string_view::npos; at = rest.find('#', at + 1)) {
    const bool begins_line = at == 0 ? is_line_begin : rest[at - 1] == '\n';
    if (!begins_line || !rest.substr(at + 1).starts_with(' ')) continue;
    rest.remove_prefix(at + 2);
    return true;
  }
  return false;
}

Seen look_at(std::string_view info) noexcept {
  Seen seen;
  auto rest = info;
  std::size_t sections_left = std::size(sections);
  bool is_line_begin = true, has_headers = false;
  while (sections_left > 0 && skip_to_header(rest, is_line_begin)) {
    has_headers = true;
    const auto name = take_line(rest);
    is_line_begin = true;
    const auto* const section = std::find_if(std::begin(sections), std::end(sections), [&](const Section& each) {
      return text::equal_ignoring_case(each.name, name);
    });
    if (section == std::end(sections)) continue;
    --sections_left;
    while (!rest.empty() && rest.front() != '#') look(take_line(rest), section->fields, seen);
  }
  if (has_headers) return seen;
  while (!info.empty()) {
    const auto line = take_line(info);
    for (const auto& section : sections) look(line, section.fields, seen);
  }
  return seen;
}

double start_of(const Seen& seen, double unix_now) noexcept {
  const auto uptime = text::parse_number(seen.uptime);
  if (!uptime) return 0;
  const auto server_microseconds = text::parse_number(seen.server_time_usec);  // since Redis 7.0
  const double now = server_microseconds ? *server_microseconds / 1e6 : unix_now;
  return now > 0 ? std::floor(now) - *uptime : 0;
}

ServerFacts facts_of(const Seen& seen, double unix_now) {
  const auto mode = seen.redis_mode.empty() ? seen.server_mode : seen.redis_mode;  // Valkey says server_mode
  ServerFacts facts;
  facts.run_id = seen.run_id;
  facts.version = parse_version(seen.redis_version);
  facts.valkey_version = parse_version(seen.valkey_version);
  facts.has_cluster = mode == "cluster" || seen.cluster_enabled == "1";
  facts.is_sentinel = mode == "sentinel";
  facts.is_replica = seen.role == "slave" || seen.role == "replica";
  facts.is_loading = seen.loading == "1";
  facts.is_saving = seen.rdb_bgsave == "1" || seen.aof_rewrite == "1";
  facts.start_seconds = start_of(seen, unix_now);
  return facts;
}

}  // namespace

ServerFacts peek_facts(std::string_view info) {
  return facts_of(look_at(info), 0);
}

ServerFacts peek_facts(std::string_view info, const ServerFacts& before, double unix_now) {
  auto facts = facts_of(look_at(info), unix_now);
  const bool has_both = before.start_seconds != 0 && facts.start_seconds != 0;
  const bool is_near = std::abs(facts.start_seconds - before.start_seconds) < 2;
  // A server that hides its run_id is taken for the same one while its start does not move.
  if (has_both && before.run_id == facts.run_id && (!facts.run_id.empty() || is_near))
    facts.start_seconds = before.start_seconds;
  return facts;
}

int parse_version(std::string_view version) noexcept {
  int number = 0;
  for (int part = 0; part < 3; ++part) {
    const auto digits = text::parse_integer(text::take_until(version, '.'));
    const bool is_part = digits && *digits >= 0 && *digits <= 999;
    if (!is_part && part == 0) return 0;
    number = number * 100 + (is_part ? static_cast<int>(*digits) : 0);
  }
  return number;
}

}  // namespace midst::sources::redis_info
