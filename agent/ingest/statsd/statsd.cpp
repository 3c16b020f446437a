#include "agent/ingest/statsd/statsd.hpp"

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

namespace midst::ingest::statsd {
namespace {

/// Lines whose forms are looked up together, so that one's memory comes while another is taken apart.
constexpr std::size_t lines_at_once = 32;
constexpr std::size_t longest_line = 64 * 1024;
constexpr std::chrono::seconds event_log_interval{1};
constexpr std::size_t longest_logged_title = 200;
constexpr std::chrono::minutes drop_log_interval{1};

std::uint32_t seconds_of(SteadyTime now) noexcept {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

std::string_view between(const char* begin, const char* end) noexcept {
  return {begin, static_cast<std::size_t>(end - begin)};
}

const char* find(const char* begin, const char* end, char wanted) noexcept {
  return static_cast<const char*>(std::memchr(begin, wanted, static_cast<std::size_t>(end - begin)));
}

std::uint16_t at_most_15(unsigned count) noexcept {
  return static_cast<std::uint16_t>(std::min(count, 15U));
}

Oddities oddities_of(const Metric& metric, const Resolved& resolved) noexcept {
  const auto tags = [&](TagFault fault) { return at_most_15(resolved.tag_faults[static_cast<std::size_t>(fault)]); };
  Oddities oddities;
  oddities.skipped_sections = at_most_15(metric.skipped_sections) & 15U;
  oddities.malformed_tags = tags(TagFault::malformed) & 15U;
  oddities.duplicate_tags = tags(TagFault::duplicate) & 15U;
  oddities.bare_tags = tags(TagFault::bare) & 15U;
  return oddities;
}

void count(Counters& counters, const Oddities& oddities) noexcept {
  const auto tags = [&](TagFault fault) -> std::uint64_t& {
    return counters.tag_faults[static_cast<std::size_t>(fault)];
  };
  counters.skipped_sections += oddities.skipped_sections;
  tags(TagFault::malformed) += oddities.malformed_tags;
  tags(TagFault::duplicate) += oddities.duplicate_tags;
  tags(TagFault::bare) += oddities.bare_tags;
}

}  // namespace

Statsd::Statsd(StatsdOptions options)
    : options_(std::move(options)),
      resolver_(std::make_unique<Resolver>(std::move(options_.resolve))),
      table_(options_.limits, [this](std::string_view name) { return owner_of(name); }),
      memo_(options_.max_memo_bytes) {
}

void Statsd::set_rules(GaugeSign gauge_sign, ResolveOptions rules) {
  options_.gauge_sign = gauge_sign;
  resolver_ = std::make_unique<Resolver>(std::move(rules));
  memo_.clear();  // it knows what the old rules made of lines
}

Fault Statsd::owner_of(std::string_view name) const {
  const auto begins = [&](const std::string& prefix) { return name.starts_with(prefix); };
  const auto has = [&](const std::vector<std::string>& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), begins);
  };
  if (has(options_.reserved_prefixes) && !has(options_.unreserved_prefixes)) return Fault::reserved_name;
  return options_.is_taken && options_.is_taken(name) ? Fault::name_taken : Fault::none;
}

void Statsd::feed(std::string_view packet, Protocol protocol, SteadyTime now) {
  const bool is_statsd = options_.gauge_sign == GaugeSign::statsd ||
                         (options_.gauge_sign == GaugeSign::by_socket && protocol == Protocol::udp);
  const Context context{is_statsd ? MinusIs::change : MinusIs::number, seconds_of(now), now};
  auto& counts = counters_.of(protocol);
  ++counts.packets;
  counts.bytes += packet.size();
  std::array<Line, lines_at_once> lines;
  while (const auto cut_lines = cut(packet, lines)) {
    counts.lines += cut_lines;
    const std::span batch(lines.data(), cut_lines);
    look_up(batch);
    bool has_changed = false;  // a new line may have moved what the memo found for those behind it
    for (auto& line : batch) {
      if (has_changed) line.is_known = memo_.find(line.form, line.target);
      if (line.is_known) {
        take_known(line, context);
        continue;
      }
      take_new(line, context);
      has_changed = true;
    }
  }
}

/// Finds what is known of the lines. In steps, each of which asks for the memory of the next: with many series nearly
/// every look is one that the caches do not have.
void Statsd::look_up(std::span<Line> lines) const noexcept {
  const auto has_series = [](const Line& line) { return line.is_known && line.target.series != Table::none; };
  for (const auto& line : lines) memo_.prefetch_entry(line.form.hash);
  for (auto& line : lines) {
    line.is_known = memo_.find(line.form, line.target);
    if (has_series(line)) table_.prefetch(line.target.series);
  }
  for (const auto& line : lines)
    if (has_series(line)) table_.prefetch_buckets(line.target.series);
}

