#include "agent/app/queries_yaml.hpp"

#include "agent/app/custom_names.hpp"
#include "agent/app/yaml_reader.hpp"
#include "agent/sources/postgres/custom/statement.hpp"
#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace midst::app {
namespace {

using sources::CustomColumn;
using sources::CustomDefinition;
using sources::Use;

constexpr std::size_t most_columns = 200, most_values = 1000;
/// The exporter has no limit; this is one that only a mistake meets.
constexpr std::size_t max_rows = 10'000;
constexpr std::int64_t longest_cache_seconds = 86'400;

/// What a usage makes of a column.
struct Usage {
  std::string_view word;
  Use use;
  std::string_view suffix;  ///< Of the metric's name.
  double scale;
};

/// DISCARD is no use; see is_discarded.
constexpr Usage usages[] = {{"LABEL", Use::label, "", 1},        {"COUNTER", Use::counter, "", 1},
                            {"GAUGE", Use::gauge, "", 1},        {"DISCARD", Use::label, "", 1},
                            {"MAPPEDMETRIC", Use::gauge, "", 1}, {"DURATION", Use::duration, "_milliseconds", 1000},
                            {"HISTOGRAM", Use::histogram, "", 1}};

class QueriesFile {
 public:
  QueriesFile(std::string_view yaml, std::string_view file_name) : yaml_(yaml, file_name) {}

  ParsedQueries read() {
    if (const auto* root = yaml_.root("queries"); root != nullptr)
      yaml_.each_pair(*root, "the file",
                      [this](const YamlNode& key, const YamlNode& value) { read_query(key, value); });
    result_.problems = yaml_.take_problems();
    return std::move(result_);
  }

 private:
  void report(const YamlPlace& place, std::string message) { yaml_.report(place, std::move(message)); }
  /// Unknown keys are what the exporter passes over.
  void read_fields(const YamlNode& map, std::string_view what, const YamlReader::Fields& fields) {
    yaml_.read_fields(map, what, YamlReader::Unknown::warned, fields);
  }

  void read_query(const YamlNode& key, const YamlNode& value) {
    CustomDefinition query;
    query.name = key.text;
    query.prefix = key.text;
    query.max_rows = max_rows;
    query.has_server_label = true;
    query.place = yaml_.place_text(key.place);
    if (!is_metric_name(key.text)) report(key.place, bad_metric_name(key.text).message);
    bool has_query = false;
    read_fields(value, fmt::format("query {}", key.text),
                {{"query",
                  [&](const YamlNode& node) {
                    has_query = true;
                    read_sql(node, query);
                  }},
                 {"metrics", [&](const YamlNode& node) { read_metrics(node, query); }},
                 {"master", [&](const YamlNode& node) { read_master(node, query); }},
                 {"cache_seconds", [&](const YamlNode& node) { read_cache_seconds(node, query); }},
                 {"runonserver", [&](const YamlNode& node) { read_versions(node, "runonserver", query.versions); }}});
    if (!has_query) report(key.place, fmt::format("query {} has no SQL; give it the key query", key.text));
    result_.queries.push_back(std::move(query));
  }

  void read_sql(const YamlNode& node, CustomDefinition& query) {
    const auto* sql = yaml_.text_of(node, "query");
    if (sql == nullptr) return;
    auto statement = sources::single_statement(*sql);
    if (!statement) return report(node.place, fmt::format("query {}: {}", query.name, statement.error().message));
    query.sql = std::move(*statement);
  }

  void read_master(const YamlNode& node, CustomDefinition& query) {
    const auto word = node.kind == YamlNode::Kind::scalar ? text::lower(node.text) : std::string();
    query.is_master_only = word == "true" || word == "yes" || word == "on";
    if (!query.is_master_only && word != "false" && word != "no" && word != "off")
      report(node.place, "master has to be true or false");
  }

  void read_cache_seconds(const YamlNode& node, CustomDefinition& query) {
    const auto seconds = text::parse_integer(node.text);
    if (node.kind != YamlNode::Kind::scalar || !seconds || *seconds < 0 || *seconds > longest_cache_seconds)
      return report(node.place, fmt::format("cache_seconds takes a whole number of 0 to {}", longest_cache_seconds));
    query.ttl = std::chrono::seconds(*seconds);
  }

