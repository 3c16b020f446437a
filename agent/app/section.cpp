#include "agent/app/section.hpp"

#include "lib/base/text.hpp"
#include "lib/pq/conninfo.hpp"
#include "lib/redis/uri.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>
#include <utility>

namespace midst::app {

using std::chrono::milliseconds;

namespace {

enum class Items { texts, numbers };

toml::array list_of(std::string_view text, Items items) {
  toml::array list;
  for (const auto part : text::split(text, ',')) {
    const auto item = text::trim(part);
    const auto whole = text::parse_integer(item);
    const auto number = text::parse_number(item);
    if (item.empty()) continue;
    if (items == Items::texts || !number)
      list.push_back(std::string(item));
    else if (whole)
      list.push_back(*whole);
    else
      list.push_back(*number);
  }
  return list;
}

bool is_secret(std::string_view name) {
  return name.ends_with("password") || name.starts_with("web.basic_auth_users.");
}

std::string without_password(std::string_view name, const std::string& value) {
  if (name.ends_with(".dsn")) {
    const auto conninfo = pq::parse_conninfo(value);
    return conninfo ? conninfo->redacted() : "(unreadable)";
  }
  if (value.find("://") == std::string::npos) return value;
  const auto uri = redis::parse_uri(value);
  return uri ? uri->redacted() : "(unreadable)";
}

/// @return the value as TOML has it, without the secrets in it.
std::string shown_value(std::string_view name, const toml::node& node) {
  if (is_secret(name)) return "\"(secret)\"";
  std::ostringstream text;
  if (const auto* string = node.as_string())
    text << toml::value<std::string>(without_password(name, string->get()));
  else
    node.visit([&](const auto& value) { text << value; });
  return std::move(text).str();
}

std::size_t fingerprint_of(const toml::table& table) {
  std::ostringstream whole;
  whole << table;
  auto fingerprint = std::hash<std::string>()(std::move(whole).str());
  const auto mix_file = [&](const toml::node& path) {
    if (path.is_string()) fingerprint = mix(fingerprint, fingerprint_of_file(path.as_string()->get()));
  };
  for (const auto& [key, node] : table) {
    const bool names_files = key.str().ends_with("file") || key.str().ends_with("files");
    if (names_files) mix_file(node);
    if (const auto* below = node.as_table()) fingerprint = mix(fingerprint, fingerprint_of(*below));
    if (const auto* items = node.as_array())
      for (const auto& item : *items) {
        if (names_files) mix_file(item);
        if (const auto* below = item.as_table()) fingerprint = mix(fingerprint, fingerprint_of(*below));
      }
  }
  return fingerprint;
}

}  // namespace

std::size_t mix(std::size_t fingerprint, std::size_t another) noexcept {
  return (fingerprint ^ another) * 0x9E3779B97F4A7C15U + (fingerprint >> 29);
}

std::size_t fingerprint_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return file ? std::hash<std::string>()(std::move(text).str()) : 0;
}

std::string place_of(std::string_view file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

Section::Section(const Section& above, const toml::table& table, toml::table* variables, std::string path,
                 bool is_of_list)
    : table_(&table),
      variables_(variables),
      environment_(above.environment_),
      path_(std::move(path)),
      file_(above.file_),
      draft_(above.draft_),
      is_of_list_(is_of_list || above.is_of_list_),
      given_(draft_->given.size()) {
  const auto has_name = [&](const GivenTable& given) { return !given.is_of_list && given.name == path_; };
  const auto found = std::find_if(draft_->given.begin(), draft_->given.end(), has_name);
  if (!is_of_list_) given_ = static_cast<std::size_t>(found - draft_->given.begin());
  if (given_ == draft_->given.size()) draft_->given.push_back({path_, is_of_list_, is_of_list, {}});
}

std::string Section::variable_of(std::string_view key) const {
  auto name = "MIDST_AGENT_" + full(key);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return c == '.' ? '_' : static_cast<char>(std::toupper(c)); });
  return name;
}