/// Cuts the next lines off the packet and hashes their forms. @return how many; 0 at the end.
std::size_t Statsd::cut(std::string_view& packet, std::span<Line> lines) const noexcept {
  const auto& keys = hash_keys();
  const char* at = packet.data();
  const char* const packet_end = at + packet.size();
  std::size_t count = 0;
  while (count < lines.size() && at != packet_end) {
    const char* const newline = find(at, packet_end, '\n');
    const char* end = newline == nullptr ? packet_end : newline;
    const char* const begin = std::exchange(at, newline == nullptr ? packet_end : newline + 1);
    if (end != begin && end[-1] == '\r') --end;
    if (end == begin) continue;
    auto& line = lines[count++];
    line.text = between(begin, end);
    const char* const colon = find(begin, end, ':');
    const char* const bar = colon == nullptr ? nullptr : find(colon, end, '|');
    if (bar == nullptr) {
      line.values = {};
      line.form = line_form(line.text, {}, keys);
    } else {
      line.values = between(colon + 1, bar);
      line.form = line_form(between(begin, colon), between(bar + 1, end), keys);
    }
    memo_.prefetch_slot(line.form.hash);
  }
  packet.remove_prefix(static_cast<std::size_t>(at - packet.data()));
  return count;
}

void Statsd::take_known(const Line& line, const Context& context) {
  const auto& target = line.target;
  if (target.oddities != Oddities{}) [[unlikely]]
    count(counters_, target.oddities);
  if (target.series == Table::none) [[unlikely]] {
    ++counters_.dropped_by_rule;
    return;
  }
  apply(target, line.values, context);
}

void Statsd::take_new(const Line& line, const Context& context) {
  if (line.text.size() > longest_line) return counters_.count(Fault::too_long);
  switch (statsd::kind_of(line.text)) {
    case LineKind::event:
      return take_event(line.text, context.now);
    case LineKind::check:
      return take_check(line.text, context.now_seconds);
    case LineKind::metric:
      return take_metric(line, context);
  }
}

void Statsd::take_metric(const Line& line, const Context& context) {
  // The value between is a number, or a member that is only counted.
  if (!text::is_utf8(line.form.before) || !text::is_utf8(line.form.behind)) return counters_.count(Fault::invalid_utf8);
  Metric metric;
  std::string_view more;
  auto fault = parse_metric(line.text, metric, more);
  const bool is_single = more.empty();
  for (;;) {
    Target target;
    if (metric.has_timestamp) ++counters_.timestamps;
    if (fault != Fault::none) {
      counters_.skipped_sections += metric.skipped_sections;
      counters_.count(fault);
    } else if (find_target(metric, target, context) && is_single && !metric.has_timestamp) {
      memo_.insert(line.form, target);
    }
    if (target.series != Table::none) apply(target, metric.values, context);
    if (more.empty()) return;
    fault = parse_more(metric, more);
  }
}

/// @return whether the target is worth remembering: faults and overflows are not, they may pass.
bool Statsd::find_target(const Metric& metric, Target& target, const Context& context) {
  const auto& resolved = resolver_->resolve(metric);
  target.oddities = oddities_of(metric, resolved);
  count(counters_, target.oddities);
  if (resolved.fault != Fault::none) {
    counters_.count(resolved.fault);
    return false;
  }
  if (resolved.is_dropped) {
    ++counters_.dropped_by_rule;
    return true;
  }
  labels_ = resolved.labels;
  const auto found = table_.find(resolved.family, labels_, resolved.ttl_seconds, context.now_seconds);
  if (memo_generation_ != table_.generation()) {
    memo_generation_ = table_.generation();
    memo_.clear();
  }
  if (found.fault != Fault::none) {
    counters_.count(found.fault);
    return false;
  }
  const bool is_weighed = resolved.family.kind == Kind::counter || resolved.family.kind == Kind::histogram;
  target.weight = is_weighed ? 1 / metric.rate : 1;
  target.scale = resolved.scale;
  target.divisor = resolved.divisor;
  target.series = found.series;
  ++counters_.overflowed[static_cast<std::size_t>(found.overflow)];
  return found.overflow == Overflow::none;
}

