#include "agent/app/statsd_config.hpp"

#include "agent/app/custom_names.hpp"
#include "agent/app/section.hpp"
#include "agent/app/statsd_mapping_yaml.hpp"
#include "lib/net/sockets.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace midst::app {
namespace {

using ingest::statsd::BareTags;
using ingest::statsd::GaugeSign;
using ingest::statsd::MappingRule;
using std::chrono::seconds;

constexpr std::size_t most_rules = 10'000, most_buckets = 64, most_series = 100'000'000;
constexpr std::size_t least_bytes = 64 * 1024, most_bytes = std::size_t{64} * 1024 * 1024 * 1024;
constexpr seconds longest_ttl = std::chrono::hours(24 * 365);

/// One word of several. @return the error that lists them.
template <class Value>
Result<Done> choose(const std::string& text, Value& out,
                    std::initializer_list<std::pair<std::string_view, Value>> choices) {
  std::string words;
  for (const auto& [word, value] : choices) {
    words.append(words.empty() ? "" : ", ").append(word);
    if (word != text) continue;
    out = value;
    return Done{};
  }
  return Error{Errc::config, fmt::format("unknown value \"{}\"; one of {}", text, words)};
}

Result<Done> set_udp(const std::string& text, std::string& udp) {
  if (text.empty()) return Done{};
  const auto address = net::parse_listen_address(text);
  if (!address) return address.error();
  const auto& host = address->host;
  if (address->is_unix() || !(host.starts_with("127.") || host == "::1" || host == "localhost"))
    return Error{Errc::config,
                 fmt::format("\"{}\" is not on loopback, as 127.0.0.1:8125 is: whoever reaches a UDP port "
                             "can send under any name",
                             text)};
  udp = text;
  return Done{};
}

Result<Done> set_mode(const std::string& text, mode_t& mode) {
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (failure != std::errc() || end != text.data() + text.size() || value > 0777)
    return Error{Errc::config, fmt::format("\"{}\" is no file mode; it takes \"0600\" to \"0777\"", text)};
  mode = static_cast<mode_t>(value);
  return Done{};
}

void read_buckets(Section& section, std::vector<double>& bounds) {
  section.read("buckets", bounds);
  if (bounds.size() > most_buckets)
    return section.report_at("buckets",
                             fmt::format("{} takes at most {} bounds", section.full("buckets"), most_buckets));
  for (std::size_t i = 0; i < bounds.size(); ++i)
    if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
      return section.report_at("buckets", section.full("buckets") + " has to ascend");
}

void read_ttl(Section& section, std::optional<std::uint32_t>& ttl_seconds) {
  if (!section.has("ttl")) return;
  seconds ttl{ttl_seconds.value_or(0)};
  section.read("ttl", ttl, seconds(0), longest_ttl);
  ttl_seconds = static_cast<std::uint32_t>(ttl.count());
}

void read_labels(Section& section, MappingRule& rule) {
  for (const auto& name : section.keys()) {
    std::string value;
    section.read(name, value);
    if (!is_label_name(name)) section.report_at(name, bad_label_name(name).message);
    rule.labels.emplace_back(name, std::move(value));
  }
}

void read_rule(Section& section, std::vector<MappingRule>& rules) {
  MappingRule rule;
  section.read("match", rule.pattern);
  section.parse("match_type", [&](const std::string& text) {
    return choose(text, rule.match, {{"glob", MappingRule::Match::glob}, {"regex", MappingRule::Match::regex}});
  });
  section.parse("match_metric_type", [&](const std::string& text) {
    return choose(text, rule.only,
                  {{"", MappingRule::Only::any},
                   {"counter", MappingRule::Only::counter},
                   {"gauge", MappingRule::Only::gauge},
                   {"observer", MappingRule::Only::observer},
                   {"set", MappingRule::Only::set}});
  });
  section.parse("action", [&](const std::string& text) {
    return choose(text, rule.action, {{"map", MappingRule::Action::map}, {"drop", MappingRule::Action::drop}});
  });
  section.read("name", rule.name);
  section.table("labels", [&](Section& labels) { read_labels(labels, rule); });
  section.read("honor_labels", rule.honor_labels);
  section.read("help", rule.help);
  section.read("scale", rule.scale, -1e300, 1e300);
  read_ttl(section, rule.ttl_seconds);
  read_buckets(section, rule.bounds);
  if (const auto done = ingest::statsd::check(rule); !done)
    section.report_at("match", fmt::format("{}: {}", section.full(""), done.error().message));
  if (rules.size() == most_rules)
    return section.report_at("", fmt::format("more than {} [[{}]]", most_rules, section.full("")));
  rules.push_back(std::move(rule));
}

void read_mapping_file(Section& section, std::vector<MappingRule>& rules) {
  std::string path;
  section.read("mapping_file", path);
  if (path.empty()) return;
  auto file = load_statsd_mapping(path);
  if (!file) return section.report_at("mapping_file", section.full("mapping_file") + ": " + file.error().message);
  for (auto& problem : file->problems) section.report(std::move(problem));
  for (auto& rule : file->rules) rules.push_back(std::move(rule));
}

void read_limits(Section& section, StatsdConfig& config) {
  auto& limits = config.options.limits;
  section.read("max_series", limits.max_series, 1, most_series);
  section.read("max_series_per_family", limits.max_series_per_family, 1, most_series);
  section.read("max_families", limits.max_families, 1, most_series);
  std::size_t bytes = limits.max_bytes + config.options.max_memo_bytes;
  section.read_size("max_bytes", bytes, least_bytes, most_bytes);
  limits.max_bytes = config.options.max_memo_bytes = bytes / 2;
  section.read("max_clients", config.listener.max_clients, 1, 100'000);
}

void read_table(Section& section, StatsdConfig& config) {
  auto& options = config.options;
  section.parse("udp", [&](const std::string& text) { return set_udp(text, config.udp); });
  section.parse("socket_mode", [&](const std::string& text) { return set_mode(text, config.listener.socket_mode); });
  section.read("socket_group", config.listener.socket_group);
  section.parse("gauge_sign", [&](const std::string& text) {
    return choose(
        text, options.gauge_sign,
        {{"by_socket", GaugeSign::by_socket}, {"statsd", GaugeSign::statsd}, {"dogstatsd", GaugeSign::dogstatsd}});
  });
  section.parse("bare_tags", [&](const std::string& text) {
    return choose(text, options.resolve.bare_tags, {{"label", BareTags::label}, {"drop", BareTags::drop}});
  });
  seconds window{options.limits.set_window_seconds};
  section.read("set_window", window, seconds(1), seconds(3600));
  options.limits.set_window_seconds = static_cast<std::uint32_t>(window.count());
  std::optional<std::uint32_t> ttl = options.resolve.ttl_seconds;
  read_ttl(section, ttl);
  options.resolve.ttl_seconds = *ttl;
  read_buckets(section, options.resolve.bounds);
  if (options.resolve.bounds.empty()) section.report_at("buckets", section.full("buckets") + " has to have a bound");
  read_limits(section, config);
  section.tables("mapping", [&](Section& rule) { read_rule(rule, options.resolve.rules); });
  read_mapping_file(section, options.resolve.rules);
}

}  // namespace

void read_statsd(Section& ingest, StatsdConfig& config) {
  config.is_socket_explicit = ingest.has("dogstatsd_socket") || config.is_socket_explicit;
  ingest.read("dogstatsd_socket", config.socket);
  config.is_stream_socket_explicit = ingest.has("dogstatsd_stream_socket") || config.is_stream_socket_explicit;
  ingest.read("dogstatsd_stream_socket", config.stream_socket);
  ingest.table("statsd", [&](Section& section) { read_table(section, config); });
}

}  // namespace midst::app