void Section::look_up(std::string_view key, toml::node_type type, std::string_view wanted) {
  if (environment_ == nullptr) return;
  auto name = variable_of(key);
  const auto value = (*environment_)(name);
  if (value) last_variable_ = name;
  draft_->variables.insert(std::move(name));
  if (!value) return;
  const auto whole = text::parse_integer(*value);
  const auto number = text::parse_number(*value);
  if (type == toml::node_type::boolean && (*value == "true" || *value == "false"))
    variables_->insert_or_assign(key, *value == "true");
  else if (type == toml::node_type::array)
    variables_->insert_or_assign(key, list_of(*value, wanted.ends_with("numbers") ? Items::numbers : Items::texts));
  else if (type == toml::node_type::integer && whole)
    variables_->insert_or_assign(key, *whole);
  else if (type == toml::node_type::floating_point && number)
    variables_->insert_or_assign(key, *number);
  else
    variables_->insert_or_assign(key, *value);
}

bool Section::has(std::string_view key) {
  known_.insert(std::string(key));
  if (!table_->contains(key)) look_up(key, toml::node_type::string);
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
  look_up(key, toml::node_type::integer);
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
  look_up(key, toml::node_type::floating_point);
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
  known_.insert(std::string(key));
  const auto* node = table_->get(key);
  if (node == nullptr) return;
  if (!node->is_array()) return report(*node, fmt::format("{0} takes one or more [[{0}]] tables", full(key)));
  for (const auto& item : *node->as_array()) {
    if (!item.is_table()) return report(item, fmt::format("write it as [[{}]]", full(key)));
    Section section(*this, *item.as_table(), nullptr, full(key), true);
    read_table(section);
    section.finish();
  }
}

void Section::table(std::string_view key, const std::function<void(Section&)>& read_table) {
  known_.insert(std::string(key));
  if (environment_ != nullptr) return table_of_variables(key, read_table);
  const auto* node = table_->get(key);
  if (node == nullptr) return;
  if (!node->is_table()) return report(*node, fmt::format("{0} takes a table [{0}]", full(key)));
  Section section(*this, *node->as_table(), nullptr, full(key), false);
  read_table(section);
  section.finish();
}

/// Only when a variable begins like it: that a table is there may mean something by itself.
void Section::table_of_variables(std::string_view key, const std::function<void(Section&)>& read_table) {
  const auto prefix = variable_of(key) + '_';
  const auto first = environment_->all().lower_bound(prefix);
  if (first == environment_->all().end() || !first->first.starts_with(prefix)) return;
  variables_->insert_or_assign(key, toml::table{});
  auto* below = variables_->get_as<toml::table>(key);
  Section section(*this, *below, below, full(key), false);
  read_table(section);
  section.finish();
}

void Section::note_given() {
  if (given_ == 0) return;
  auto& values = draft_->given[given_].values;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    const bool is_table = node.is_table() || (node.is_array() && node.as_array()->is_homogeneous<toml::table>());
    if (is_table || !known_.contains(name)) continue;
    const auto found =
        std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.first == name; });
    auto shown = shown_value(full(name), node);
    if (found == values.end())
      values.emplace_back(name, std::move(shown));
    else
      found->second = std::move(shown);
  }
}

std::size_t Section::fingerprint() const {
  return fingerprint_of(*table_);
}

void Section::finish() {
  note_given();
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
  look_up(key, type, wanted);
  const auto* node = table_->get(key);
  if (node == nullptr) return nullptr;
  if (node->type() == type) return node;
  report(*node, fmt::format("{} takes {}", full(key), wanted));
  return nullptr;
}

void Section::report(const toml::node& node, std::string message) {
  auto place = environment_ != nullptr ? last_variable_ : place_of(file_, node.source());
  draft_->problems.push_back({std::move(place), std::move(message), true});
}

std::string Section::place(std::string_view key) const {
  if (environment_ != nullptr) return key.empty() ? last_variable_ : variable_of(key);
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
