// merge(): many Snapshots into one page. Families of one name stand together; every collision is settled here.
#include "lib/metrics/snapshot.hpp"

#include <array>
#include <unordered_set>

namespace midst::metrics {
namespace {

/// Suffixes under which a family of this type writes its samples.
std::span<const std::string_view> sample_suffixes(MetricType type) {
  static constexpr std::array<std::string_view, 1> plain{""};
  static constexpr std::array<std::string_view, 4> histogram{"", "_bucket", "_sum", "_count"};
  static constexpr std::array<std::string_view, 3> summary{"", "_sum", "_count"};
  if (type == MetricType::histogram) return histogram;
  if (type == MetricType::summary) return summary;
  return plain;
}

class Merger {
 public:
  void add(const Family& family) {
    if (const auto known = by_name_.find(family.name); known != by_name_.end()) {
      append_part(page_.families[known->second], family);
      return;
    }
    if (!claim_sample_names(family)) {
      page_.conflicting.emplace_back(family.name);
      return;
    }
    by_name_.emplace(family.name, page_.families.size());
    page_.families.push_back({&family, false, false, {}});
    page_.families.back().parts.push_back({&family, {}});
    page_.sample_count += family.labels.size();
  }

  Exposition finish() {
    for (auto& family : page_.families) {
      const auto type = family.head->type;
      if (type == MetricType::counter) family.strips_total = claim_stripped(family.head->name, "_total");
      if (type == MetricType::info) family.strips_info = claim_stripped(family.head->name, "_info");
    }
    return std::move(page_);
  }

 private:
  bool claim_sample_names(const Family& family) {
    for (const auto suffix : sample_suffixes(family.type))
      if (sample_names_.contains(std::string(family.name).append(suffix))) return false;
    for (const auto suffix : sample_suffixes(family.type))
      sample_names_.insert(std::string(family.name).append(suffix));
    return true;
  }

  /// Takes the name without its suffix for one family, unless it is a name on the page already. "_created" belongs to
  /// an OpenMetrics counter even when it is not written.
  bool claim_stripped(std::string_view name, std::string_view suffix) {
    if (!name.ends_with(suffix) || name.size() == suffix.size()) return false;
    const std::string stripped(name.substr(0, name.size() - suffix.size()));
    if (sample_names_.contains(stripped + "_created")) return false;
    return sample_names_.insert(stripped).second;
  }

  void append_part(MergedFamily& merged, const Family& family) {
    if (merged.head->type != family.type) {
      page_.conflicting.emplace_back(family.name);
      return;
    }
    std::unordered_set<std::string_view> seen;
    for (const auto& part : merged.parts)
      for (const auto& labels : part.family->labels) seen.insert(labels.text);
    MergedFamily::Part part{&family, {}};
    for (std::uint32_t i = 0; i < family.labels.size(); ++i)
      if (!seen.insert(family.labels[i].text).second) part.skipped.push_back(i);
    page_.duplicate_samples += part.skipped.size();
    page_.sample_count += family.labels.size() - part.skipped.size();
    merged.parts.push_back(std::move(part));
  }

  Exposition page_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::unordered_set<std::string> sample_names_;
};

}  // namespace

Exposition merge(std::vector<std::shared_ptr<const Snapshot>> snapshots) {
  Merger merger;
  for (const auto& snapshot : snapshots)
    for (const auto& family : snapshot->families()) merger.add(family);
  Exposition page = merger.finish();
  page.snapshots = std::move(snapshots);
  return page;
}

}  // namespace midst::metrics
