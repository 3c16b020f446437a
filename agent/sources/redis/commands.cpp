#include "agent/sources/redis/commands.hpp"

#include "agent/sources/redis/families.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::SnapshotBuilder;
using redis::Reply;

constexpr std::string_view settings_wanted[] = {"maxmemory",         "maxclients", "io-threads",
                                                "repl-backlog-size", "databases",  "client-output-buffer-limit"};

/// Upper bounds of LATENCY HISTOGRAM in microseconds; the server leaves out the steps that add nothing.
/// Redis 7.0 src/latency.c, fillCommandCDF(): powers of two with three significant digits, clipped at one second.
constexpr double ladder[] = {1,    2,    4,    8,     16,    33,    66,     132,    264,    528,    1056,
                             2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1073741};

/// Events have a fixed set of names in the server; a peer that invents more is cut here.
constexpr std::size_t max_events = 64;
/// Unknown cluster_ fields of one reply that become metrics, and commands with a histogram.
constexpr std::size_t max_cluster_fields = 128;
constexpr std::size_t max_histograms = 2000;

Error misshapen(std::string_view command) {
  return Error{Errc::protocol, fmt::format("{}: the reply has an unknown shape", command)};
}

/// @return why `reply` is not an array, or nothing.
Result<Done> expect_array(const Reply& reply, std::string_view command) {
  if (reply.is_error()) return reply.to_error().with_context(command);
  if (!reply.is_array()) return misshapen(command);
  return Done{};
}

void add_number(const MetricSpec& spec, std::string_view text, SnapshotBuilder& builder) {
  if (const auto number = parse_value(text)) builder.add(spec, *number);
}

/// "normal 0 0 0 slave 268435456 67108864 60": class, hard limit, soft limit, seconds.
void add_output_limits(std::string_view text, SnapshotBuilder& builder) {
  const auto words = text::split(text, ' ');
  for (std::size_t i = 0; i + 3 < words.size(); i += 4) {
    const auto hard = text::parse_number(words[i + 1]);
    const auto soft = text::parse_number(words[i + 2]);
    const auto seconds = text::parse_number(words[i + 3]);
    if (!hard || !soft || !seconds) return;
    builder.add(family::config_output_limit, {{"class", words[i]}, {"limit", "hard"}}, *hard);
    builder.add(family::config_output_limit, {{"class", words[i]}, {"limit", "soft"}}, *soft);
    builder.add(family::config_output_overcome, {{"class", words[i]}, {"limit", "soft"}}, *seconds);
  }
}

/// What one command of LATENCY HISTOGRAM says: ["calls", n, "histogram_usec", [bound, cumulative count, …]].
struct Histogram {
  std::int64_t calls = 0;
  const std::vector<Reply>* steps = nullptr;
};

std::optional<Histogram> find_histogram(const Reply& reply) {
  Histogram histogram;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const auto& value = reply.elements[i + 1];
    if (reply.elements[i].text == "calls" && value.type == Reply::Type::integer) histogram.calls = value.number;
    if (reply.elements[i].text == "histogram_usec" && value.is_array()) histogram.steps = &value.elements;
  }
  if (histogram.steps == nullptr || histogram.calls < 0) return std::nullopt;
  return histogram;
}

/// Bounds and cumulative counts of one command, laid over the ladder. Kept between commands for its memory.
struct Buckets {
  std::vector<double> bounds;
  std::vector<std::uint64_t> cumulative;

  /// @return whether the steps ascend, as they must.
  bool fill(const std::vector<Reply>& steps) {
    bounds.clear();
    cumulative.clear();
    const double* next = std::begin(ladder);
    std::uint64_t count = 0;
    double last_bound = 0;
    for (std::size_t i = 0; i + 1 < steps.size(); i += 2) {
      const auto bound = steps[i].as_integer();
      const auto here = steps[i + 1].as_integer();
      if (!bound || !here || static_cast<double>(*bound) <= last_bound) return false;
      if (*here < 0 || static_cast<std::uint64_t>(*here) < count) return false;
      last_bound = static_cast<double>(*bound);
      for (; next != std::end(ladder) && *next < last_bound; ++next) add(*next, count);
      if (next != std::end(ladder) && *next == last_bound) ++next;
      count = static_cast<std::uint64_t>(*here);
      add(last_bound, count);
    }
    for (; next != std::end(ladder); ++next) add(*next, count);
    return true;
  }

 private:
  void add(double bound, std::uint64_t count) {
    bounds.push_back(bound);
    cumulative.push_back(count);
  }
};

/// CLUSTER INFO fields with a family of their own name or a better sentence than the general one.
struct ClusterField {
  std::string_view field;
  const MetricSpec* spec;
};
constexpr ClusterField cluster_fields[] = {
    {"cluster_state", &family::cluster_state},
    {"cluster_slots_assigned", &family::cluster_slots_assigned},
    {"cluster_slots_ok", &family::cluster_slots_ok},
    {"cluster_slots_pfail", &family::cluster_slots_pfail},
    {"cluster_slots_fail", &family::cluster_slots_fail},
    {"cluster_known_nodes", &family::cluster_known_nodes},
    {"cluster_size", &family::cluster_size},
    {"cluster_current_epoch", &family::cluster_current_epoch},
    {"cluster_my_epoch", &family::cluster_my_epoch},
    {"cluster_stats_messages_sent", &family::cluster_messages_sent},
    {"cluster_stats_messages_received", &family::cluster_messages_received},
};

}  // namespace

