#include "agent/ingest/store.hpp"

#include "agent/ingest/instance.hpp"
#include "lib/net/sockets.hpp"
#include "lib/push/packed.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

namespace midst::ingest {
namespace {

std::uint64_t random_epoch() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32 | device()) | 1;
}

}  // namespace

std::size_t Store::HashInstance::operator()(const wire::InstanceId& id) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, id.data(), sizeof hash);  // the id is random
  return hash;
}

Store::Store(StoreLimits limits) : limits_(limits), epoch_(random_epoch()), table_(std::move(limits)) {
}

Store::~Store() = default;

Store::Attachment Store::attach(const wire::Hello& hello, const Peer& peer, SteadyTime now) {
  sweep(now);
  Attachment made;
  auto& instance = find_or_make(hello, made.welcome);
  if (instance.key != 0) {
    attached_.erase(instance.key);
    counters_.count(Disconnect::superseded);
  }
  attach(instance, hello);
  log_message(record::attach, instance.id, hello);
  instance.key = made.key = ++last_key_;
  instance.peer = peer;
  attached_.emplace(made.key, &instance);
  made.welcome.epoch = epoch_;
  made.welcome.max_series = static_cast<std::uint32_t>(limits_.max_series_per_client);
  made.welcome.last_seq = instance.last_seq;
  return made;
}

void Store::attach(Instance& instance, const wire::Hello& hello) {
  if (std::exchange(instance.is_retired, false))
    for (const auto family : instance.families)
      if (family != none) table_.add_user(family);
  instance.resource = hello.resource;
  instance.library = hello.library;
}

/// An unknown instance that has told an agent its totals was counted and forgotten, by us or with a state that is gone.
/// Were it counted whole now, the totals would seem to have grown by all of it in a moment, or, with others still to
/// come back, to have been reset in part. So only what it adds from here on counts.
Store::Instance& Store::find_or_make(const wire::Hello& hello, wire::Welcome& welcome) {
  const auto found = instances_.find(hello.instance);
  if (found != instances_.end()) {
    welcome.wants_full = found->second->is_retired || found->second->last_seq == 0;
    return *found->second;
  }
  make_room();
  auto instance = std::make_unique<Instance>();
  instance->id = hello.instance;
  instance->is_baseline = hello.agent_epoch != 0;
  ++counters_.instances;
  welcome.wants_full = true;
  return *instances_.emplace(hello.instance, std::move(instance)).first->second;
}

void Store::make_room() {
  while (instances_.size() >= limits_.max_instances)
    if (!forget_oldest()) return;  // all connected: the listener's limit bounds them
}

bool Store::forget_oldest() {
  Instance* oldest = nullptr;
  for (const auto& [id, instance] : instances_)
    if (instance->key == 0 && !instance->is_in_use && (oldest == nullptr || instance->lost_at < oldest->lost_at))
      oldest = instance.get();
  if (oldest == nullptr) return false;
  if (!oldest->is_retired) retire(*oldest);
  log(record::forget, oldest->id, {});
  forget(wire::InstanceId(oldest->id));
  return true;
}

void Store::forget(const wire::InstanceId& id) {
  const auto found = instances_.find(id);
  client_values_ -= found->second->series.size() + found->second->buckets.size();
  instances_.erase(found);
}

bool Store::grow(Instance& instance, std::size_t series, std::size_t buckets) {
  const auto more_series = series - std::min(series, instance.series.size());
  while (client_values_ + more_series + buckets > limits_.max_client_values)
    if (!forget_oldest()) return false;
  instance.series.resize(instance.series.size() + more_series);
  instance.buckets.resize(instance.buckets.size() + buckets);
  client_values_ += more_series + buckets;
  return true;
}

Refusal Store::define(std::uint64_t key, const wire::FamilyDefinition& definition) {
  auto& instance = *attached_.at(key);
  const auto reason = define(instance, definition);
  if (reason == Refusal::none) log_message(record::family, instance.id, definition);
  return reason;
}

Refusal Store::define(Instance& instance, const wire::FamilyDefinition& definition) {
  const auto refuse = [&](Refusal reason) {
    if (instance.refused_families.insert(definition.id).second)
      ++counters_.families_refused[static_cast<std::size_t>(reason)];
    return reason;
  };
  if (definition.id >= limits_.max_families_per_client) {
    ++counters_.families_refused[static_cast<std::size_t>(Refusal::too_many)];
    return Refusal::too_many;
  }
  if (definition.id >= instance.families.size()) instance.families.resize(definition.id + 1, none);
  const auto has_it = [&](const Contributor* other) { return other->has_family(definition.name); };
  if (std::any_of(contributors_.begin(), contributors_.end(), has_it)) return refuse(Refusal::type_conflict);
  std::optional<std::uint32_t> replaced;
  const auto found = table_.define(definition, replaced);
  if (replaced) forget_users_of(*replaced);
  auto& known = instance.families[definition.id];
  if (found.reason != Refusal::none) return refuse(found.reason);
  if (known == found.index) return Refusal::none;
  if (known != none) return refuse(Refusal::redefined);
  known = found.index;
  table_.add_user(found.index);
  return Refusal::none;
}

