// The waist of the house: everything before the Snapshot parses into it, everything after encodes from it.
// A Source fills a SnapshotBuilder and freezes it; the Scraper merges Snapshots into an Exposition; encode() writes
// that.
#pragma once

#include "lib/metrics/arena.hpp"
#include "lib/metrics/family.hpp"
#include "lib/metrics/spec.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::metrics {

/// What one Source delivered: immutable, one block of memory, cheap to share. 24 bytes a scalar sample plus label text.
class Snapshot {
 public:
  [[nodiscard]] std::span<const Family> families() const noexcept { return families_; }
  /// @return samples in all families; a histogram counts as one.
  [[nodiscard]] std::size_t sample_count() const noexcept { return sample_count_; }
  /// @return samples dropped while building because a sample with the same labels was there already.
  [[nodiscard]] std::size_t duplicate_count() const noexcept { return duplicate_count_; }
  /// @return exemplars dropped while building because their labels exceed OpenMetrics' 128 characters.
  [[nodiscard]] std::size_t dropped_exemplar_count() const noexcept { return dropped_exemplar_count_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept;
  /// @return the family of that name or nullptr; linear, for tests and the status page.
  [[nodiscard]] const Family* find(std::string_view name) const noexcept;

  /// Shows every family to `keeps`, which may change its columns, and takes those out for which it returns false; for
  /// the time before the snapshot is shared. What is put into a column has to live in that arena.
  void edit(const std::function<bool(Family&, Arena&)>& keeps);

 private:
  friend class SnapshotBuilder;
  Arena arena_;
  std::vector<Family> families_;
  std::size_t sample_count_ = 0, duplicate_count_ = 0, dropped_exemplar_count_ = 0;
};

class SnapshotBuilder;

/// Collects the samples of one family. Obtained from SnapshotBuilder::family(); lives as long as its builder.
class FamilyBuilder {
 public:
  /// Adds one scalar sample with the builder's constant labels only, or with `labels`.
  void add(double value);
  void add(LabelSet labels, double value);
  /// Adds one histogram or summary sample; its arrays are copied, and cut to the shorter one if they differ in length.
  /// A label "le" or "quantile", which the type needs for itself, is renamed "exported_le" or "exported_quantile".
  void add(LabelSet labels, const Distribution& distribution);
  /// Sets the creation time of the sample added last, in Unix seconds.
  void set_created(double unix_seconds);
  /// Promises that no two samples have equal labels; freeze() then does not look for them (half the cost of a sample).
  void promise_distinct() noexcept { is_distinct_ = true; }
  /// Attaches an exemplar to the sample added last; `bucket` as in Exemplar. One whose label names and values exceed
  /// 128 characters is dropped and counted.
  void add_exemplar(std::uint32_t bucket, double value, double timestamp_seconds, LabelSet labels);

 private:
  friend class SnapshotBuilder;
  FamilyBuilder(SnapshotBuilder& builder, const MetricSpec& spec) : builder_(&builder), spec_(spec) {}

  SnapshotBuilder* builder_;
  MetricSpec spec_;  ///< Its text lives in the builder's arena.
  bool is_distinct_ = false;
  bool is_left_out_ = false;
  std::vector<LabelSet> labels_;
  std::vector<double> values_, created_;
  std::vector<Distribution> distributions_;
  std::vector<Exemplar> exemplars_;
};

/// Which families a builder keeps, and under which names.
struct Naming {
  std::string prefix;       ///< What names begin with in the tables, …
  std::string replacement;  ///< … and what stands there on the page. Both empty: names stay.
  /// Whether a family, by its name in the tables, is kept; unset: all are.
  bool (*keeps)(std::string_view name) noexcept = nullptr;
};

/// Builds one Snapshot. Not thread-safe. Families keep the order in which they were first asked for.
class SnapshotBuilder {
 public:
  /// @param constant  labels that every sample of this snapshot carries (a target name); copied.
  explicit SnapshotBuilder(std::span<const Label> constant = {});
  explicit SnapshotBuilder(const OwnedLabels& constant);
  SnapshotBuilder(const SnapshotBuilder&) = delete;
  SnapshotBuilder& operator=(const SnapshotBuilder&) = delete;

  /// Applies to families asked for from now on; meant for the time before the first one.
  void set_naming(Naming naming) { naming_ = std::move(naming); }

  /// Stores a label set: constant labels added, sorted by name, values made valid UTF-8, names made valid
  /// ([A-Za-z0-9_], others become '_'; "__name__" is "exported___name__"). A name given twice keeps the first value.
  [[nodiscard]] LabelSet labels(std::span<const Label> labels);
  [[nodiscard]] LabelSet labels(std::initializer_list<Label> labels) {
    return this->labels(std::span<const Label>(labels.begin(), labels.size()));
  }
  /// @return a label set of a text that label_text() made, copied as it is; for builders without constant labels.
  [[nodiscard]] LabelSet prepared(std::string_view text) { return LabelSet{arena_.copy(text)}; }
  /// @return a label set without the constant labels: what an exemplar carries.
  [[nodiscard]] LabelSet exemplar_labels(std::span<const Label> labels);

  /// @return the family of that name, made at the first call; later calls ignore type, unit and help.
  /// The texts of `spec` are copied; a name is made valid ([A-Za-z0-9_:]), help is made valid UTF-8.
  FamilyBuilder& family(const MetricSpec& spec);

  /// Shorthands for families with one call site.
  void add(const MetricSpec& spec, double value) { family(spec).add(value); }
  void add(const MetricSpec& spec, std::initializer_list<Label> labels, double value) {
    family(spec).add(this->labels(labels), value);
  }

  /// @return the finished Snapshot. Families without samples are left out; of samples with equal labels in one
  /// family the first stays and the rest are counted. The builder must not be used afterwards.
  [[nodiscard]] Snapshot freeze();

 private:
  friend class FamilyBuilder;
  LabelSet store(std::vector<Label>& sorted);
  LabelSet without(std::string_view reserved, LabelSet labels);

  Arena arena_;
  std::vector<Label> constant_;
  LabelSet constant_set_;
  std::deque<FamilyBuilder> families_;
  std::unordered_map<std::string_view, FamilyBuilder*> by_name_;
  std::vector<Label> scratch_labels_;
  std::string scratch_text_;
  std::size_t dropped_exemplar_count_ = 0;
  Naming naming_;
};

/// One family of the page: the parts that several Snapshots brought under one name.
struct MergedFamily {
  struct Part {
    const Family* family;
    std::vector<std::uint32_t> skipped;  ///< Ascending indexes of samples that an earlier part has already.
  };
  const Family* head = nullptr;  ///< Name, type, unit and help of the page: those of the first part.
  /// Whether OpenMetrics may call this counter by its name without "_total" (false when another family has that name).
  bool strips_total = false;
  bool strips_info = false;  ///< The same for an info family and "_info".
  std::vector<Part> parts;
};

/// Everything one scrape answers with, families by name and contiguous. Keeps its Snapshots alive.
struct Exposition {
  std::vector<std::shared_ptr<const Snapshot>> snapshots;
  std::vector<MergedFamily> families;
  std::size_t sample_count = 0;
  std::size_t duplicate_samples = 0;     ///< Dropped because an earlier snapshot has the same series.
  std::vector<std::string> conflicting;  ///< Families dropped: same sample names as an earlier one, other type.
};

/// Merges snapshots by family name, first owner first. Collisions are resolved here and nowhere else.
[[nodiscard]] Exposition merge(std::vector<std::shared_ptr<const Snapshot>> snapshots);

}  // namespace midst::metrics
