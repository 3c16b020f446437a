#include "agent/app/custom_names.hpp"

#include "agent/app/custom_queries.hpp"
#include "agent/sources/postgres/custom/known_families.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace midst::app {
namespace {

using metrics::MetricType;
using sources::CustomColumn;
using sources::CustomDefinition;

constexpr std::string_view small = "abcdefghijklmnopqrstuvwxyz", capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                           digit = "0123456789";
constexpr std::size_t longest_query_name = 63, longest_name = 200;
constexpr std::size_t most_queries = 500;

bool is_made_of(std::string_view text, std::initializer_list<std::string_view> sets) noexcept {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return std::any_of(sets.begin(), sets.end(), [&](std::string_view set) { return set.find(c) != set.npos; });
  });
}

bool starts_with_digit(std::string_view text) noexcept {
  return !text.empty() && digit.find(text[0]) != digit.npos;
}

struct Owner {
  std::string collector;
  MetricType type;
  bool is_custom;
};

/// The names a family takes on the page.
std::vector<std::string> names_of(const std::string& metric, MetricType type) {
  if (type != MetricType::histogram) return {metric};
  return {metric, metric + "_bucket", metric + "_sum", metric + "_count"};
}

MetricType type_of(const CustomColumn& column) noexcept {
  return sources::spec_of({.column = column.column, .use = column.use, .name = column.metric}).type;
}

class Check {
 public:
  explicit Check(const sources::PostgresOptions& options) {
    for (const auto& [name, family] : sources::known_families(options))
      for (const auto& taken : names_of(name, family.type))
        owners_.emplace(taken, Owner{std::string(family.collector), family.type, false});
    const auto built_in = sources::postgres_collectors();
    built_in_.insert(built_in.begin(), built_in.end());
    built_in_.insert({"database_list", "wait_samples"});
  }

  void add(const CustomDefinition& query) {
    if (built_in_.contains(query.name))
      report(query, fmt::format("\"{}\" is a collector of the agent; call the query something else", query.name));
    if (!query.name.empty() && !names_.insert(query.name).second)
      report(query, fmt::format("two queries are called \"{}\"; give each its own name", query.name));
    std::set<std::string> own;
    for (const auto& column : query.columns) {
      if (column.is_discarded) continue;
      if (column.use == sources::Use::label) {
        if (!labels_of_[&query].insert(column.metric).second)
          report(query, fmt::format("two columns of \"{}\" are the label {}", query.name, column.metric));
      } else if (!own.insert(column.metric).second) {
        report(query, fmt::format("two columns of \"{}\" are the metric {}", query.name, column.metric));
      } else {
        add_metric(query, column);
      }
    }
  }

  std::vector<Problem> take() { return std::move(problems_); }

 private:
  void report(const CustomDefinition& query, std::string message, bool is_error = true) {
    problems_.push_back({query.place, std::move(message), is_error});
  }

  void add_metric(const CustomDefinition& query, const CustomColumn& column) {
    const auto type = type_of(column);
    for (const auto& name : names_of(column.metric, type)) {
      if (is_reserved(name))
        return report(query, fmt::format("the metric {} tells about the agent itself; choose another name", name));
      const auto known = owners_.find(name);
      if (known == owners_.end()) {
        owners_.emplace(name, Owner{query.name, type, true});
        continue;
      }
      const auto& owner = known->second;
      const auto way_out = owner.is_custom
                               ? std::string("choose another name")
                               : fmt::format("choose another name or set collectors.{} = false", owner.collector);
      if (owner.type != type)
        report(query, fmt::format("the metric {} is a {} of \"{}\" and cannot be a {} here; {}", name, word(owner.type),
                                  owner.collector, word(type), way_out));
      else if (!owner.is_custom)
        report(query, fmt::format("the metric {} is shown by \"{}\" as well; {}", name, owner.collector, way_out),
               false);
      return;
    }
  }

  static bool is_reserved(std::string_view name) noexcept {
    return name == "pg_up" || name == "pg_static" || name.starts_with("midst_") || name.starts_with("pg_exporter_") ||
           name.starts_with("pg_scrape_collector_");
  }

  std::map<std::string, Owner> owners_;
  std::set<std::string_view> built_in_;
  std::set<std::string> names_;
  std::map<const CustomDefinition*, std::set<std::string>> labels_of_;
  std::vector<Problem> problems_;
};

}  // namespace

bool is_query_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_query_name && is_made_of(text, {small, digit, "_"}) &&
         small.find(text[0]) != small.npos;
}

bool is_metric_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_name && is_made_of(text, {small, capital, digit, "_:"}) &&
         !starts_with_digit(text);
}

bool is_label_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_name && is_made_of(text, {small, capital, digit, "_"}) &&
         !starts_with_digit(text) && !text.starts_with("__");
}

Error bad_metric_name(std::string_view text) {
  return {Errc::config,
          fmt::format("\"{}\" is no name of a metric: letters, digits, '_' and ':', no digit first", text)};
}

Error bad_label_name(std::string_view text) {
  return {Errc::config,
          fmt::format("\"{}\" is no name of a label: letters, digits and '_', no digit first, no \"__\"", text)};
}

std::vector<Problem> check_custom_queries(const sources::PostgresOptions& options) {
  if (options.custom.empty()) return {};
  if (options.custom.size() > most_queries)
    return {{options.custom.back().place, fmt::format("a target takes at most {} queries", most_queries), true}};
  Check check(options);
  for (const auto& query : options.custom) check.add(query);
  return check.take();
}

}  // namespace midst::app
