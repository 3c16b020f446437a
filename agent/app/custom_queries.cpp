#include "agent/app/custom_queries.hpp"

#include "agent/app/custom_names.hpp"
#include "agent/app/file_text.hpp"
#include "agent/app/queries_yaml.hpp"
#include "agent/sources/postgres/custom/statement.hpp"
#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

namespace midst::app {
namespace {

using sources::CustomColumn;
using sources::CustomDefinition;
using sources::Use;

constexpr std::size_t most_columns = 200, most_values = 1000;
constexpr std::size_t most_rows = 100'000;

template <class Value>
Result<Done> choose(const std::string& text, Value& out,
                    std::initializer_list<std::pair<std::string_view, Value>> choices) {
  std::vector<std::string_view> words;
  for (const auto& [word, value] : choices) {
    words.push_back(word);
    if (text != word) continue;
    out = value;
    return Done{};
  }
  return Error{Errc::config, fmt::format("unknown value \"{}\"; one of {}", text, fmt::join(words, ", "))};
}

/// "discard" is no Use: the flag of the column stands for it.
Result<Done> set_use(const std::string& text, CustomColumn& column) {
  column.is_discarded = text == "discard";
  if (column.is_discarded) return Done{};
  return choose<Use>(text, column.use,
                     {{"label", Use::label},
                      {"counter", Use::counter},
                      {"gauge", Use::gauge},
                      {"untyped", Use::unknown},
                      {"histogram", Use::histogram},
                      {"duration", Use::duration},
                      {"discard", Use::gauge}});
}

void read_values(Section& section, CustomColumn& column) {
  for (const auto& text : section.keys()) {
    double value = 0;
    section.read(text, value, -1e300, 1e300);
    column.mapping.emplace_back(text, value);
  }
  if (column.mapping.empty() || column.mapping.size() > most_values)
    section.report_at("", fmt::format("{} takes 1 to {} values", section.full(""), most_values));
}

void read_column_table(Section& section, CustomColumn& column) {
  section.parse("use", [&](const std::string& text) { return set_use(text, column); });
  section.parse("metric", [&](const std::string& text) -> Result<Done> {
    if (!text.empty() && column.use == Use::label)
      return Error{Errc::config, "a label is no metric; name it with label"};
    if (!text.empty() && !is_metric_name(text)) return bad_metric_name(text);
    column.metric = text;
    return Done{};
  });
  section.parse("label", [&](const std::string& text) -> Result<Done> {
    if (!text.empty() && column.use != Use::label)
      return Error{Errc::config, "only a column with use = \"label\" has a label"};
    if (!text.empty() && !is_label_name(text)) return bad_label_name(text);
    if (column.use == Use::label) column.metric = text;
    return Done{};
  });
  section.read("help", column.help);
  section.read("scale", column.scale, -1e300, 1e300);
  if (column.use == Use::histogram && column.scale <= 0)
    section.report_at("scale", section.full("scale") + " of a histogram is more than 0");
  section.table("values", [&](Section& values) { read_values(values, column); });
  const bool takes_values = column.use == Use::gauge || column.use == Use::counter || column.use == Use::unknown;
  if (!column.mapping.empty() && !takes_values)
    section.report_at("values", section.full("values") + " is for a gauge, counter or untyped");
}

/// What is not said about a column follows from its name and from the query.
void settle_column(const CustomDefinition& query, CustomColumn& column) {
  if (column.use == Use::label) {
    if (column.metric.empty()) column.metric = column.column;
    return;
  }
  if (column.metric.empty()) {
    column.metric = query.prefix + "_" + column.column;
    if (column.use == Use::duration && !column.metric.ends_with("_seconds")) column.metric += "_seconds";
  }
  if (column.help.empty()) column.help = fmt::format("Column {} of the query {}.", column.column, query.name);
}

void read_columns(Section& section, CustomDefinition& query, const std::string& help) {
  for (const auto& name : section.keys()) {
    CustomColumn column;
    column.column = name;
    column.help = help;
    if (section.is_text(name))
      section.parse(name, [&](const std::string& text) { return set_use(text, column); });
    else
      section.table(name, [&](Section& table) { read_column_table(table, column); });
    settle_column(query, column);
    if (column.is_discarded) {
      query.columns.push_back(std::move(column));
      continue;
    }
    if (column.use == Use::label ? !is_label_name(column.metric) : !is_metric_name(column.metric))
      section.report_at(name, fmt::format("{}: \"{}\" is no name for a {}; give it one with {}", section.full(name),
                                          column.metric, column.use == Use::label ? "label" : "metric",
                                          column.use == Use::label ? "label" : "metric"));
    query.columns.push_back(std::move(column));
  }
  if (query.columns.empty() || query.columns.size() > most_columns)
    section.report_at("", fmt::format("{} takes 1 to {} columns", section.full(""), most_columns));
}

void read_sql(Section& section, CustomDefinition& query) {
  std::string sql, path;
  section.read("sql", sql);
  section.read("sql_file", path);
  const std::string_view key = path.empty() ? "sql" : "sql_file";
  if (sql.empty() == path.empty())
    return section.report_at(key, fmt::format("{} has to have one of sql and sql_file", section.full("")));
  if (!path.empty()) {
    auto text = read_file_text(path, sources::max_statement_bytes);
    if (!text) return section.report_at(key, section.full(key) + ": " + text.error().message);
    sql = std::move(*text);
  }
  auto statement = sources::single_statement(sql);
  if (!statement) return section.report_at(key, section.full(key) + ": " + statement.error().message);
  query.sql = std::move(*statement);
}

void read_versions(Section& section, CustomDefinition& query) {
  sources::VersionRange wanted;
  const auto read = [&](std::string_view key, int sources::VersionRange::*side) {
    section.parse(key, [&](const std::string& text) -> Result<Done> {
      if (text.empty()) return Done{};
      const auto range = sources::parse_version(text);
      if (!range) return range.error();
      wanted.*side = (*range).*side;
      return Done{};
    });
  };
  read("min_version", &sources::VersionRange::from);
  read("max_version", &sources::VersionRange::before);
  if (wanted.from >= wanted.before)
    section.report_at("max_version", section.full("max_version") + " is less than min_version");
  query.versions = {wanted};
}

bool has_datname(const CustomDefinition& query) {
  return std::any_of(query.columns.begin(), query.columns.end(), [](const CustomColumn& column) {
    return column.use == Use::label && (column.column == "datname" || column.metric == "datname");
  });
}

void read_name_of(Section& section, CustomDefinition& query) {
  section.parse("name", [&](const std::string& text) -> Result<Done> {
    if (!is_query_name(text)) return Error{Errc::config, "takes 1 to 63 small letters, digits and '_', a letter first"};
    query.name = text;
    return Done{};
  });
  if (!section.has("name")) section.report_at("name", section.full("name") + " is missing");
  query.prefix = "pg_" + query.name;
  section.parse("prefix", [&](const std::string& text) -> Result<Done> {
    if (!text.empty() && !is_metric_name(text)) return bad_metric_name(text);
    if (!text.empty()) query.prefix = text;
    return Done{};
  });
}

CustomDefinition read_query(Section& section) {
  using namespace std::chrono_literals;
  CustomDefinition query;
  query.place = section.place("name");
  read_name_of(section, query);
  read_sql(section, query);
  read_versions(section, query);
  section.read("ttl", query.ttl, 0ms, std::chrono::hours(24));
  section.read("timeout", query.timeout, 0ms, std::chrono::minutes(10));
  section.read("max_rows", query.max_rows, 1, most_rows);
  section.parse("scope", [&](const std::string& text) {
    return choose<sources::Scope>(text, query.scope,
                                  {{"server", sources::Scope::server}, {"database", sources::Scope::database}});
  });
  section.parse("role", [&](const std::string& text) {
    return choose<sources::Role>(
        text, query.role,
        {{"any", sources::Role::any}, {"primary", sources::Role::primary}, {"standby", sources::Role::standby}});
  });
  std::string help;
  section.read("help", help);
  section.table("columns", [&](Section& columns) { read_columns(columns, query, help); });
  if (!section.has("columns")) section.report_at("columns", section.full("columns") + " is missing");
  if (query.scope == sources::Scope::database && !has_datname(query))
    section.report_at("scope", section.full("scope") +
                                   ": each database answers, so the rows need a label datname; select "
                                   "current_database() AS datname");
  return query;
}

}  // namespace

void read_custom_queries(Section& section, std::vector<CustomDefinition>& custom) {
  section.tables("query", [&](Section& query) { custom.push_back(read_query(query)); });
  std::vector<std::string> files;
  section.read("queries_files", files);
  std::vector<Problem> problems;
  const auto first = custom.size();
  for (const auto& path : files) add_queries_file(path, custom, problems);
  for (auto& problem : problems) section.report(std::move(problem));
  bool is_every_database = false;
  section.read("queries_every_database", is_every_database);
  if (is_every_database) ask_every_database(std::span(custom).subspan(first));
}

void add_queries_file(const std::string& path, std::vector<CustomDefinition>& custom, std::vector<Problem>& problems) {
  const auto text = read_file_text(path, max_queries_file_bytes);
  if (!text) {
    problems.push_back({path + ":1:1", text.error().message, true});
    return;
  }
  auto parsed = parse_queries_yaml(*text, path);
  const bool has_errors =
      std::any_of(parsed.problems.begin(), parsed.problems.end(), [](const auto& problem) { return problem.is_error; });
  problems.insert(problems.end(), std::make_move_iterator(parsed.problems.begin()),
                  std::make_move_iterator(parsed.problems.end()));
  if (has_errors) return;
  custom.insert(custom.end(), std::make_move_iterator(parsed.queries.begin()),
                std::make_move_iterator(parsed.queries.end()));
}

void ask_every_database(std::span<CustomDefinition> custom) noexcept {
  for (auto& query : custom)
    if (!query.is_master_only) query.scope = sources::Scope::database;
}

}  // namespace midst::app
