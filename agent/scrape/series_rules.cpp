#include "agent/scrape/series_rules.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace midst::scrape {
namespace {

using metrics::Family;
using metrics::MetricType;

/// Names whose verdict is kept; a push client can make up any number of them.
constexpr std::size_t max_verdicts = 20'000;
constexpr std::size_t max_name_bytes = 256;  // of a glob

bool is_of_glob(char c, std::string_view others) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         others.find(c) != std::string_view::npos;
}

bool consists_of(std::string_view text, std::string_view others) noexcept {
  return !text.empty() && text.size() <= max_name_bytes &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_of_glob(c, others); });
}

bool matches_any(const std::vector<std::string>& globs, std::string_view name) noexcept {
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) { return text::matches_glob(glob, name); });
}

Result<Fold> parse_fold(std::string_view word) {
  if (word == "sum") return Fold::sum;
  if (word == "max") return Fold::max;
  if (word == "min") return Fold::min;
  return Error{Errc::config, fmt::format("unknown \"{}\" behind the label; sum, max or min", word)};
}

}  // namespace

Result<Done> check_glob(std::string_view glob) {
  if (consists_of(glob, ":*?")) return Done{};
  return Error{Errc::config, fmt::format("\"{}\" matches no metric: a name has letters, digits, _ and :, and * or ? "
                                         "stand for others",
                                         glob)};
}

Result<LabelRule> parse_label_rule(std::string_view text) {
  // A family's name may hold a colon, a label's name none.
  const auto form = [&] {
    return Error{Errc::config, fmt::format("\"{}\" is no rule; write FAMILIES:LABEL, or FAMILIES:LABEL:sum (max, min) "
                                           "for what gauges become",
                                           text)};
  };
  LabelRule rule;
  auto last = text.rfind(':');
  if (last == std::string_view::npos) return form();
  auto label = text.substr(last + 1);
  if (label == "sum" || label == "max" || label == "min") {
    const auto fold = parse_fold(label);
    rule.gauges = *fold;
    text.remove_suffix(text.size() - last);
    last = text.rfind(':');
    if (last == std::string_view::npos) return form();
    label = text.substr(last + 1);
  }
  rule.families = text.substr(0, last);
  rule.label = label;
  if (!consists_of(rule.label, "")) return form();
  if (const auto good = check_glob(rule.families); !good) return good.error();
  if (rule.label == "le" || rule.label == "quantile")
    return Error{Errc::config, fmt::format("{} makes a distribution what it is; drop NAME_bucket instead", label)};
  if (rule.label == "target")
    return Error{Errc::config, "target tells targets apart; set label = \"never\" for one that needs none"};
  return rule;
}

RuleOptions joined(const RuleOptions& everywhere, RuleOptions own) {
  RuleOptions all = everywhere;
  all.drop.insert(all.drop.end(), own.drop.begin(), own.drop.end());
  all.drop_labels.insert(all.drop_labels.end(), own.drop_labels.begin(), own.drop_labels.end());
  if (!own.keep.empty()) all.keep = std::move(own.keep);
  if (own.max_series) all.max_series = own.max_series;
  return all;
}

SeriesRules::SeriesRules(RuleOptions options, bool is_target) : is_target_(is_target) {
  set(std::move(options));
}

void SeriesRules::set(RuleOptions options) {
  if (options == options_) return;
  options_ = std::move(options);
  has_rules_ = !options_.drop.empty() || !options_.keep.empty() || !options_.drop_labels.empty();
  places_.clear();
  verdicts_.clear();
}

Applied SeriesRules::apply(metrics::Snapshot& snapshot) {
  Applied applied;
  if (has_rules_) {
    if (verdicts_.size() > max_verdicts) {
      places_.clear();
      verdicts_.clear();
    }
    fold_.begin();
    position_ = 0;
    snapshot.edit([&](Family& family, metrics::Arena& arena) { return keeps(family, arena, applied); });
  } else {
    for (const auto& family : snapshot.families()) applied.series += series_count(family);
  }
  if (max_series() > 0 && applied.series > max_series()) apply_limit(snapshot, applied);
  return applied;
}

bool SeriesRules::is_vital(std::string_view name) const noexcept {
  return name.starts_with("midst_agent_") || (is_target_ && name.ends_with("_up"));
}

SeriesRules::Verdict SeriesRules::judge(std::string_view name) const {
  Verdict verdict;
  const auto buckets = std::string(name).append("_bucket");
  if (is_vital(name)) {
    verdict.is_dropped = std::find(options_.drop.begin(), options_.drop.end(), name) != options_.drop.end();
    return verdict;
  }
  verdict.is_dropped = matches_any(options_.drop, name);
  if (!options_.keep.empty() && !matches_any(options_.keep, name) && !matches_any(options_.keep, buckets))
    verdict.is_dropped = true;
  verdict.has_buckets = !matches_any(options_.drop, buckets);
  for (const auto& rule : options_.drop_labels) {
    if (!text::matches_glob(rule.families, name)) continue;
    verdict.labels.push_back(rule.label);
    if (verdict.gauges == Fold::left_out) verdict.gauges = rule.gauges;
  }
  return verdict;
}

const SeriesRules::Verdict* SeriesRules::verdict_on(std::string_view name) {
  const auto at = position_++;
  const auto name_hash = std::hash<std::string_view>()(name);
  if (at < places_.size() && places_[at].name_hash == name_hash) return places_[at].verdict;
  auto found = verdicts_.find(name);
  if (found == verdicts_.end()) found = verdicts_.emplace(std::string(name), judge(name)).first;
  if (at == places_.size()) places_.emplace_back();
  places_[at] = {name_hash, found->second.is_none() ? nullptr : &found->second};
  return places_[at].verdict;
}

bool SeriesRules::keeps(Family& family, metrics::Arena& arena, Applied& applied) {
  const auto* verdict = verdict_on(family.name);
  if (verdict != nullptr && verdict->is_dropped) {
    applied.by_rule += series_count(family);
    return false;
  }
  if (verdict != nullptr && !verdict->has_buckets && family.type == MetricType::histogram) {
    std::vector<metrics::Distribution> bare(family.distributions.begin(), family.distributions.end());
    for (auto& distribution : bare) {
      applied.by_rule += distribution.bounds.size();
      distribution = {
          .bounds = {}, .cumulative = {}, .quantile_values = {}, .sum = distribution.sum, .count = distribution.count};
    }
    family.distributions = arena.copy(std::span<const metrics::Distribution>(bare));
    family.exemplars = {};  // they stand at buckets
  }
  if (verdict != nullptr && !verdict->labels.empty())
    applied.by_collision += fold_.apply(family, arena, verdict->labels, verdict->gauges);
  applied.series += series_count(family);
  return !family.labels.empty();
}

void SeriesRules::apply_limit(metrics::Snapshot& snapshot, Applied& applied) const {
  std::vector<std::pair<std::size_t, std::string_view>> families;
  for (const auto& family : snapshot.families())
    if (!is_vital(family.name)) families.emplace_back(series_count(family), family.name);
  std::sort(families.begin(), families.end(), std::greater<>());
  constexpr std::size_t named = 5;
  std::size_t left = applied.series;
  std::set<std::string_view> out;
  for (const auto& [series, name] : families) {
    if (left <= max_series()) break;
    left -= series;
    applied.by_limit += series;
    out.insert(name);
    if (applied.largest_left_out.size() < named) applied.largest_left_out.emplace_back(name);
  }
  applied.families_over_limit = out.size();
  snapshot.edit([&](Family& family, metrics::Arena&) { return !out.contains(family.name); });
}

}  // namespace midst::scrape
