#include "agent/app/statsd_mapping_yaml.hpp"

#include "agent/app/custom_names.hpp"
#include "agent/app/file_text.hpp"
#include "agent/app/yaml_reader.hpp"
#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <utility>

namespace midst::app {
namespace {

using ingest::statsd::MappingRule;

constexpr std::size_t most_rules = 10'000, most_buckets = 64;

/// What `defaults` says, and what each rule may say otherwise.
struct Defaults {
  MappingRule rule;
  bool is_summary = true;  ///< The exporter's own default.
};

class MappingFile {
 public:
  MappingFile(std::string_view yaml, std::string_view file_name) : yaml_(yaml, file_name) {}

  ParsedMapping read() {
    const YamlNode* mappings = nullptr;
    if (const auto* root = yaml_.root("mappings"); root != nullptr)
      read_fields(*root, "the file",
                  {{"defaults", [&](const YamlNode& node) { read_defaults(node); }},
                   {"mappings", [&](const YamlNode& node) { mappings = &node; }}});
    if (mappings != nullptr) yaml_.each_item(*mappings, "mappings", [&](const YamlNode& node) { read_rule(node); });
    result_.problems = yaml_.take_problems();
    return std::move(result_);
  }

 private:
  void read_fields(const YamlNode& map, std::string_view what, const YamlReader::Fields& fields) {
    yaml_.read_fields(map, what, YamlReader::Unknown::refused, fields);
  }

  void read_defaults(const YamlNode& node) {
    auto& rule = defaults_.rule;
    const auto passed_over = [](const YamlNode&) {};
    read_fields(node, "defaults",
                {{"observer_type", [&](const YamlNode& value) { read_observer_type(value, defaults_.is_summary); }},
                 {"timer_type", [&](const YamlNode& value) { read_observer_type(value, defaults_.is_summary); }},
                 {"match_type", [&](const YamlNode& value) { read_match_type(value, rule); }},
                 {"glob_disable_ordering", [&](const YamlNode& value) { read_ordering(value); }},
                 {"ttl", [&](const YamlNode& value) { read_ttl(value, rule); }},
                 {"buckets", [&](const YamlNode& value) { read_buckets(value, rule); }},
                 {"quantiles", passed_over},
                 {"summary_options", passed_over},
                 {"histogram_options", [&](const YamlNode& value) { read_histogram(value, rule); }}});
  }

  void read_rule(const YamlNode& node) {
    auto rule = defaults_.rule;
    bool is_summary = defaults_.is_summary;
    const auto passed_over = [](const YamlNode&) {};
    read_fields(node, "a mapping",
                {{"match", [&](const YamlNode& value) { read_text(value, "match", rule.pattern); }},
                 {"match_type", [&](const YamlNode& value) { read_match_type(value, rule); }},
                 {"match_metric_type", [&](const YamlNode& value) { read_metric_type(value, rule); }},
                 {"name", [&](const YamlNode& value) { read_text(value, "name", rule.name); }},
                 {"labels", [&](const YamlNode& value) { read_labels(value, rule); }},
                 {"honor_labels", [&](const YamlNode& value) { read_bool(value, "honor_labels", rule.honor_labels); }},
                 {"help", [&](const YamlNode& value) { read_text(value, "help", rule.help); }},
                 {"action", [&](const YamlNode& value) { read_action(value, rule); }},
                 {"ttl", [&](const YamlNode& value) { read_ttl(value, rule); }},
                 {"scale", [&](const YamlNode& value) { read_number(value, "scale", rule.scale); }},
                 {"observer_type", [&](const YamlNode& value) { read_observer_type(value, is_summary); }},
                 {"timer_type", [&](const YamlNode& value) { read_observer_type(value, is_summary); }},
                 {"buckets", [&](const YamlNode& value) { read_buckets(value, rule); }},
                 {"quantiles", passed_over},
                 {"summary_options", passed_over},
                 {"histogram_options", [&](const YamlNode& value) { read_histogram(value, rule); }}});
    if (const auto done = ingest::statsd::check(rule); !done) return yaml_.report(node.place, done.error().message);
    if (result_.rules.size() == most_rules)
      return yaml_.report(node.place, fmt::format("more than {} mappings", most_rules));
    const bool may_be_observer = rule.only == MappingRule::Only::any || rule.only == MappingRule::Only::observer;
    if (is_summary && may_be_observer && rule.action == MappingRule::Action::map && !std::exchange(has_told_, true))
      yaml_.warn(node.place,
                 "timings become histograms here, not summaries; set their buckets, and see docs/statsd.md");
    result_.rules.push_back(std::move(rule));
  }

  void read_text(const YamlNode& node, std::string_view what, std::string& out) {
    if (const auto* text = yaml_.text_of(node, what); text != nullptr) out = *text;
  }