/// The family was replaced, so only retired instances still mean it; they are forgotten with their old values.
void Store::forget_users_of(std::uint32_t family) {
  std::vector<wire::InstanceId> users;
  for (const auto& [id, instance] : instances_) {
    const auto& families = instance->families;
    if (instance->is_retired && std::find(families.begin(), families.end(), family) != families.end())
      users.push_back(id);
  }
  for (const auto& id : users) forget(id);
}

Refusal Store::count(Refusal reason) {
  if (reason != Refusal::none) ++counters_.series_refused[static_cast<std::size_t>(reason)];
  return reason;
}

Refusal Store::define(std::uint64_t key, const wire::SeriesDefinition& definition) {
  auto& instance = *attached_.at(key);
  const auto reason = define(instance, definition);
  log_message(record::series, instance.id, definition);
  return reason;
}

Refusal Store::define(Instance& instance, const wire::SeriesDefinition& definition) {
  // Beyond its limit a client still has its overflow series, one a family.
  if (definition.id >= limits_.max_series_per_client + limits_.max_families_per_client)
    return count(Refusal::client_limit);
  if (!grow(instance, definition.id + std::size_t{1}, 0)) return count(Refusal::total_limit);
  auto& series = instance.series[definition.id];
  // One that is defined by memory and by frame, or again after a reconnect, is counted once.
  const auto refuse = [&](Refusal reason) {
    return series.series == none && std::exchange(series.is_refused, true) ? reason : count(reason);
  };
  if (definition.family >= instance.families.size() || instance.families[definition.family] == none)
    return refuse(Refusal::unknown_family);
  const auto family = instance.families[definition.family];
  const auto growth = instance.own_series >= limits_.max_series_per_client ? SeriesTable::Growth::client_is_full
                                                                           : SeriesTable::Growth::allowed;
  if (series.series != none && table_.family_of(series.series) != family) return count(Refusal::redefined);
  const auto found = table_.define(family, definition.label_values, growth);
  if (found.index == none) return refuse(found.reason);
  if (series.series != none) {  // said again after a reconnect; what was diverted stays so
    const bool is_same = series.series == found.index || table_.is_overflow(series.series);
    return is_same ? Refusal::none : count(Refusal::redefined);
  }
  const auto kind = table_.kind(family);
  const auto first_bucket = instance.buckets.size();
  if (kind == wire::MetricKind::histogram && !grow(instance, 0, table_.bucket_count(family)))
    return refuse(Refusal::total_limit);
  series.series = found.index;
  series.kind = kind;
  series.is_refused = false;
  if (!table_.is_overflow(found.index)) ++instance.own_series;
  if (series.kind == wire::MetricKind::gauge) table_.add_reporter(found.index);
  if (series.kind == wire::MetricKind::histogram) series.buckets = static_cast<std::uint32_t>(first_bucket);
  return count(found.reason);
}

/// In the file first: what a page has shown, or an ACK has promised, is there whenever the process ends.
Result<Done> Store::apply(std::uint64_t key, const wire::Snap& snap) {
  auto& instance = *attached_.at(key);
  if (snap.seq <= instance.last_seq) return Done{};  // said before; gauges may have moved on since
  log(record::snap, instance.id, snap.payload);
  return apply(instance, snap);
}

Result<Done> Store::apply(Instance& instance, const wire::Snap& snap) {
  if (!apply_scalars(instance, snap.integer_ids, snap.integer_values, {}) ||
      !apply_scalars(instance, snap.double_ids, {}, snap.double_values))
    return Error{Errc::protocol, "push frame: SNAP: ids and values do not match"};
  for (const auto point : snap.histograms)
    if (!apply_histogram(instance, point)) return Error{Errc::protocol, "push frame: SNAP: a histogram is malformed"};
  if (!apply_removed(instance, snap.removed_ids))
    return Error{Errc::protocol, "push frame: SNAP: the removed ids are malformed"};
  for (const auto exemplar : snap.exemplars)
    if (!apply_exemplar(instance, exemplar)) return Error{Errc::protocol, "push frame: SNAP: an exemplar is malformed"};
  if (!snap.is_last) return Done{};
  instance.last_seq = snap.seq;
  instance.is_baseline = false;
  add_report(instance, snap.report);
  return Done{};
}