void Statsd::apply(const Target& target, std::string_view values, const Context& context) {
  const auto kind = table_.kind(target.series);
  if (kind == Kind::set) {
    if (const auto fault = table_.note_member(target.series, values, context.now_seconds); fault != Fault::none)
      counters_.count(fault);
    return;
  }
  const char* at = values.data();
  const char* const end = at + values.size();
  if (at == end) return counters_.count(Fault::malformed_value);
  while (at != end) {
    if (*at == ':') {  // an empty slot, as Datadog's agent passes over
      ++at;
      continue;
    }
    double value = 0;
    const char* const stop = parse_number(at, end, value);
    const bool is_number = stop != nullptr && (stop == end || *stop == ':');
    const auto fault = is_number ? apply_one(target, kind, at, value, context) : Fault::malformed_value;
    if (fault != Fault::none) counters_.count(fault);
    const char* const colon = is_number ? stop : find(at, end, ':');
    at = colon == nullptr ? end : colon;
  }
}

Fault Statsd::apply_one(const Target& target, Kind kind, const char* text, double value,
                        const Context& context) noexcept {
  if (target.scale != 1) value *= target.scale;
  if (target.divisor != 1) value /= target.divisor;
  if (!(value - value == 0)) return Fault::not_finite;
  switch (kind) {
    case Kind::counter:
      if (value < 0) return Fault::negative_counter;
      return table_.count(target.series, value * target.weight, context.now_seconds);
    case Kind::gauge: {
      const bool is_change = *text == '+' || (*text == '-' && context.minus == MinusIs::change);
      return table_.set(target.series, value, is_change ? Table::Change::relative : Table::Change::absolute,
                        context.now_seconds);
    }
    case Kind::histogram:
      return table_.observe(target.series, value, target.weight, context.now_seconds);
    case Kind::set:
      break;
  }
  return Fault::none;
}

void Statsd::take_event(std::string_view line, SteadyTime now) {
  Event event;
  if (const auto fault = parse_event(line, event); fault != Fault::none) return counters_.count(fault);
  counters_.skipped_sections += event.skipped_sections;
  const auto* const found = std::find(alert_types.begin(), alert_types.end(), event.alert_type);
  ++counters_.events[static_cast<std::size_t>(found - alert_types.begin())];
  if (now < next_event_log_) {
    ++unlogged_events_;
    return;
  }
  next_event_log_ = now + event_log_interval;
  log::info("event of a StatsD client", {{"title", text::to_utf8(event.title.substr(0, longest_logged_title))},
                                         {"alert_type", event.alert_type},
                                         {"not_logged_before", std::exchange(unlogged_events_, 0)}});
}

void Statsd::take_check(std::string_view line, std::uint32_t now_seconds) {
  if (!text::is_utf8(line)) return counters_.count(Fault::invalid_utf8);
  ServiceCheck check;
  if (const auto fault = parse_check(line, check); fault != Fault::none) return counters_.count(fault);
  counters_.skipped_sections += check.skipped_sections;
  if (check.name.size() > longest_logged_title) return counters_.count(Fault::too_long);
  FamilyWish family;
  family.name = service_check.name;
  family.kind = Kind::gauge;
  family.help = service_check.help;
  family.is_own = true;
  labels_.assign(1, {"name", check.name});
  const auto found = table_.find(family, labels_, 0, now_seconds);
  if (found.fault != Fault::none) return counters_.count(found.fault);
  ++counters_.overflowed[static_cast<std::size_t>(found.overflow)];
  if (table_.set(found.series, check.status, Table::Change::absolute, now_seconds) != Fault::none)
    counters_.count(Fault::not_finite);
}

/// One line a minute whatever the rate of the drops; the page has them by reason.
void Statsd::log_drops(SteadyTime now) {
  const auto sum = [](const auto& counts) {
    return std::accumulate(counts.begin() + 1, counts.end(), std::uint64_t{0});  // the first is "none"
  };
  const auto dropped = sum(counters_.line_faults), overflowed = sum(counters_.overflowed);
  if (dropped + overflowed == logged_drops_ || now < next_drop_log_) return;
  logged_drops_ = dropped + overflowed;
  next_drop_log_ = now + drop_log_interval;
  log::warn(
      "StatsD lines were dropped or counted in overflow series; see midst_push_line_errors_total and "
      "midst_push_overflow_total",
      {{"dropped", dropped}, {"overflowed", overflowed}});
}

void Statsd::write(metrics::SnapshotBuilder& builder, SteadyTime now) {
  log_drops(now);
  statsd::write(builder, counters_, table_, memo_.size_bytes());
  table_.write(builder, seconds_of(now));
}

}  // namespace midst::ingest::statsd