std::string_view Settings::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : pairs)
    if (key == name) return value;
  return {};
}

std::span<const std::string_view> wanted_settings() noexcept {
  return settings_wanted;
}

Result<Done> read_settings(const Reply& reply, Settings& settings) {
  if (auto ready = expect_array(reply, "CONFIG GET"); !ready) return ready;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2)
    settings.pairs.emplace_back(reply.elements[i].text, reply.elements[i + 1].text);
  return Done{};
}

void add_settings(const Settings& settings, SnapshotBuilder& builder) {
  add_number(family::config_maxmemory, settings.find("maxmemory"), builder);
  add_number(family::config_maxclients, settings.find("maxclients"), builder);
  add_number(family::config_io_threads, settings.find("io-threads"), builder);
  add_number(family::config_repl_backlog_size, settings.find("repl-backlog-size"), builder);
  add_output_limits(settings.find("client-output-buffer-limit"), builder);
}

Result<Done> add_slowlog(const Reply& length, const Reply& newest, SnapshotBuilder& builder) {
  const auto entries = length.as_integer();
  if (entries) builder.add(family::slowlog_length, static_cast<double>(*entries));
  if (auto ready = expect_array(newest, "SLOWLOG GET"); !ready) return ready;
  // An entry is [id, unix time, microseconds, arguments, …]; none means that nothing was slow yet.
  double id = 0, microseconds = 0;
  if (!newest.elements.empty()) {
    const auto& entry = newest.elements.front().elements;
    if (entry.size() < 3) return misshapen("SLOWLOG GET");
    id = static_cast<double>(entry[0].number);
    microseconds = static_cast<double>(entry[2].number);
  }
  builder.add(family::slowlog_last_id, id);
  builder.add(family::last_slow_duration, microseconds / 1e6);
  if (!entries) return entries.error().with_context("SLOWLOG LEN");
  return Done{};
}

Result<Done> add_latency_spikes(const Reply& reply, SnapshotBuilder& builder) {
  if (auto ready = expect_array(reply, "LATENCY LATEST"); !ready) return ready;
  std::size_t events = 0;
  for (const auto& event : reply.elements) {
    // [name, unix time of the last spike, its milliseconds, milliseconds of the longest]
    const auto& parts = event.elements;
    if (parts.size() < 4) return misshapen("LATENCY LATEST");
    if (++events > max_events) break;
    const auto labels = builder.labels({{"event_name", parts[0].text}});
    builder.family(family::latency_spike_last).add(labels, static_cast<double>(parts[1].number));
    builder.family(family::latency_spike_duration).add(labels, static_cast<double>(parts[2].number) / 1e3);
    builder.family(family::latency_spike_max).add(labels, static_cast<double>(parts[3].number) / 1e3);
  }
  return Done{};
}

Result<Done> add_latency_histograms(const Reply& reply, const Commands& commands, SnapshotBuilder& builder) {
  if (auto ready = expect_array(reply, "LATENCY HISTOGRAM"); !ready) return ready;
  auto& histograms = builder.family(family::latencies);
  Buckets buckets;
  std::size_t folded = 0;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const auto& command = reply.elements[i].text;
    const auto histogram = find_histogram(reply.elements[i + 1]);
    if (!histogram || !buckets.fill(*histogram->steps)) return misshapen("LATENCY HISTOGRAM");
    if (i / 2 >= max_histograms) {
      ++folded;
      continue;
    }
    const auto totals = commands.find(command);
    const bool is_known = totals != commands.end();
    metrics::Distribution distribution;
    distribution.bounds = buckets.bounds;
    distribution.cumulative = buckets.cumulative;
    distribution.sum = is_known ? totals->second.microseconds : 0;
    distribution.count = static_cast<std::uint64_t>(histogram->calls);
    const bool has_labels = is_known && !totals->second.labels.text.empty();
    histograms.add(has_labels ? totals->second.labels : builder.labels({{"cmd", command}}), distribution);
  }
  if (folded > 0) builder.add(family::folded_series, {{"metric", family::latencies.name}}, static_cast<double>(folded));
  return Done{};
}

Result<Done> add_cluster_info(const Reply& reply, SnapshotBuilder& builder) {
  const auto text = reply.as_text();
  if (!text) return text.error().with_context("CLUSTER INFO");
  auto rest = *text;
  for (std::size_t fields = 0; !rest.empty() && fields < max_cluster_fields; ++fields) {
    auto value = text::take_until(rest, '\n');
    if (value.ends_with('\r')) value.remove_suffix(1);
    const auto field = text::take_until(value, ':');
    if (field.starts_with("cluster_")) add_cluster_field(field, value, builder);
  }
  return Done{};
}

void add_cluster_field(std::string_view field, std::string_view value, SnapshotBuilder& builder) {
  const auto number = parse_value(value);
  if (!number) return;
  for (const auto& known : cluster_fields)
    if (known.field == field) return builder.add(*known.spec, *number);
  const auto name = fmt::format("redis_{}", field);  // the builder turns "auth-req" into "auth_req"
  const auto help = fmt::format("The {} of this node's CLUSTER INFO.", field);
  builder.add({name, metrics::MetricType::gauge, "", help}, *number);
}

}  // namespace midst::sources::redis_info