/// @return the client's series, or nullptr, counted, when it has no place in the table.
Store::ClientSeries* Store::find_series(Instance& instance, std::uint32_t id) {
  if (id < instance.series.size() && instance.series[id].series != none) return &instance.series[id];
  counters_.count(id < instance.series.size() && instance.series[id].is_refused ? Drop::refused_series
                                                                                : Drop::unknown_series);
  return nullptr;
}

inline void Store::apply_scalar(Instance& instance, std::uint32_t id, double value) {
  auto* const series = find_series(instance, id);
  if (series == nullptr) return;
  if (series->kind == wire::MetricKind::gauge) {
    series->last = value;
    series->has_value = true;
    table_.note(series->series, value);
    ++counters_.samples;
    return;
  }
  if (series->kind != wire::MetricKind::counter || !std::isfinite(value)) return counters_.count(Drop::invalid_value);
  if (value < series->last) {
    // What is read from shared memory overtakes the SNAP on its way.
    if (!instance.cells) counters_.count(Drop::counter_decrease);
    return;
  }
  const bool is_counted_already = instance.is_baseline && !series->has_value;
  if (!is_counted_already) table_.add(series->series, value - series->last);
  series->last = value;
  series->has_value = true;
  ++counters_.samples;
}

bool Store::apply_scalars(Instance& instance, std::string_view ids, std::string_view integers,
                          std::string_view doubles) {
  std::uint32_t id = 0;
  const bool are_doubles = !doubles.empty();
  while (!ids.empty()) {
    if (!wire::take_id(ids, id)) return false;
    double value = 0;
    if (are_doubles) {
      if (!wire::take_double(doubles, value)) return false;
    } else {
      std::uint64_t whole = 0;
      if (!wire::take_varint(integers, whole)) return false;
      value = static_cast<double>(whole);
    }
    apply_scalar(instance, id, value);
  }
  return integers.empty() && doubles.empty();
}

bool Store::apply_histogram(Instance& instance, std::string_view bytes) {
  const auto point = wire::decode_histogram(bytes);
  if (!point) return false;
  buckets_.clear();
  auto rest = point->buckets;
  std::uint64_t bucket = 0;
  while (buckets_.size() <= wire::max_bounds && wire::take_varint(rest, bucket)) buckets_.push_back(bucket);
  if (!rest.empty()) return false;
  auto* const series = find_series(instance, point->id);
  if (series == nullptr) return true;
  if (series->kind != wire::MetricKind::histogram || !std::isfinite(point->sum))
    counters_.count(Drop::invalid_value);
  else
    add_histogram(instance, *series, buckets_, point->sum);
  return true;
}

void Store::add_histogram(Instance& instance, ClientSeries& series, std::span<const std::uint64_t> buckets,
                          double sum) {
  const auto totals = table_.buckets(series.series);
  if (buckets.size() != totals.size()) return counters_.count(Drop::bucket_mismatch);
  const std::span last(instance.buckets.data() + series.buckets, totals.size());
  for (std::size_t i = 0; i < totals.size(); ++i)
    if (buckets[i] < last[i]) {
      if (!instance.cells) counters_.count(Drop::counter_decrease);
      return;
    }
  const bool is_counted_already = instance.is_baseline && !series.has_value;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (!is_counted_already) totals[i] += buckets[i] - last[i];
    last[i] = buckets[i];
  }
  if (!is_counted_already) table_.add(series.series, sum - series.last);
  series.last = sum;
  series.has_value = true;
  ++counters_.samples;
}

bool Store::apply_removed(Instance& instance, std::string_view ids) {
  std::uint32_t id = 0;
  while (!ids.empty()) {
    if (!wire::take_id(ids, id)) return false;
    auto* const series = find_series(instance, id);
    if (series == nullptr) continue;
    if (series->kind == wire::MetricKind::gauge) {
      series->has_value = false;
      table_.clear(series->series);
    } else {
      counters_.count(Drop::invalid_value);
    }
  }
  return true;
}

bool Store::apply_exemplar(Instance& instance, std::string_view bytes) {
  const auto exemplar = wire::decode_exemplar(bytes);
  if (!exemplar) return false;
  const auto* series = find_series(instance, exemplar->id);
  if (series == nullptr) return true;
  const auto buckets = series->kind == wire::MetricKind::histogram ? table_.buckets(series->series).size() : 1;
  if (series->kind == wire::MetricKind::gauge || exemplar->bucket >= buckets || !std::isfinite(exemplar->value) ||
      !exemplar->trace.is_valid())
    counters_.count(Drop::invalid_value);
  else if (!table_.note(series->series, *exemplar))
    counters_.count(Drop::exemplar_limit);
  return true;
}

