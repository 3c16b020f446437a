// The Store's state as bytes, in both directions: a checkpoint holds everything, a record what happened after it, and
// replaying records goes through the same functions as what clients send.
#include "agent/ingest/instance.hpp"
#include "lib/base/log.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

namespace midst::ingest {
namespace {

using wire::append_fixed64;
using wire::append_varint;

/// Of the checkpoint's format; another one is not read.
constexpr std::uint64_t format = 1;

void append_text(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out.append(text);
}

void append_double(std::string& out, double value) {
  append_fixed64(out, std::bit_cast<std::uint64_t>(value));
}

/// `none` is written as 0.
void append_index(std::string& out, std::uint32_t index) {
  append_varint(out, index == none ? 0 : std::uint64_t{index} + 1);
}

/// Takes values off the front of bytes that may be anything; once one was not there, nothing is.
class Reader {
 public:
  explicit Reader(std::string_view& rest) : rest_(rest) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    is_good_ = is_good_ && wire::take_varint(rest_, value);
    return is_good_ ? value : 0;
  }
  /// @return a number of things of at least one byte each that follow, or 0 when there cannot be so many.
  std::size_t count() {
    const auto value = number();
    is_good_ = is_good_ && value <= rest_.size();
    return is_good_ ? value : 0;
  }
  double real() {
    double value = 0;
    is_good_ = is_good_ && wire::take_double(rest_, value);
    return is_good_ ? value : 0;
  }
  std::string_view text() {
    const auto size = count();
    const auto value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  /// @return the place that `now` gives to an index, none for none.
  std::uint32_t index(const std::vector<std::uint32_t>& now) {
    const auto value = number();
    if (value == 0) return none;
    is_good_ = is_good_ && value <= now.size();
    return is_good_ ? now[value - 1] : none;
  }
  [[nodiscard]] bool is_good() const { return is_good_; }
  bool check(bool holds) { return is_good_ = is_good_ && holds; }

 private:
  std::string_view& rest_;
  bool is_good_ = true;
};

std::string_view payload_of(std::string_view frame) {
  return frame.substr(std::min(frame.size(), wire::header_bytes));
}

}  // namespace

// --- the table

void SeriesTable::save(std::string& out) const {
  std::string frame;
  append_varint(out, families_.size());
  for (const auto& family : families_) {
    frame.clear();
    if (!family.definition.name.empty()) wire::encode(frame, family.definition);
    append_text(out, payload_of(frame));
    append_index(out, family.overflow);
  }
  append_varint(out, series_.size());
  for (std::size_t i = 0; i < series_.size(); ++i) {
    const auto& series = series_[i];
    append_index(out, series.family);
    if (series.family == none) continue;
    append_text(out, series.labels);
    append_varint(out, series.has_value ? 1 : 0);
    append_double(out, totals_[i]);
    if (series.buckets != none)
      for (const auto count : histograms_[series.buckets]) append_varint(out, count);
  }
}

std::optional<SeriesTable::Restored> SeriesTable::restore(std::string_view& rest) {
  Reader in(rest);
  Restored made;
  std::vector<std::uint64_t> overflows;
  for (auto left = in.count(); left > 0 && in.is_good(); --left) {
    const auto payload = in.text();
    overflows.push_back(in.number());
    made.families.push_back(none);
    if (payload.empty()) continue;
    const auto definition = wire::decode_family(payload);
    std::optional<std::uint32_t> replaced;
    if (!in.check(definition.has_value())) break;
    const auto found = define(*definition, replaced);
    in.check(!replaced && found.reason == Refusal::none);
    made.families.back() = found.index;
  }
  for (auto left = in.count(); left > 0 && in.is_good(); --left) {
    made.series.push_back(none);
    const auto saved = in.number();
    if (saved == 0) continue;
    if (!in.check(saved <= made.families.size())) break;
    const auto family = made.families[saved - 1];
    std::string labels(in.text());
    const bool has_value = in.number() != 0;
    const auto total = in.real();
    if (!in.check(family != none && !families_[family].by_labels.contains(labels))) break;
    if (!in.check(kind(family) == wire::MetricKind::gauge || std::isfinite(total))) break;
    const auto index = made.series.back() = make(family, std::move(labels));
    series_[index].has_value = has_value;
    totals_[index] = total;
    if (series_[index].buckets != none)
      for (auto& count : histograms_[series_[index].buckets]) count = in.number();
    if (overflows[saved - 1] == made.series.size()) families_[family].overflow = index;
  }
  if (!in.is_good()) return std::nullopt;
  return made;
}

// --- the checkpoint

std::string Store::save() const {
  std::string out;
  append_varint(out, format);
  append_fixed64(out, epoch_);
  table_.save(out);
  append_varint(out, instances_.size());
  for (const auto& [id, instance] : instances_) {
    out.append(reinterpret_cast<const char*>(id.data()), id.size());
    append_varint(out, (instance->is_retired ? 1U : 0U) | (instance->is_baseline ? 2U : 0U));
    append_varint(out, instance->last_seq);
    append_text(out, instance->resource);
    append_text(out, instance->library);
    const auto& report = instance->report;
    for (const auto count : {report.skipped_flushes, report.reconnects, report.send_errors, report.overflowed_series})
      append_varint(out, count);
    append_varint(out, instance->families.size());
    for (const auto family : instance->families) append_index(out, family);
    append_varint(out, instance->buckets.size());
    for (const auto count : instance->buckets) append_varint(out, count);
    append_varint(out, instance->series.size());
    for (const auto& series : instance->series) {
      append_index(out, series.series);
      append_varint(out, (series.has_value ? 1U : 0U) | (series.is_refused ? 2U : 0U));
      if (series.series == none) continue;
      append_varint(out, series.buckets);
      append_double(out, series.last);
    }
  }
  append_varint(out, contributors_.size());
  for (const auto* contributor : contributors_) append_text(out, contributor->state());
  return out;
}

bool Store::load(std::string_view rest, SteadyTime now) {
  Reader in(rest);
  if (!in.check(in.number() == format && rest.size() >= sizeof epoch_)) return false;
  std::memcpy(&epoch_, rest.data(), sizeof epoch_);
  rest.remove_prefix(sizeof epoch_);
  const auto table = table_.restore(rest);
  if (!in.check(table && epoch_ != 0)) return false;
  for (auto left = in.count(); left > 0; --left)
    if (!load_instance(rest, *table, now)) return false;
  const auto contributors = in.count();
  for (std::size_t i = 0; i < contributors && in.is_good(); ++i) {
    const auto state = in.text();
    if (i < contributors_.size() && in.is_good()) in.check(contributors_[i]->restore(state).has_value());
  }
  return in.check(rest.empty());
}

bool Store::load_instance(std::string_view& rest, const SeriesTable::Restored& table, SteadyTime now) {
  Reader in(rest);
  auto made = std::make_unique<Instance>();
  auto& instance = *made;
  if (!in.check(rest.size() >= instance.id.size())) return false;
  std::memcpy(instance.id.data(), rest.data(), instance.id.size());
  rest.remove_prefix(instance.id.size());
  const auto flags = in.number();
  instance.is_retired = (flags & 1) != 0;
  instance.is_baseline = (flags & 2) != 0;
  instance.lost_at = now;
  instance.last_seq = in.number();
  instance.resource = in.text();
  instance.library = in.text();
  auto& report = instance.report;
  for (auto* count : {&report.skipped_flushes, &report.reconnects, &report.send_errors, &report.overflowed_series})
    *count = in.number();
  for (auto left = in.count(); left > 0; --left) instance.families.push_back(in.index(table.families));
  for (auto left = in.count(); left > 0; --left) instance.buckets.push_back(in.number());
  for (auto left = in.count(); left > 0 && in.is_good(); --left) {
    auto& series = instance.series.emplace_back();
    series.series = in.index(table.series);
    const auto state = in.number();
    series.has_value = (state & 1) != 0;
    series.is_refused = (state & 2) != 0;
    if (series.series == none) continue;
    const auto family = table_.family_of(series.series);
    series.kind = table_.kind(family);
    series.buckets = static_cast<std::uint32_t>(in.number());
    series.last = in.real();
    const auto buckets = series.kind == wire::MetricKind::histogram ? table_.bucket_count(family) : 0;
    if (!in.check(series.buckets <= instance.buckets.size() && buckets <= instance.buckets.size() - series.buckets))
      return false;
    if (!table_.is_overflow(series.series)) ++instance.own_series;
    if (series.kind == wire::MetricKind::gauge) table_.add_reporter(series.series);
  }
  if (!in.is_good()) return false;
  if (!instance.is_retired)
    for (const auto family : instance.families)
      if (family != none) table_.add_user(family);
  client_values_ += instance.series.size() + instance.buckets.size();
  const auto id = instance.id;
  return instances_.emplace(id, std::move(made)).second;
}

// --- the records

bool Store::replay(std::string_view bytes, SteadyTime now) {
  const char type = bytes.front();
  bytes.remove_prefix(1);
  if (type == record::contributor) {
    Reader in(bytes);
    const auto index = in.number();
    return in.is_good() && (index >= contributors_.size() || contributors_[index]->restore(bytes).has_value());
  }
  wire::InstanceId id{};
  if (bytes.size() < id.size()) return false;
  std::memcpy(id.data(), bytes.data(), id.size());
  bytes.remove_prefix(id.size());
  if (type == record::attach) {
    const auto hello = wire::decode_hello(payload_of(bytes));
    if (!hello || hello->instance != id) return false;
    wire::Welcome ignored;
    auto& instance = find_or_make(*hello, ignored);
    attach(instance, *hello);
    instance.lost_at = now;
    return true;
  }
  const auto found = instances_.find(id);
  if (found == instances_.end()) return type == record::retire || type == record::forget;
  auto& instance = *found->second;
  if (type == record::retire) {
    retire(instance);
  } else if (type == record::forget) {
    forget(id);
  } else if (type == record::family) {
    const auto definition = wire::decode_family(payload_of(bytes));
    return definition && (define(instance, *definition), true);
  } else if (type == record::series) {
    const auto definition = wire::decode_series(payload_of(bytes));
    return definition && (define(instance, *definition), true);
  } else if (type == record::snap) {
    const auto snap = wire::decode_snap(bytes);
    // One that breaks off was the end of its connection, and was applied as far as it went.
    return snap && (std::ignore = apply(instance, *snap), true);
  } else {
    return false;
  }
  return true;
}

Result<Done> Store::restore(const StateContents& contents, SteadyTime now) {
  bool is_good = contents.checkpoint.empty() || load(contents.checkpoint, now);
  for (const auto bytes : contents.records) is_good = is_good && replay(bytes, now);
  counters_ = Counters{};
  if (is_good) return Done{};
  start_over();
  return Error{Errc::protocol, "the state does not hold together"};
}

void Store::start_over() {
  instances_.clear();
  client_values_ = 0;
  table_ = SeriesTable(limits_);
  for (auto* contributor : contributors_) std::ignore = contributor->restore({});
}

Result<Done> Store::keep_state(const std::string& path, SteadyTime now) {
  auto opened = StateFile::open(path);
  if (!opened) return opened.error();
  auto why = opened->set_aside;
  if (why.empty()) {
    const auto restored = restore(opened->contents, now);
    if (!restored) {
      why = restored.error().message;
      opened->file.reset();
      if (const auto aside = StateFile::set_aside(path); !aside) return aside.error();
      opened = StateFile::open(path);
      if (!opened) return opened.error();
    }
  }
  if (!why.empty()) {
    counters_.state_set_aside = 1;
    log::warn("push: the state was not used and lies beside as .damaged; totals begin anew, clients go on counting",
              {{"path", path}, {"reason", why}});
  }
  file_ = std::move(opened->file);
  write_checkpoint();
  return Done{};
}

void Store::save_contributors() {
  saved_contributors_.resize(contributors_.size());
  for (std::size_t i = 0; i < contributors_.size() && file_; ++i) {
    const auto state = contributors_[i]->state();
    const auto digest = std::hash<std::string>()(state);
    if (std::exchange(saved_contributors_[i], digest) == digest) continue;
    record_.assign(1, record::contributor);
    append_varint(record_, i);
    record_.append(state);
    if (!file_->append(record_)) write_checkpoint();
  }
}

void Store::log(char type, const wire::InstanceId& id, std::string_view payload) {
  if (!file_) return;
  const auto fill = [&] {
    record_.assign(1, type);
    record_.append(reinterpret_cast<const char*>(id.data()), id.size());
    record_.append(payload);
  };
  fill();
  if (file_->append(record_)) return;
  write_checkpoint();
  // A checkpoint leaves room for any frame.
  if (file_ && !file_->append(record_)) lose_state({Errc::internal, "the state has no room for a frame"});
}

template <class Message>
void Store::log_message(char type, const wire::InstanceId& id, const Message& message) {
  if (!file_) return;
  std::string frame;
  wire::encode(frame, message);
  log(type, id, frame);
}

template void Store::log_message(char, const wire::InstanceId&, const wire::Hello&);
template void Store::log_message(char, const wire::InstanceId&, const wire::FamilyDefinition&);
template void Store::log_message(char, const wire::InstanceId&, const wire::SeriesDefinition&);

void Store::write_checkpoint() {
  if (!file_) return;
  if (const auto written = file_->checkpoint(save()); !written) return lose_state(written.error());
  ++counters_.state_checkpoints;
}

/// A file that is behind would bring back totals lower than those that pages have shown.
void Store::lose_state(const Error& error) {
  log::error("push: the state is kept no longer; after a restart totals begin anew", {{"error", error.message}});
  file_->remove();
  file_.reset();
}

}  // namespace midst::ingest
