// Which series of a source the page has: rules that leave families or labels out, and a limit. The Scraper applies them
// to each Snapshot before anybody sees it; what they left out is counted by reason.
#pragma once

#include "agent/scrape/label_fold.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::scrape {

/// Takes one label off every sample of some families.
struct LabelRule {
  std::string families;          ///< Glob of their names.
  std::string label;             ///< Which label.
  Fold gauges = Fold::left_out;  ///< What becomes of gauges that are the same series afterwards.

  [[nodiscard]] bool operator==(const LabelRule&) const = default;
};

/// Globs are matched against the names of families as the page has them, which are the names of their series; a
/// histogram's "NAME_bucket" too.
struct RuleOptions {
  std::vector<std::string> drop;  ///< Globs of families that are left out.
  std::vector<std::string> keep;  ///< Globs of those that are not, where there is any; weaker than drop.
  std::vector<LabelRule> drop_labels;
  std::optional<std::size_t> max_series;  ///< Above it the largest families are left out; unset or 0: no limit.

  [[nodiscard]] bool operator==(const RuleOptions&) const = default;
};

/// @return whether a glob can match the name of a family; Errc::config tells why not.
[[nodiscard]] Result<Done> check_glob(std::string_view glob);
/// @return the rule that "FAMILIES:LABEL" or "FAMILIES:LABEL:sum" (max, min) stands for, or Errc::config.
[[nodiscard]] Result<LabelRule> parse_label_rule(std::string_view text);
/// @return the rules of a target: drop and drop_labels of both, keep and max_series of its own where it has them.
[[nodiscard]] RuleOptions joined(const RuleOptions& everywhere, RuleOptions own);

/// What the rules did to one Snapshot, in series.
struct Applied {
  std::size_t series = 0;               ///< That the source had after the rules, before the limit.
  std::uint64_t by_rule = 0;            ///< Left out by drop or keep.
  std::uint64_t by_limit = 0;           ///< Left out by max_series.
  std::uint64_t by_collision = 0;       ///< Left out because drop_labels made them equal and they cannot be added up.
  std::size_t families_over_limit = 0;  ///< Families that the limit left out, …
  std::vector<std::string> largest_left_out;  ///< … and the largest five of them.
};

/// The rules of one source. Knows the verdict on each name it has seen, so that a glob is looked at once.
class SeriesRules {
 public:
  /// What tells of the agent's own health (midst_agent_*, and a target's *_up) is never left out, but by a drop rule
  /// that is its exact name.
  /// @param is_target  whether the source has an "up" of its own.
  SeriesRules(RuleOptions options, bool is_target);

  /// From now on these; what dropped labels have added up goes on.
  void set(RuleOptions options);

  /// Applies the rules to a snapshot that nobody else has yet.
  Applied apply(metrics::Snapshot& snapshot);

  [[nodiscard]] std::size_t max_series() const noexcept { return options_.max_series.value_or(0); }

 private:
  struct Verdict {
    bool is_dropped = false;
    bool has_buckets = true;          ///< False: a histogram keeps its count and sum alone.
    std::vector<std::string> labels;  ///< Those to take off.
    Fold gauges = Fold::left_out;

    [[nodiscard]] bool is_none() const noexcept { return !is_dropped && has_buckets && labels.empty(); }
  };
  using Verdicts = std::map<std::string, Verdict, std::less<>>;
  /// What stood at a place on the page the last time, by the hash of its name: names are not read twice.
  struct Place {
    std::size_t name_hash = 0;
    const Verdict* verdict = nullptr;
  };

  [[nodiscard]] bool is_vital(std::string_view name) const noexcept;
  [[nodiscard]] Verdict judge(std::string_view name) const;
  /// @return nothing for a family that stays as it is.
  const Verdict* verdict_on(std::string_view name);
  bool keeps(metrics::Family& family, metrics::Arena& arena, Applied& applied);
  void apply_limit(metrics::Snapshot& snapshot, Applied& applied) const;

  RuleOptions options_;
  bool is_target_;
  bool has_rules_ = false;
  LabelFold fold_;
  Verdicts verdicts_;
  std::vector<Place> places_;  ///< A family mostly stands where it stood the last time.
  std::size_t position_ = 0;
};

}  // namespace midst::scrape
