// What a client has declared, what of it the agent knows, and the frames that tell it the rest. Definitions come from
// any thread, frames are asked for by the flush thread; one mutex, held for at most one frame's worth of work.
#pragma once

#include "lib/push/exemplars.hpp"
#include "lib/push/shards.hpp"
#include "lib/push/wire.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::push::detail {

/// The label value of the series that takes what has no series of its own any more.
inline constexpr std::string_view overflow_value = "__overflow__";

/// So many bounds are compared at a time.
inline constexpr std::size_t bounds_block = 16;

class Registry {
 public:
  /// What is refused is told to this, without a lock held; see ClientOptions::on_problem.
  using Report = std::function<void(std::string_view what, std::string_view detail)>;
  Registry(std::shared_ptr<Shards> shards, std::size_t max_series, Report report);

  /// @return the id of the family, the earlier one when it is the same; nothing when it contradicts the earlier one or
  /// is no valid declaration, which is reported once per name.
  /// @param constants  values of the last label names, the same for every series.
  [[nodiscard]] std::optional<std::uint32_t> declare(wire::FamilyDefinition definition,
                                                     std::vector<std::string> constants);

  /// Where a series counts. Both unset: nowhere.
  struct Place {
    std::optional<std::uint32_t> cell;  ///< Counter and histogram.
    std::atomic<double>* gauge = nullptr;
    std::span<const double> bounds;  ///< In memory, infinities follow up to a multiple of bounds_block.
    Exemplars* exemplars = nullptr;  ///< Counter and histogram.
    bool is_own = false;             ///< Not an overflow series: the same for ever.
  };
  /// @return the place of that series, made at first use; of the overflow series beyond max_series.
  [[nodiscard]] Place find(std::uint32_t family, std::span<const std::string_view> label_values);

  /// Takes a gauge off the page until it is set again, if there is such a series.
  void remove(std::uint32_t family, std::span<const std::string_view> label_values);

  /// A connection stands: forgets what the agent does not know.
  void welcome(const wire::Welcome& welcome);
  /// Writes what was declared so far into the memory that is shared with the agent; later declarations go there too.
  void write_directory();
  void refuse_family(std::uint32_t family);
  void refuse_series(std::uint32_t series);

  /// Starts the frames of one snapshot; what was declared before now is in it.
  void begin(wire::Snap head);
  enum class Progress { more, done, nothing };
  /// Appends at least one frame, and at most about `max_frame` bytes, of the snapshot begun.
  /// @return done after its last frame; nothing, with no frame written, when there is no news and none is `is_forced`.
  Progress next(std::string& out, std::size_t max_frame, bool is_forced, const wire::ClientReport& report);

  struct Counts {
    std::uint64_t overflowed = 0, rejected = 0;
  };
  [[nodiscard]] Counts counts();

  /// Held from before a fork until after it, in both processes.
  [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
  /// In the child, mutex held: the agent knows nothing of this instance and all gauges are unset.
  void start_over() noexcept;

 private:
  struct Family {
    wire::FamilyDefinition definition;
    std::vector<std::string> constants;
    std::vector<double> padded_bounds;
    std::unordered_map<std::string, std::uint32_t> series;  ///< By label values, each followed by 0xff.
    std::optional<std::uint32_t> overflow;
    std::uint64_t definition_seq = 0;
    bool is_refused = false;
  };
  /// What a snapshot looks at of every series, close together.
  struct Sent {
    std::uint32_t cell = 0;
    wire::MetricKind kind = wire::MetricKind::counter;
    bool is_refused = false;
    std::uint64_t seq = 0;  ///< Of the SNAP that brought the value; 0: the agent has none.
    double value = 0;       ///< Histogram: the number of observations.
  };
  /// And what only some look at; stays where it is, for handles point to the gauge.
  struct Series {
    Series(ExemplarNews& news, std::uint32_t id, const wire::FamilyDefinition& definition) noexcept
        : family(definition.id), exemplars(news, id, static_cast<std::uint32_t>(definition.bounds.size()) + 1) {}
    std::uint32_t family;
    std::atomic<double> gauge{0};
    double sent_sum = 0;
    std::uint64_t definition_seq = 0;  ///< Of the SNAP that came after it; 0: the agent has it not.
    std::vector<std::string> label_values;
    Exemplars exemplars;
  };

  [[nodiscard]] std::optional<std::uint32_t> find_or_make(Family& family, std::span<const std::string_view> values);
  [[nodiscard]] std::optional<std::uint32_t> make(Family& family, std::span<const std::string_view> values);
  void define(std::string& out, std::size_t limit);
  void describe(const wire::FamilyDefinition& family);
  void describe(std::uint32_t series);
  [[nodiscard]] wire::SeriesDefinition definition_of(std::uint32_t series) const;
  void append_values(std::size_t limit);
  void append_counter(Shards::Reader& cells, std::uint32_t id, Sent& sent);
  void append_gauge(std::uint32_t id, Sent& sent);
  void append_histogram(Shards::Reader& cells, std::uint32_t id, Sent& sent);
  void append_exemplars(std::size_t limit);

  std::mutex mutex_;
  std::shared_ptr<Shards> shards_;
  const Report report_;
  const std::size_t own_max_series_;
  std::size_t max_series_;
  std::deque<Family> families_;
  std::deque<Series> series_;
  std::vector<Sent> sent_;  ///< Parallel to series_.
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::unordered_map<std::string, bool> is_reported_;
  Counts counts_;
  ExemplarNews news_;
  bool wants_exemplars_ = false;                                  ///< The agent does.
  std::size_t first_undefined_family_ = 0, first_undefined_ = 0;  ///< The agent has everything before these.

  // The snapshot under way.
  wire::Snap head_;
  wire::SnapEncoder encoder_;
  std::size_t family_end_ = 0, series_end_ = 0, next_family_ = 0, next_definition_ = 0, next_value_ = 0;
  std::vector<wire::Exemplar> exemplars_;
  std::size_t next_exemplar_ = 0;
  bool has_news_ = false;
  std::vector<std::uint64_t> buckets_;
  std::string key_;
};

/// A gauge that nobody has set yet; a NaN that no computation yields.
[[nodiscard]] double unset_gauge() noexcept;
[[nodiscard]] bool is_unset(double gauge) noexcept;
/// The same for a gauge that was removed after it had been set.
[[nodiscard]] double removed_gauge() noexcept;
[[nodiscard]] bool is_removed(double gauge) noexcept;

}  // namespace midst::push::detail