  void read_bool(const YamlNode& node, std::string_view what, bool& out) {
    const auto* text = yaml_.text_of(node, what);
    if (text == nullptr) return;
    const auto word = text::lower(*text);
    out = word == "true" || word == "yes" || word == "on";
    if (!out && word != "false" && word != "no" && word != "off")
      yaml_.report(node.place, fmt::format("{} has to be true or false", what));
  }

  void read_number(const YamlNode& node, std::string_view what, double& out) {
    const auto number = text::parse_number(node.text);
    if (node.kind != YamlNode::Kind::scalar || !number)
      return yaml_.report(node.place, fmt::format("{} has to be a number", what));
    out = *number;
  }

  template <class Value>
  void choose(const YamlNode& node, std::string_view what, Value& out,
              std::initializer_list<std::pair<std::string_view, Value>> choices) {
    const auto* text = yaml_.text_of(node, what);
    if (text == nullptr) return;
    std::string words;
    for (const auto& [word, value] : choices) {
      if (word == *text) {
        out = value;
        return;
      }
      words.append(words.empty() ? "" : ", ").append(word);
    }
    yaml_.report(node.place, fmt::format("unknown {} \"{}\"; one of {}", what, *text, words));
  }

  void read_match_type(const YamlNode& node, MappingRule& rule) {
    choose(node, "match_type", rule.match, {{"glob", MappingRule::Match::glob}, {"regex", MappingRule::Match::regex}});
  }
  void read_metric_type(const YamlNode& node, MappingRule& rule) {
    choose(node, "match_metric_type", rule.only,
           {{"counter", MappingRule::Only::counter},
            {"gauge", MappingRule::Only::gauge},
            {"observer", MappingRule::Only::observer},
            {"timer", MappingRule::Only::observer}});
  }
  void read_action(const YamlNode& node, MappingRule& rule) {
    choose(node, "action", rule.action, {{"map", MappingRule::Action::map}, {"drop", MappingRule::Action::drop}});
  }
  void read_observer_type(const YamlNode& node, bool& is_summary) {
    choose(node, "observer_type", is_summary, {{"summary", true}, {"histogram", false}});
  }

  void read_ordering(const YamlNode& node) {
    bool is_disabled = false;
    read_bool(node, "glob_disable_ordering", is_disabled);
    if (is_disabled)
      yaml_.warn(node.place, "the first mapping that matches wins here, whatever glob_disable_ordering says");
  }

  void read_ttl(const YamlNode& node, MappingRule& rule) {
    const auto* text = yaml_.text_of(node, "ttl");
    if (text == nullptr) return;
    const auto ttl =
        *text == "0" ? Result<std::chrono::milliseconds>(std::chrono::milliseconds(0)) : text::parse_duration(*text);
    if (!ttl) return yaml_.report(node.place, fmt::format("ttl: {}", ttl.error().message));
    // Up to the next second: a shorter one must not become "never".
    rule.ttl_seconds = static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(*ttl).count());
  }

  void read_labels(const YamlNode& node, MappingRule& rule) {
    yaml_.each_pair(node, "labels", [&](const YamlNode& key, const YamlNode& value) {
      if (!is_label_name(key.text)) yaml_.report(key.place, bad_label_name(key.text).message);
      std::string text;
      read_text(value, key.text, text);
      rule.labels.emplace_back(key.text, std::move(text));
    });
  }

  void read_histogram(const YamlNode& node, MappingRule& rule) {
    const auto told = [&](const YamlNode& value) {
      yaml_.warn(value.place, "native histograms are not made of StatsD metrics; the buckets hold");
    };
    read_fields(node, "histogram_options",
                {{"buckets", [&](const YamlNode& value) { read_buckets(value, rule); }},
                 {"native_histogram_bucket_factor", told},
                 {"native_histogram_max_buckets", told}});
  }

  void read_buckets(const YamlNode& node, MappingRule& rule) {
    rule.bounds.clear();
    yaml_.each_item(node, "buckets", [&](const YamlNode& item) {
      double bound = 0;
      read_number(item, "a bucket", bound);
      if (rule.bounds.size() == most_buckets)
        return yaml_.report(item.place, fmt::format("more than {} buckets", most_buckets));
      rule.bounds.push_back(bound);
    });
  }

  YamlReader yaml_;
  ParsedMapping result_;
  Defaults defaults_;
  bool has_told_ = false;
};

}  // namespace

ParsedMapping parse_statsd_mapping(std::string_view yaml, std::string_view file_name) {
  return MappingFile(yaml, file_name).read();
}

Result<ParsedMapping> load_statsd_mapping(const std::string& path) {
  const auto text = read_file_text(path, max_mapping_file_bytes);
  if (!text) return text.error();
  return parse_statsd_mapping(*text, path);
}

}  // namespace midst::app
