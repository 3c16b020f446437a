#include "agent/ingest/statsd/resolve.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace midst::ingest::statsd {
namespace {

// Those of the native protocol (docs/wire_protocol.md), but for the tags, of which Datadog's users have more.
constexpr std::size_t longest_name = 200, longest_tag_name = 128, longest_tag_value = 512, most_tags = 64;
constexpr std::uint16_t milliseconds_in_a_second = 1000;
/// Only these say something of the client; others are its user's and would make a series each.
constexpr std::string_view client_tags[] = {"client", "client_version", "client_transport", "metrics_type"};

Kind kind_of(Type type) noexcept {
  switch (type) {
    case Type::counter:
      return Kind::counter;
    case Type::gauge:
      return Kind::gauge;
    case Type::set:
      return Kind::set;
    case Type::timing:
    case Type::histogram:
      break;
  }
  return Kind::histogram;
}

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Tags that say where a line comes from, which the agent knows or which would split every series by host.
bool is_stripped(std::string_view key) noexcept {
  return key == "host" || key.starts_with("dd.internal.");
}

}  // namespace

std::string escaped_name(std::string_view name) {
  std::string out;
  out.reserve(name.size() + 1);
  if (!name.empty() && name.front() >= '0' && name.front() <= '9') out += '_';
  char last = '\0';
  for (const char c : name) {
    if (c != '-' || last != '-') out += is_name_character(c) ? c : '_';
    last = c;
  }
  return out;
}

Resolver::Resolver(ResolveOptions options) : options_(std::move(options)), mapper_(options_.rules) {
}

const Resolved& Resolver::resolve(const Metric& metric) {
  resolved_ = {};
  labels_.clear();
  resolved_.ttl_seconds = options_.ttl_seconds;
  resolved_.divisor = metric.type == Type::timing ? milliseconds_in_a_second : 1;
  std::string name(metric.name);
  name.append(metric.name_rest);
  if (name.size() > longest_name) {
    resolved_.fault = Fault::too_long;
    return resolved_;
  }
  if (metric.has_odd_tag) ++resolved_.tag_faults[static_cast<std::size_t>(TagFault::malformed)];
  add_tags(metric);
  const bool is_of_client = metric.type == Type::counter && name.starts_with(client_report_prefix);
  const auto* report =
      is_of_client ? find_client_report(std::string_view(name).substr(client_report_prefix.size())) : nullptr;
  Mapper::Match match;
  if (report != nullptr)
    take_client_report(*report);
  else if (mapper_.find(name, metric.type, match))
    apply_rule(match);
  if (report == nullptr) set_family(match.rule != nullptr ? match.name : name, metric.type);
  if (resolved_.family.help.empty()) resolved_.family.help = fmt::format("Sent by StatsD clients as {}.", name);
  for (const auto& [label, value] : labels_) resolved_.labels.push_back({label, value});
  return resolved_;
}

void Resolver::add_tags(const Metric& metric) {
  auto rest = metric.tags;
  Tag tag;
  std::size_t count = 0;
  while (take_tag(metric.style, rest, tag)) {
    if (++count > most_tags || tag.key.size() > longest_tag_name || tag.value.size() > longest_tag_value) {
      resolved_.fault = Fault::too_long;
      return;
    }
    add_tag(tag);
  }
}

void Resolver::add_tag(const Tag& tag) {
  if (is_stripped(tag.key)) return;
  if (tag.key.empty() || (!tag.is_bare && tag.value.empty())) {
    ++resolved_.tag_faults[static_cast<std::size_t>(TagFault::malformed)];
    return;
  }
  if (!tag.is_bare) return add_label(escaped_name(tag.key), tag.value);
  if (options_.bare_tags == BareTags::label) return add_label("tag_" + escaped_name(tag.key), "true");
  ++resolved_.tag_faults[static_cast<std::size_t>(TagFault::bare)];
}

void Resolver::add_label(std::string name, std::string_view value) {
  const auto found =
      std::find_if(labels_.begin(), labels_.end(), [&](const auto& label) { return label.first == name; });
  if (found == labels_.end()) {
    labels_.emplace_back(std::move(name), value);
    return;
  }
  found->second.append(",").append(value);
  ++resolved_.tag_faults[static_cast<std::size_t>(TagFault::duplicate)];
}

void Resolver::apply_rule(const Mapper::Match& match) {
  const auto& rule = *match.rule;
  resolved_.is_dropped = rule.action == MappingRule::Action::drop;
  resolved_.scale = rule.scale;
  resolved_.ttl_seconds = rule.ttl_seconds.value_or(options_.ttl_seconds);
  resolved_.family.help = rule.help;
  if (!rule.bounds.empty()) resolved_.family.bounds = rule.bounds;
  for (const auto& given : match.labels) {
    const auto found =
        std::find_if(labels_.begin(), labels_.end(), [&](const auto& label) { return label.first == given.first; });
    if (found == labels_.end())
      labels_.emplace_back(given);
    else if (!rule.honor_labels)
      found->second = given.second;
  }
}

void Resolver::take_client_report(const ClientReport& report) {
  resolved_.family.name = report.spec.name;
  resolved_.family.help = report.spec.help;
  resolved_.family.kind = Kind::counter;
  resolved_.family.is_own = true;
  std::erase_if(labels_, [](const auto& label) {
    return std::find(std::begin(client_tags), std::end(client_tags), label.first) == std::end(client_tags);
  });
}

void Resolver::set_family(std::string_view name, Type type) {
  auto& family = resolved_.family;
  family.kind = kind_of(type);
  family.name = escaped_name(name);
  if (family.kind == Kind::counter && !family.name.ends_with("_total")) family.name += "_total";
  if (family.kind == Kind::set) family.name += "_unique";
  if (family.kind != Kind::histogram)
    family.bounds = {};
  else if (family.bounds.empty())
    family.bounds = options_.bounds;
  if (family.name.size() > longest_name) resolved_.fault = Fault::too_long;
}

}  // namespace midst::ingest::statsd
