#include "agent/app/section.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <utility>

namespace midst::app {

using std::chrono::milliseconds;

std::string place_of(std::string_view file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

bool Section::has(std::string_view key) {
  known_.insert(std::string(key));
  return table_->contains(key);
}

std::vector<std::string> Section::keys() const {
  std::vector<std::pair<toml::source_position, std::string>> found;
  for (const auto& [key, node] : *table_) found.emplace_back(key.source().begin, key.str());
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [position, name] : found) names.push_back(std::move(name));
  return names;
}

bool Section::is_text(std::string_view key) const {
  const auto* node = table_->get(key);
  return node != nullptr && node->is_string();
}

void Section::read(std::string_view key, std::string& out) {
  if (const auto* node = find(key, "a string", toml::node_type::string)) out = node->as_string()->get();
}

void Section::read(std::string_view key, bool& out) {
  if (const auto* node = find(key, "true or false", toml::node_type::boolean)) out = node->as_boolean()->get();
}

void Section::read(std::string_view key, std::size_t& out, std::size_t least, std::size_t most) {
  const auto* node = find(key, "a whole number", toml::node_type::integer);
  if (node == nullptr) return;
  const auto value = node->as_integer()->get();
  if (value < 0 || static_cast<std::size_t>(value) < least || static_cast<std::size_t>(value) > most)
    return report(*node, fmt::format("{} = {} is out of range; it takes {} to {}", full(key), value, least, most));
  out = static_cast<std::size_t>(value);
}

void Section::read(std::string_view key, int& out, int least, int most) {
  auto value = static_cast<std::size_t>(out);
  read(key, value, static_cast<std::size_t>(least), static_cast<std::size_t>(most));
  out = static_cast<int>(value);
}

void Section::read(std::string_view key, std::vector<int>& out, int least, int most) {
  const auto* node = find(key, "a list of whole numbers", toml::node_type::array);
  if (node == nullptr) return;
  std::vector<int> values;
  for (const auto& item : *node->as_array()) {
    const auto number = item.is_integer() ? item.as_integer()->get() : least - std::int64_t{1};
    if (number < least || number > most)
      return report(item, fmt::format("{} takes a list of whole numbers from {} to {}", full(key), least, most));
    values.push_back(static_cast<int>(number));
  }
  out = std::move(values);
}

void Section::read(std::string_view key, std::vector<double>& out) {
  const auto* node = find(key, "a list of numbers", toml::node_type::array);
  if (node == nullptr) return;
  std::vector<double> values;
  for (const auto& item : *node->as_array()) {
    const auto number = item.value<double>();
    if (!number || !item.is_number()) return report(item, full(key) + " takes a list of numbers");
    values.push_back(*number);
  }
  out = std::move(values);
}

void Section::read_size(std::string_view key, std::size_t& out, std::size_t least, std::size_t most) {
  if (const auto* node = table_->get(key); node != nullptr && node->is_integer()) return read(key, out, least, most);
  parse(key, [&](const std::string& text) -> Result<Done> {
    const auto size = text::parse_size(text);
    if (!size) return size.error();
    if (*size < least || *size > most)
      return Error{Errc::config, fmt::format("{} is out of range; it takes {} to {} bytes", text, least, most)};
    out = static_cast<std::size_t>(*size);
    return Done{};
  });
}

void Section::read(std::string_view key, double& out, double least, double most) {
  known_.insert(std::string(key));
  const auto* node = table_->get(key);
  if (node == nullptr) return;
  const auto value = node->value<double>();
  if (!value || !node->is_number()) return report(*node, fmt::format("{} takes a number", full(key)));
  if (!(*value >= least && *value <= most))
    return report(*node, fmt::format("{} = {} is out of range; it takes {} to {}", full(key), *value, least, most));
  out = *value;
}

void Section::read(std::string_view key, milliseconds& out, milliseconds least, milliseconds most) {
  const auto* node = find(key, "a duration like \"9s\"", toml::node_type::string);
  if (node == nullptr) return;
  const auto value = text::parse_duration(node->as_string()->get());
  if (!value) return report(*node, full(key) + ": " + value.error().message);
  if (*value < least || *value > most)
    return report(*node,
                  fmt::format("{} = {} is out of range; it takes {} to {}", full(key), text::format_duration(*value),
                              text::format_duration(least), text::format_duration(most)));
  out = *value;
}

void Section::read(std::string_view key, std::chrono::seconds& out, std::chrono::seconds least,
                   std::chrono::seconds most) {
  milliseconds value = out;
  read(key, value, milliseconds(least), milliseconds(most));
  out = std::chrono::duration_cast<std::chrono::seconds>(value);
}

void Section::read(std::string_view key, std::vector<std::string>& out) {
  std::vector<std::string> values;
  bool was_read = false;
  parse_each(key, [&](const std::string& text) -> Result<Done> {
    was_read = true;
    values.push_back(text);
    return Done{};
  });
  if (was_read || (has(key) && table_->get(key)->is_array() && table_->get(key)->as_array()->empty()))
    out = std::move(values);
}

void Section::parse(std::string_view key, const std::function<Result<Done>(const std::string&)>& parse_text) {
  const auto* node = find(key, "a string", toml::node_type::string);
  if (node == nullptr) return;
  if (const auto done = parse_text(node->as_string()->get()); !done)
    report(*node, full(key) + ": " + done.error().message);
}

void Section::parse_each(std::string_view key, const std::function<Result<Done>(const std::string&)>& parse_text) {
  const auto* node = find(key, "a list of strings", toml::node_type::array);
  if (node == nullptr) return;
  for (const auto& item : *node->as_array())
    if (!item.is_string()) return report(item, full(key) + " takes a list of strings");
  for (const auto& item : *node->as_array())
    if (const auto done = parse_text(item.as_string()->get()); !done)
      report(item, full(key) + ": " + done.error().message);
}

void Section::not_yet(std::string_view key) {
  idle_.insert(std::string(key));
  if (!has(key)) return;
  draft_->problems.push_back({place(key), full(key) + " has no effect in this version", false});
}

void Section::tables(std::string_view key, const std::function<void(Section&)>& read_table) {
  const auto* node = find(key, fmt::format("one or more [[{}]] tables", full(key)), toml::node_type::array);
  if (node == nullptr) return;
  for (const auto& item : *node->as_array()) {
    if (!item.is_table()) return report(item, fmt::format("write it as [[{}]]", full(key)));
    Section section(*item.as_table(), full(key), file_, *draft_);
    read_table(section);
    section.finish();
  }
}

void Section::table(std::string_view key, const std::function<void(Section&)>& read_table) {
  const auto* node = find(key, fmt::format("a table [{}]", full(key)), toml::node_type::table);
  if (node == nullptr) return;
  Section section(*node->as_table(), full(key), file_, *draft_);
  read_table(section);
  section.finish();
}

void Section::finish() {
  std::vector<std::string_view> names(known_.begin(), known_.end());
  for (const auto& key : known_)
    if (!idle_.contains(key)) draft_->known_keys.insert(full(key));
  for (const auto& [key, node] : *table_) {
    if (known_.contains(std::string(key.str()))) continue;
    auto message = fmt::format("unknown key {}", full(key.str()));
    if (const auto near = text::closest(key.str(), names); !near.empty())
      message += fmt::format("; did you mean {}?", full(near));
    draft_->problems.push_back({place_of(file_, key.source()), std::move(message), true});
  }
}

void Section::report(Problem problem) {
  draft_->problems.push_back(std::move(problem));
}

void Section::report_at(std::string_view key, std::string message) {
  draft_->problems.push_back({place(key), std::move(message), true});
}

std::string Section::full(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const toml::node* Section::find(std::string_view key, std::string_view wanted, toml::node_type type) {
  known_.insert(std::string(key));
  const auto* node = table_->get(key);
  if (node == nullptr) return nullptr;
  if (node->type() == type) return node;
  report(*node, fmt::format("{} takes {}", full(key), wanted));
  return nullptr;
}

void Section::report(const toml::node& node, std::string message) {
  draft_->problems.push_back({place_of(file_, node.source()), std::move(message), true});
}

std::string Section::place(std::string_view key) const {
  const auto* node = table_->get(key);
  return place_of(file_, node != nullptr ? node->source() : table_->source());
}

void read_label_mode(Section& section, LabelMode& mode) {
  section.parse("label", [&](const std::string& text) -> Result<Done> {
    if (text == "auto")
      mode = LabelMode::automatic;
    else if (text == "always")
      mode = LabelMode::always;
    else if (text == "never")
      mode = LabelMode::never;
    else
      return Error{Errc::config, fmt::format("unknown value \"{}\"; one of auto, always, never", text)};
    return Done{};
  });
}

void read_name(Section& section, std::string& name) {
  section.parse("name", [&](const std::string& text) -> Result<Done> {
    if (text.empty() || text.size() > 128) return Error{Errc::config, "a name has 1 to 128 characters"};
    name = text;
    return Done{};
  });
}

void read_rules(Section& section, scrape::RuleOptions& rules) {
  constexpr std::size_t most_rules = 1000, most_series = 100'000'000;
  const auto read_globs = [&](std::string_view key, std::vector<std::string>& globs) {
    if (section.has(key)) globs.clear();
    section.parse_each(key, [&](const std::string& glob) -> Result<Done> {
      if (globs.size() >= most_rules) return Error{Errc::config, fmt::format("more than {} globs", most_rules)};
      if (const auto good = scrape::check_glob(glob); !good) return good.error();
      globs.push_back(glob);
      return Done{};
    });
  };
  read_globs("drop", rules.drop);
  read_globs("keep", rules.keep);
  if (section.has("drop_labels")) rules.drop_labels.clear();
  section.parse_each("drop_labels", [&](const std::string& text) -> Result<Done> {
    if (rules.drop_labels.size() >= most_rules)
      return Error{Errc::config, fmt::format("more than {} rules", most_rules)};
    auto rule = scrape::parse_label_rule(text);
    if (!rule) return rule.error();
    rules.drop_labels.push_back(std::move(*rule));
    return Done{};
  });
  auto limit = rules.max_series.value_or(0);
  if (!section.has("max_series")) return;
  section.read("max_series", limit, 0, most_series);
  rules.max_series = limit;
}

Secret read_secret(Section& section, const std::string& prefix) {
  Secret secret;
  int given = 0;
  const auto read = [&](const std::string& key, Secret::Kind kind) {
    std::string value;
    if (!section.has(key)) return;
    section.read(key, value);
    if (++given > 1)
      return section.report_at(
          key, fmt::format("{} is one too many; give only one of {}, {}_file, {}_env, {}_credential", section.full(key),
                           prefix, prefix, prefix, prefix));
    secret = Secret(kind, std::move(value));
  };
  read(prefix, Secret::Kind::text);
  read(prefix + "_file", Secret::Kind::file);
  read(prefix + "_env", Secret::Kind::variable);
  read(prefix + "_credential", Secret::Kind::credential);
  return secret;
}

}  // namespace midst::app