  void read_versions(const YamlNode& node, std::string_view key, sources::VersionRanges& versions) {
    const auto* range = yaml_.text_of(node, key);
    if (range == nullptr) return;
    auto parsed = sources::parse_semantic_range(*range);
    if (!parsed) return report(node.place, fmt::format("{}: {}", key, parsed.error().message));
    versions = std::move(*parsed);
  }

  void read_metrics(const YamlNode& node, CustomDefinition& query) {
    yaml_.each_item(node, "metrics", [&](const YamlNode& item) {
      yaml_.each_pair(item, "an item of metrics",
                      [&](const YamlNode& name, const YamlNode& options) { read_column(name, options, query); });
    });
  }

  void read_column(const YamlNode& name, const YamlNode& options, CustomDefinition& query) {
    if (query.columns.size() == most_columns)
      return report(name.place, fmt::format("query {} has more than {} columns", query.name, most_columns));
    const bool is_there = std::any_of(query.columns.begin(), query.columns.end(),
                                      [&](const CustomColumn& column) { return column.column == name.text; });
    if (is_there) return report(name.place, fmt::format("column {} stands twice in query {}", name.text, query.name));
    CustomColumn column;
    column.column = name.text;
    const Usage* usage = nullptr;
    const YamlNode* mapping = nullptr;
    read_fields(options, fmt::format("column {}", name.text),
                {{"usage", [&](const YamlNode& node) { usage = usage_of(node); }},
                 {"description",
                  [&](const YamlNode& node) {
                    if (const auto* text = yaml_.text_of(node, "description")) column.help = *text;
                  }},
                 {"metric_mapping", [&](const YamlNode& node) { mapping = &node; }},
                 {"pg_version", [&](const YamlNode& node) { read_versions(node, "pg_version", column.versions); }}});
    if (usage == nullptr) {
      if (!has_usage_problem_)
        report(name.place, fmt::format("column {} has no usage; one of {}", name.text, usage_words()));
      has_usage_problem_ = false;
      return;
    }
    settle_column(name, *usage, mapping, query, std::move(column));
  }

  const Usage* usage_of(const YamlNode& node) {
    const auto* word = yaml_.text_of(node, "usage");
    if (word != nullptr)
      for (const auto& usage : usages)
        if (usage.word == *word) return &usage;
    has_usage_problem_ = true;
    if (word != nullptr) report(node.place, fmt::format("unknown usage \"{}\"; one of {}", *word, usage_words()));
    return nullptr;
  }

  static std::string usage_words() {
    std::string words;
    for (const auto& usage : usages) words.append(words.empty() ? "" : ", ").append(usage.word);
    return words;
  }

  void settle_column(const YamlNode& name, const Usage& usage, const YamlNode* mapping, CustomDefinition& query,
                     CustomColumn column) {
    column.is_discarded = usage.word == "DISCARD";
    column.use = usage.use;
    column.scale = usage.scale;
    const bool is_mapped = usage.word == "MAPPEDMETRIC";
    if (is_mapped != (mapping != nullptr))
      return report(name.place, fmt::format("column {}: MAPPEDMETRIC and metric_mapping belong together", name.text));
    if (is_mapped) read_mapping(*mapping, column);
    if (column.use == Use::label) {
      column.metric = name.text;
      if (!column.is_discarded && !is_label_name(name.text)) report(name.place, bad_label_name(name.text).message);
    } else {
      column.metric = fmt::format("{}_{}{}", query.prefix, name.text, usage.suffix);
      if (!is_metric_name(column.metric)) report(name.place, bad_metric_name(column.metric).message);
    }
    query.columns.push_back(std::move(column));
  }

  void read_mapping(const YamlNode& node, CustomColumn& column) {
    yaml_.each_pair(node, "metric_mapping", [&](const YamlNode& key, const YamlNode& value) {
      if (column.mapping.size() == most_values)
        return report(key.place, fmt::format("column {} has more than {} values", column.column, most_values));
      const auto number = text::parse_number(value.text);
      if (value.kind != YamlNode::Kind::scalar || !number)
        return report(value.place, fmt::format("the value of \"{}\" has to be a number", key.text));
      column.mapping.emplace_back(key.text, *number);
    });
    if (column.mapping.empty()) report(node.place, "metric_mapping is empty");
  }

  YamlReader yaml_;
  ParsedQueries result_;
  bool has_usage_problem_ = false;
};

}  // namespace

ParsedQueries parse_queries_yaml(std::string_view yaml, std::string_view file_name) {
  return QueriesFile(yaml, file_name).read();
}

}  // namespace midst::app
