// What the sampler wants to know of the server before it goes on, from three INFO sections. Pure.
#pragma once

#include "agent/sources/redis/sampler/sampler.hpp"
#include "agent/sources/redis/sampler/sampler_cycle.hpp"

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// Why the sampler pauses; each is a value of the label `reason`.
enum class Pause { loading, saving, slow, role };
inline constexpr std::size_t pause_count = 4;
[[nodiscard]] std::string_view word(Pause pause) noexcept;

/// What INFO says of the moment; what it leaves out is taken as fine.
struct ServerMoment {
  bool is_loading = false;  ///< Also when a dataset is being replaced by the master's.
  bool is_saving = false;   ///< A forked child saves or rewrites: memory that is written to is copied.
  bool is_replica = false;
  std::vector<CycleDatabase> databases;
};

/// @return the time between two replies to TIME; nothing when one is an error or the clock was set back meanwhile.
[[nodiscard]] std::optional<std::chrono::microseconds> time_between(const redis::Reply& first,
                                                                    const redis::Reply& last);

/// @param info  the text of INFO persistence, replication and keyspace, one after the other.
[[nodiscard]] ServerMoment read_moment(std::string_view info);

/// @return why a server in that state is not sampled, if it is not.
[[nodiscard]] std::optional<Pause> pause_of(const ServerMoment& moment, SamplerRole role) noexcept;

/// @return the databases of the server that are to be sampled; an empty choice takes all.
[[nodiscard]] std::vector<CycleDatabase> chosen_databases(const ServerMoment& moment, const std::vector<int>& chosen);

}  // namespace midst::sources::redis_info
