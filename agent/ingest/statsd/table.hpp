// The series of StatsD clients, summed over all of them: families, limits with overflow series, values. Knows no lines.
// Loop thread only.
#pragma once

#include "agent/ingest/statsd/cells.hpp"
#include "agent/ingest/statsd/hash.hpp"
#include "agent/ingest/statsd/line.hpp"
#include "agent/ingest/statsd/unique.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::ingest::statsd {

struct TableLimits {
  std::size_t max_series = 200'000;
  std::size_t max_series_per_family = 10'000;
  std::size_t max_families = 10'000;
  std::size_t max_bytes =
      64 * 1024 * 1024;  ///< Label text, buckets and set members, and the fixed part of each series.
  std::uint32_t set_window_seconds = 60;
};

enum class Kind : std::uint8_t { counter, gauge, histogram, set };

/// The family that a line asks for.
struct FamilyWish {
  std::string name;  ///< As it will stand on the page.
  Kind kind = Kind::counter;
  std::string help;
  std::span<const double> bounds;  ///< Of a histogram, ascending.
  bool is_own = false;             ///< One of the agent's names, which clients may not take by themselves.
};

/// Why a sample counts in an overflow series.
enum class Overflow : std::uint8_t { none, family_limit, total_limit, bytes_limit };
inline constexpr std::size_t overflow_count = 4;
[[nodiscard]] std::string_view word(Overflow reason) noexcept;

class Table {
 public:
  static constexpr std::uint32_t none = HashIndex::none;

  /// @param is_taken  whether somebody else has a family of that name, or the name is reserved for the agent.
  Table(TableLimits limits, std::function<Fault(std::string_view name)> is_taken);

  struct Found {
    std::uint32_t series = none;  ///< none when there is a fault.
    Fault fault = Fault::none;
    Overflow overflow = Overflow::none;
  };
  /// Finds the series or makes it. Beyond a limit it is the family's overflow series.
  /// @param labels  with names as they will stand on the page; sorted by the call.
  /// @param ttl_seconds  after which without a sample it is not shown any more; 0: never.
  [[nodiscard]] Found find(const FamilyWish& wish, std::vector<metrics::Label>& labels, std::uint32_t ttl_seconds,
                           std::uint32_t now_seconds);

  [[nodiscard]] Kind kind(std::uint32_t series) const noexcept { return series_[series].kind; }
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
  /// Begins to fetch a series, and what a series that is there already points to.
  void prefetch(std::uint32_t series) const noexcept { __builtin_prefetch(&series_[series], 1); }
  void prefetch_buckets(std::uint32_t number) const noexcept {
    const auto& series = series_[number];
    if (series.kind != Kind::histogram) return;
    __builtin_prefetch(cells_.at(series.detail), 1);
    __builtin_prefetch(cells_.at(series.detail) + 8, 1);  // the next 64 bytes
  }

  /// Adds to a counter. @param amount  finite, not negative.
  Fault count(std::uint32_t series, double amount, std::uint32_t now_seconds) noexcept;
  enum class Change : std::uint8_t { absolute, relative };
  Fault set(std::uint32_t series, double value, Change change, std::uint32_t now_seconds) noexcept;
  /// Adds one observation that stands for `weight` of them. Weights are rounded so that what one loses the next gets.
  Fault observe(std::uint32_t series, double value, double weight, std::uint32_t now_seconds) noexcept;
  Fault note_member(std::uint32_t series, std::string_view member, std::uint32_t now_seconds);

  void write(metrics::SnapshotBuilder& builder, std::uint32_t now_seconds);

