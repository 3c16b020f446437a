#include "agent/sources/redis/sampler/sampler_check.hpp"

#include "agent/sources/redis/info/keyspace.hpp"
#include "lib/base/text.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

constexpr std::string_view pause_words[] = {"loading", "saving", "slow", "role"};
static_assert(std::size(pause_words) == pause_count);
/// More databases than that are configured nowhere; the walk has a limit of its own.
constexpr std::size_t max_listed = 10'000;

/// @return microseconds of a reply to TIME.
std::optional<std::int64_t> read_time(const redis::Reply& reply) {
  if (!reply.is_array() || reply.elements.size() != 2) return std::nullopt;
  const auto seconds = reply.elements[0].as_integer(), rest = reply.elements[1].as_integer();
  constexpr std::int64_t latest = 1'000'000'000'000;  // within which no product overflows
  if (!seconds || !rest || *seconds < 0 || *seconds > latest || *rest < 0 || *rest >= 1'000'000) return std::nullopt;
  return *seconds * 1'000'000 + *rest;
}

}  // namespace

std::optional<std::chrono::microseconds> time_between(const redis::Reply& first, const redis::Reply& last) {
  const auto begin = read_time(first), end = read_time(last);
  if (!begin || !end || *end < *begin) return std::nullopt;
  return std::chrono::microseconds(*end - *begin);
}

std::string_view word(Pause pause) noexcept {
  return pause_words[static_cast<std::size_t>(pause)];
}

ServerMoment read_moment(std::string_view info) {
  ServerMoment moment;
  while (!info.empty()) {
    auto value = text::trim(text::take_until(info, '\n'));
    const auto name = text::take_until(value, ':');
    const bool is_set = value == "1";
    if (name == "loading" || name == "async_loading") moment.is_loading = moment.is_loading || is_set;
    if (name == "rdb_bgsave_in_progress" || name == "aof_rewrite_in_progress")
      moment.is_saving = moment.is_saving || is_set;
    if (name == "role") moment.is_replica = value == "slave" || value == "replica";
    if (moment.databases.size() == max_listed) continue;
    if (const auto database = parse_database(name, value))
      moment.databases.push_back({database->number, static_cast<std::uint64_t>(std::clamp(database->keys, 0.0, 1e18)),
                                  static_cast<std::uint64_t>(std::clamp(database->expires, 0.0, 1e18))});
  }
  return moment;
}

std::optional<Pause> pause_of(const ServerMoment& moment, SamplerRole role) noexcept {
  if (moment.is_loading) return Pause::loading;
  if (moment.is_saving) return Pause::saving;
  const bool is_wanted = role == SamplerRole::any || (role == SamplerRole::replica) == moment.is_replica;
  if (!is_wanted) return Pause::role;
  return std::nullopt;
}

std::vector<CycleDatabase> chosen_databases(const ServerMoment& moment, const std::vector<int>& chosen) {
  if (chosen.empty()) return moment.databases;
  std::vector<CycleDatabase> databases;
  for (const auto& database : moment.databases)
    if (std::find(chosen.begin(), chosen.end(), database.number) != chosen.end()) databases.push_back(database);
  return databases;
}

}  // namespace midst::sources::redis_info
