// What ingest counts of itself and how that appears on the page. One set per Store; listeners and sessions add to it.
#pragma once

#include "lib/metrics/snapshot.hpp"
#include "lib/push/wire.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace midst::ingest {

/// Why a value that arrived was not applied.
enum class Drop : std::uint8_t {
  unknown_series,
  refused_series,
  counter_decrease,
  invalid_value,
  bucket_mismatch,
  exemplar_limit
};
inline constexpr std::size_t drop_count = 6;

/// Why a connection ended.
enum class Disconnect : std::uint8_t {
  bye,
  closed,
  protocol_error,
  hello_timeout,
  slow_reader,
  superseded,
  too_many_clients,
  not_allowed,
  shutdown
};
inline constexpr std::size_t disconnect_count = 9;

/// @return the stable word that is the reason label.
[[nodiscard]] std::string_view word(Drop reason) noexcept;
[[nodiscard]] std::string_view word(Disconnect reason) noexcept;

/// Loop thread only.
struct Counters {
  std::array<std::uint64_t, 9> frames{};  ///< By wire::Type; [0] counts ignorable ones.
  std::uint64_t bytes = 0, samples = 0, instances = 0;
  std::array<std::uint64_t, drop_count> dropped{};
  std::array<std::uint64_t, push::wire::refusal_count> series_refused{}, families_refused{};
  std::array<std::uint64_t, disconnect_count> disconnects{};
  std::uint64_t memories_taken = 0, memories_refused = 0;
  std::uint64_t state_checkpoints = 0, state_set_aside = 0;
  push::wire::ClientReport clients;  ///< Sum over all clients, ended ones included.

  void count_memory(bool is_taken) noexcept { ++(is_taken ? memories_taken : memories_refused); }
  void count(Drop reason) noexcept { ++dropped[static_cast<std::size_t>(reason)]; }
  void count(Disconnect reason) noexcept { ++disconnects[static_cast<std::size_t>(reason)]; }
};

/// What the Store holds at this moment.
struct Levels {
  std::size_t attached = 0, detached = 0, series = 0, families = 0;
  bool is_state_kept = false;
};

/// Appends the midst_push_* families; every reason is there from the start, at 0.
void write(metrics::SnapshotBuilder& builder, const Counters& counters, const Levels& levels);

/// @return the catalogue rows of what write() appends.
[[nodiscard]] std::vector<metrics::MetricSpec> own_specs();

}  // namespace midst::ingest