void Store::add_report(Instance& instance, const wire::ClientReport& report) {
  const auto grow = [](std::uint64_t& total, std::uint64_t& last, std::uint64_t now) {
    if (now <= last) return;
    total += now - std::exchange(last, now);
  };
  auto& last = instance.report;
  grow(counters_.clients.skipped_flushes, last.skipped_flushes, report.skipped_flushes);
  grow(counters_.clients.reconnects, last.reconnects, report.reconnects);
  grow(counters_.clients.send_errors, last.send_errors, report.send_errors);
  grow(counters_.clients.overflowed_series, last.overflowed_series, report.overflowed_series);
}

void Store::detach(std::uint64_t key, SteadyTime now) {
  const auto found = attached_.find(key);
  if (found == attached_.end()) return;
  auto& instance = *found->second;
  attached_.erase(found);
  instance.key = 0;
  take_shared(instance);
  // Kept even if nothing was applied yet: forgotten, it would come back as one that has been counted before.
  instance.lost_at = now;
}

void Store::retire(std::uint64_t key) {
  const auto found = attached_.find(key);
  if (found == attached_.end()) return;
  auto& instance = *found->second;
  attached_.erase(found);
  retire(instance);
  log(record::forget, instance.id, {});
  forget(wire::InstanceId(instance.id));
}

/// Takes the instance's gauges off the page. What it has counted stays in the totals and in its memory, so that it
/// neither disappears nor counts twice should the instance come back after all.
void Store::retire(Instance& instance) {
  log(record::retire, instance.id, {});
  instance.is_retired = true;
  instance.key = 0;
  for (auto& series : instance.series) {
    if (series.series == none || series.kind != wire::MetricKind::gauge) continue;
    if (!table_.is_overflow(series.series)) --instance.own_series;
    table_.remove_reporter(series.series);
    series = ClientSeries{};
  }
  for (const auto family : instance.families)
    if (family != none) table_.remove_user(family);
}

void Store::sweep(SteadyTime now) {
  for (const auto& [id, instance] : instances_)
    if (instance->key == 0 && !instance->is_retired && instance->lost_at + limits_.grace <= now) retire(*instance);
  forget_the_dead();
}

/// A client whose process has ended never comes back: it goes at once, like one that has said so.
void Store::forget_the_dead() {
  std::vector<wire::InstanceId> dead;
  for (const auto& [id, instance] : instances_)
    if (instance->key == 0 && instance->peer.pid > 0 && net::has_ended(instance->peer.pid)) dead.push_back(id);
  for (const auto& id : dead) {
    auto& instance = *instances_.at(id);
    take_shared(instance);
    if (!instance.is_retired) retire(instance);
    log(record::forget, id, {});
    forget(id);
  }
}

metrics::Snapshot Store::snapshot(SteadyTime now) {
  sweep(now);
  take_all_shared();
  save_contributors();
  table_.begin_merge();
  for (const auto& [id, instance] : instances_)
    for (const auto& series : instance->series)
      if (series.kind == wire::MetricKind::gauge && series.has_value) table_.merge(series.series, series.last);
  metrics::SnapshotBuilder builder;
  write(builder, counters_, levels());
  table_.write(builder);
  for (auto* contributor : contributors_) contributor->write(builder, now);
  return builder.freeze();
}

std::vector<metrics::MetricSpec> Store::specs() const {
  auto all = own_specs();
  for (const auto* contributor : contributors_) {
    const auto more = contributor->specs();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

namespace {

std::string hexadecimal(const wire::InstanceId& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : id) text.append({digits[byte >> 4], digits[byte & 15]});
  return text;
}

}  // namespace

std::vector<ClientInfo> Store::clients() const {
  std::vector<ClientInfo> infos;
  for (const auto& [id, instance] : instances_) {
    if (instance->is_retired) continue;
    infos.push_back({hexadecimal(id), instance->resource, instance->library, instance->peer, instance->key != 0,
                     instance->own_series, instance->last_seq, instance->cells != nullptr});
  }
  return infos;
}

Levels Store::levels() const {
  const auto is_lost = [](const auto& entry) { return entry.second->key == 0 && !entry.second->is_retired; };
  const auto lost = std::count_if(instances_.begin(), instances_.end(), is_lost);
  return {attached_.size(), static_cast<std::size_t>(lost), table_.series_count(), table_.family_count(),
          file_ != nullptr};
}

asio::awaitable<Result<metrics::Snapshot>> Store::collect(Deadline) {
  co_return snapshot(std::chrono::steady_clock::now());
}

metrics::Snapshot Store::down(const Error&) const {
  metrics::SnapshotBuilder builder;
  return builder.freeze();
}

}  // namespace midst::ingest
