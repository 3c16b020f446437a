// The families and series that clients push, with one total each. Knows no clients: the Store adds what grew and asks
// for the page. A total only ever grows, so a summed counter cannot decrease when a client ends.
#pragma once

#include "agent/ingest/limits.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/push/client.hpp"
#include "lib/push/wire.hpp"

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::ingest {

namespace wire = push::wire;
using push::wire::Refusal;

/// No family, no series.
inline constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

class SeriesTable {
 public:
  explicit SeriesTable(StoreLimits limits) : limits_(std::move(limits)) {}

  /// An index and why it is not what was asked for. Family: none when refused. Series: none when refused, the
  /// overflow series when a limit is the reason.
  struct Found {
    std::uint32_t index = none;
    Refusal reason = Refusal::none;
  };

  /// Finds the family or makes it. One that contradicts is refused while the present one has users; without users it
  /// is replaced, and the index of the one that went is put into `replaced`.
  [[nodiscard]] Found define(const wire::FamilyDefinition& definition, std::optional<std::uint32_t>& replaced);
  void add_user(std::uint32_t family) { ++families_[family].users; }
  void remove_user(std::uint32_t family) { --families_[family].users; }

  enum class Growth { allowed, client_is_full };
  /// Finds the series of these label values or makes it; a full client gets the overflow series instead of a new one.
  [[nodiscard]] Found define(std::uint32_t family, const std::vector<std::string>& label_values, Growth growth);

  [[nodiscard]] wire::MetricKind kind(std::uint32_t family) const { return families_[family].definition.kind; }
  [[nodiscard]] std::size_t bucket_count(std::uint32_t family) const {
    return families_[family].definition.bounds.size() + 1;
  }
  [[nodiscard]] std::uint32_t family_of(std::uint32_t series) const { return series_[series].family; }
  [[nodiscard]] bool is_overflow(std::uint32_t series) const {
    return families_[series_[series].family].overflow == series;
  }

  /// @param growth  finite, not negative.
  void add(std::uint32_t series, double growth) { totals_[series] += growth; }
  /// Where the bucket totals of a histogram are; valid until the next define().
  [[nodiscard]] std::span<std::uint64_t> buckets(std::uint32_t series) { return histograms_[series_[series].buckets]; }

  /// Keeps the exemplar of a counter or histogram in place of an older one of its bucket; `id` is not looked at.
  /// @return false when max_exemplars are kept already.
  [[nodiscard]] bool note(std::uint32_t series, const wire::Exemplar& exemplar);

  void add_reporter(std::uint32_t series) { ++series_[series].reporters; }
  /// A gauge that nobody reports any more goes, unless its merge is `last`.
  void remove_reporter(std::uint32_t series);
  /// Remembers a value for a gauge whose merge is `last`; of no effect for others.
  void note(std::uint32_t gauge, double value);
  /// Takes the value of such a gauge away again.
  void clear(std::uint32_t gauge) { series_[gauge].has_value = false; }
  /// Between begin_merge() and write(), every present value of every gauge is given to merge().
  void begin_merge();
  void merge(std::uint32_t gauge, double value);

  void write(metrics::SnapshotBuilder& builder) const;

  [[nodiscard]] bool has_family(std::string_view name) const { return by_name_.contains(std::string(name)); }
  /// Appends everything to `out` but users and reporters, which add_user() and add_reporter() bring back.
  void save(std::string& out) const;
  /// Where what was saved is now, by its index then.
  struct Restored {
    std::vector<std::uint32_t> families, series;
  };
  /// Takes what save() wrote off the front of `rest`, into an empty table. @return nothing when it is not that.
  [[nodiscard]] std::optional<Restored> restore(std::string_view& rest);

  [[nodiscard]] std::size_t series_count() const noexcept { return series_.size() - free_.size(); }
  [[nodiscard]] std::size_t family_count() const noexcept { return by_name_.size(); }

 private:
  struct Family {
    wire::FamilyDefinition definition;
    std::vector<std::uint32_t> members;
    std::unordered_map<std::string, std::uint32_t> by_labels;
    std::uint32_t overflow = none;
    std::size_t users = 0;
  };
  struct Series {
    std::uint32_t family = none, buckets = none, reporters = 0;
    std::uint32_t exemplars = none;  ///< Its place in exemplars_.
    std::size_t position = 0;        ///< In its family's members.
    bool has_value = false;          ///< Counters and histograms always have one.
    std::string labels;              ///< As metrics::label_text() made it.
  };

  [[nodiscard]] Refusal check(const wire::FamilyDefinition& definition) const;
  [[nodiscard]] bool is_reserved(std::string_view name) const;
  [[nodiscard]] std::string render(const Family& family, const std::vector<std::string>& values) const;
  [[nodiscard]] bool has_room(const Family& family, const std::string& labels) const;
  [[nodiscard]] static std::size_t cost(const Family& family, const std::string& labels);
  [[nodiscard]] std::uint32_t make(std::uint32_t family, std::string labels);
  [[nodiscard]] std::uint32_t overflow(std::uint32_t family);
  void remove(std::uint32_t series);
  void write_exemplars(metrics::SnapshotBuilder& builder, metrics::FamilyBuilder& samples, const Series& series) const;
  void write_family(metrics::SnapshotBuilder& builder, const Family& family) const;

  StoreLimits limits_;
  std::deque<Family> families_;
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::vector<Series> series_;
  std::vector<double> totals_;  ///< Parallel to series_: counter total, gauge value, histogram sum.
  std::vector<std::uint32_t> free_, free_families_, free_buckets_;
  std::deque<std::vector<std::uint64_t>> histograms_;
  std::size_t bytes_ = 0;                               ///< Of labels and buckets.
  std::vector<std::vector<wire::Exemplar>> exemplars_;  ///< Of the series that have some, at most one a bucket.
  std::vector<std::uint32_t> free_exemplars_;
  std::size_t exemplar_count_ = 0;
};

}  // namespace midst::ingest
