// What a scan found, by prefix pattern, in a fixed number of rows: keys, memory, types, times to live. Pure.
// The sampler counts into it; sampler_page.cpp writes its rows out.
#pragma once

#include "agent/sources/redis/sampler/space_saving.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// What TYPE answers; `other` is a module's.
enum class KeyType : std::uint8_t { string, list, set, zset, hash, stream, other };
inline constexpr std::size_t key_type_count = 7;
[[nodiscard]] KeyType key_type(std::string_view word) noexcept;
[[nodiscard]] std::string_view word(KeyType type) noexcept;

/// Upper bounds of the buckets for times to live, in seconds: from "about to go" to 30 days.
inline constexpr std::array<double, 10> ttl_bounds_seconds{1, 10, 60, 300, 900, 3600, 21600, 86400, 604800, 2592000};

/// What was learned by looking at one key; what the server refused to tell is empty.
struct KeyLook {
  std::optional<KeyType> type;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::int64_t> ttl_ms;  ///< -1: the key has none.
};

/// Sums over the keys of one row.
struct PrefixTotals {
  std::uint64_t keys = 0;   ///< Named by SCAN.
  std::uint64_t asked = 0;  ///< Of them chosen to be looked at.
  std::uint64_t memory_samples = 0, memory_bytes = 0;
  std::uint64_t type_samples = 0;
  std::array<std::uint64_t, key_type_count> types{};
  std::uint64_t ttl_samples = 0, without_ttl = 0;
  std::array<std::uint64_t, ttl_bounds_seconds.size() + 1> ttl_counts{};  ///< Not cumulative; the last is above all.
  double ttl_seconds = 0;

  void add(const KeyLook& look) noexcept;
  void merge(const PrefixTotals& other) noexcept;
};

struct PrefixRow {
  PrefixId id;  ///< Its pattern is "other" for all keys of a database that have no row.
  PrefixTotals totals;
  std::uint32_t empty_cycles = 0;
};

struct PrefixTableOptions {
  std::size_t max_prefixes = 100;    ///< Rows, without those for "other".
  std::size_t max_candidates = 128;  ///< Patterns without a row that are watched for the next cycle.
  double hysteresis = 1.25;          ///< A pattern takes a row from another when it has so many times its keys.
  std::string separators = ":/.";
};

/// Who has a row is settled at the end of a cycle, by the keys seen in it, so that names are stable; while there are
/// free rows a new pattern gets one with its first key. The rows of a cycle and "other" together hold every key.
class PrefixTable {
 public:
  explicit PrefixTable(PrefixTableOptions options);

  /// Counts a key. @return the totals of its row, valid until the next call.
  PrefixTotals& count(PrefixView id);
  /// @return the totals a key of this pattern is counted in; valid until the next call.
  [[nodiscard]] PrefixTotals& find(PrefixView id);
  /// Names below `prefix` are told apart no longer: their rows become one.
  void fold(std::string_view prefix);

  /// The cycle is complete: its rows are published, and those of the next one are chosen.
  void end_cycle();
  /// Empties the rows, not what is published: the next cycle begins, or this one again.
  void restart();
  void clear();

  /// @return the rows of the last complete cycle, by database and pattern, "other" last; empty before there was one.
  [[nodiscard]] const std::vector<PrefixRow>& published() const noexcept { return published_; }
  /// @return the rows of the cycle under way, in the same order.
  [[nodiscard]] std::vector<PrefixRow> current() const;
  /// @return patterns counted under "other" that are watched; at most max_candidates.
  [[nodiscard]] std::size_t candidate_count() const noexcept { return candidates_.size(); }

 private:
  PrefixTotals& other(int database);
  [[nodiscard]] std::optional<std::size_t> row_of(PrefixView id) const;
  void add_row(PrefixId id);
  void remove_row(std::size_t index);
  void elect();

  PrefixTableOptions options_;
  std::vector<PrefixRow> rows_, others_, published_;
  std::unordered_map<PrefixId, std::size_t, PrefixHash, PrefixEqual> index_;
  SpaceSaving candidates_;
};

inline constexpr std::string_view other_prefix = "other";

}  // namespace midst::sources::redis_info