  [[nodiscard]] bool has_family(std::string_view name) const { return by_name_.contains(std::string(name)); }
  [[nodiscard]] std::size_t series_count() const noexcept { return series_.size() - free_.size(); }
  [[nodiscard]] std::size_t family_count() const noexcept { return families_.size(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_; }

  /// @return the totals of counters and histograms, for restore().
  [[nodiscard]] std::string state() const;
  /// Begins with what state() once returned, or with nothing of an empty text; on an error the table stays as it was.
  /// Series that the limits have no room for any more count in the overflow series of their family.
  Result<Done> restore(std::string_view state);

 private:
  struct Family {
    std::string name, help;
    Kind kind = Kind::counter;
    std::vector<double> bounds;
    std::vector<std::uint32_t> members;
    std::uint32_t overflow = none;
    bool is_restored = false;  ///< No line has asked for it since: one of another shape replaces it.
  };
  struct Series {
    double value = 0;  ///< Counter: total; gauge: value; histogram: sum; set: members in the last window.
    std::uint32_t family = none;
    /// Of a set: its place among the sets. Of a histogram: its cells, which are what rounding has kept back of the
    /// weights so far (at most a half, a double) and one count for each bucket.
    std::uint32_t detail = none;
    std::uint32_t seen_seconds = 0, ttl_seconds = 0;
    Kind kind = Kind::counter;
    bool has_value = false;
    std::uint32_t label_bytes = 0, labels = 0;  ///< Their text, as metrics::label_text() made it, in cells.
  };
  struct Set {
    UniqueCounter members;
    std::uint32_t window = 0;  ///< Number of the window that the members are of.
  };

  [[nodiscard]] Fault find_family(const FamilyWish& wish, std::uint32_t& family);
  [[nodiscard]] std::uint32_t find_series(std::uint32_t family, std::string_view labels, std::uint64_t hash) const;
  [[nodiscard]] Overflow room_for(const Family& family, std::string_view labels) const;
  /// @param labels  whose names the overflow series has, should it be made.
  [[nodiscard]] std::uint32_t overflow_of(std::uint32_t family, std::vector<metrics::Label>& labels,
                                          std::uint32_t now_seconds);
  [[nodiscard]] std::uint32_t make(std::uint32_t family, std::string_view labels, std::uint32_t ttl_seconds,
                                   std::uint32_t now_seconds);
  [[nodiscard]] static std::uint64_t hash_of(std::uint32_t family, std::string_view labels) noexcept;
  [[nodiscard]] std::string_view labels_of(const Series& series) const noexcept {
    return cells_.text(series.labels, series.label_bytes);
  }
  [[nodiscard]] std::span<std::uint64_t> buckets(const Series& series) noexcept;
  [[nodiscard]] std::span<const std::uint64_t> buckets(const Series& series) const noexcept;
  [[nodiscard]] static std::size_t cost(const Family& family, std::size_t label_bytes) noexcept;
  [[nodiscard]] bool is_expired(const Series& series, std::uint32_t now_seconds) const noexcept;
  void release(std::uint32_t series);
  void rebuild_index();
  void remove_expired(std::uint32_t now_seconds);
  void turn_window(Series& series, Set& set, std::uint32_t now_seconds);
  void write_family(metrics::SnapshotBuilder& builder, const Family& family, std::uint32_t now_seconds);
  [[nodiscard]] Result<Done> restore_family(std::string_view& rest);
  [[nodiscard]] Result<Done> restore_series(std::string_view& rest, std::uint32_t family);
  [[nodiscard]] std::uint32_t place_for(std::uint32_t family, std::string_view labels, bool is_overflow);

  const TableLimits limits_;
  const std::function<Fault(std::string_view)> is_taken_;
  std::deque<Family> families_;
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::vector<Series> series_;
  Cells cells_;
  std::vector<Set> sets_;
  std::vector<std::uint32_t> free_, free_sets_;
  HashIndex index_;
  std::size_t bytes_ = 0;
  std::uint32_t generation_ = 0;  ///< Grows whenever series go: numbers remembered before then mean nothing.
  std::uint32_t next_sweep_seconds_ = 0;
};

}  // namespace midst::ingest::statsd
