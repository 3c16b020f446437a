// The Store's look into the memory of clients: what has grown there counts, at each page and when a connection ends.
#include "agent/ingest/instance.hpp"

#include <algorithm>

namespace midst::ingest {

void Store::share(std::uint64_t key, std::unique_ptr<SharedCells> cells) {
  auto& instance = *attached_.at(key);
  instance.cells = std::move(cells);
  instance.shared_series.clear();
}

/// What has grown goes the way of a SNAP, so that it is in the file as well.
void Store::take_shared(Instance& instance) {
  if (!instance.cells) return;
  auto& cells = *instance.cells;
  const InUse in_use(instance.is_in_use);
  // A retired instance uses no families; what is new waits until it is back.
  const auto found = instance.is_retired ? SharedCells::Definitions() : cells.news();
  for (const auto& family : found.families)
    if (define(instance, family) == Refusal::none) log_message(record::family, instance.id, family);
  for (const auto& series : found.series) {
    std::ignore = define(instance, series);
    log_message(record::series, instance.id, series);
    instance.shared_series.emplace_back(series.id, *series.cell);
  }
  if (!found.series.empty()) std::sort(instance.shared_series.begin(), instance.shared_series.end());
  cells.refresh();
  wire::SnapEncoder encoder;
  std::size_t news = 0;
  for (const auto& [id, cell] : instance.shared_series) {
    if (id >= instance.series.size() || instance.series[id].series == none) continue;
    news += add_shared(instance, id, cell, encoder);
  }
  if (news == 0) return;
  wire::Snap head;
  head.seq = std::max<std::uint64_t>(instance.last_seq, 1);
  std::string frame;
  encoder.finish(frame, head);
  const auto snap = wire::decode_snap(std::string_view(frame).substr(wire::header_bytes));
  log(record::snap, instance.id, snap->payload);
  std::ignore = apply(instance, *snap);
}

/// Taking one may make room by forgetting another.
void Store::take_all_shared() {
  std::vector<wire::InstanceId> sharing;
  for (const auto& [id, instance] : instances_)
    if (instance->cells) sharing.push_back(id);
  for (const auto& id : sharing)
    if (const auto found = instances_.find(id); found != instances_.end()) take_shared(*found->second);
}

/// @return 1 when the series has grown and was added.
std::size_t Store::add_shared(const Instance& instance, std::uint32_t id, std::uint32_t cell,
                              wire::SnapEncoder& encoder) {
  const auto& series = instance.series[id];
  if (series.kind == wire::MetricKind::counter) {
    const auto whole = instance.cells->whole(cell);
    const auto rest = instance.cells->real(cell + 1);
    const auto value = static_cast<double>(whole) + rest;
    if (!(value > series.last)) return 0;
    if (rest == 0 && whole < wire::first_inexact)
      encoder.add(id, whole);
    else
      encoder.add(id, value);
    return 1;
  }
  if (series.kind != wire::MetricKind::histogram) return 0;
  const auto count = table_.bucket_count(table_.family_of(series.series));
  buckets_.resize(count);
  bool has_grown = false;
  for (std::size_t i = 0; i < count; ++i) {
    buckets_[i] = instance.cells->whole(cell + static_cast<std::uint32_t>(i));
    has_grown = has_grown || buckets_[i] > instance.buckets[series.buckets + i];
  }
  if (!has_grown) return 0;
  encoder.add(id, buckets_, instance.cells->real(cell + static_cast<std::uint32_t>(count)));
  return 1;
}

}  // namespace midst::ingest
