#include "agent/sources/postgres/label_names.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace midst::sources {
namespace {

/// In how many statements a family stands, and in how many of them surely with each label.
struct Seen {
  std::size_t statements = 0;
  std::map<std::string_view, std::size_t> labels;
};

bool is_optional(std::string_view column, const Query& query) {
  return std::any_of(query.optional.begin(), query.optional.end(),
                     [&](const OptionalColumn& optional) { return optional.column == column; });
}

/// The labels of a value, and whether the answer may lack each.
std::map<std::string_view, bool> labels_of(const Column& value, const Query& query, const Collector& collector) {
  std::map<std::string_view, bool> labels;
  if (collector.has_server_label) labels.emplace("server", false);
  if (query.shape != Shape::columns) return labels;
  for (const auto& column : query.columns)
    if (column.use == Use::label && (column.groups & value.groups) != 0)
      labels.emplace(column.name.empty() ? column.column : column.name, is_optional(column.column, query));
  return labels;
}

std::string text_of(const Seen& seen) {
  std::string text;
  for (const auto& [label, statements] : seen.labels) {
    if (!text.empty()) text += ',';
    text += label;
    if (statements < seen.statements) text += '?';
  }
  return text;
}

/// @return the same text, kept; there are as many as the tables have different ones.
std::string_view kept(std::string text) {
  static std::set<std::string, std::less<>> texts;
  return *texts.insert(std::move(text)).first;
}

}  // namespace

void add_label_names(std::span<const Collector* const> collectors, Edition edition,
                     std::vector<metrics::MetricSpec>& specs) {
  std::map<std::string_view, Seen> families;
  for (const auto* collector : collectors)
    for (const auto& query : collector->queries) {
      if (query.edition != Edition::any && query.edition != edition) continue;
      // Several columns of one statement may make one family, of the same labels.
      std::map<std::string_view, std::map<std::string_view, bool>> of_query;
      for (const auto& column : query.columns)
        if (column.use != Use::label) of_query[column.name].merge(labels_of(column, query, *collector));
      for (const auto& [name, labels] : of_query) {
        auto& seen = families[name];
        ++seen.statements;
        for (const auto& [label, is_sometimes] : labels) seen.labels[label] += is_sometimes ? 0 : 1;
      }
    }
  for (auto& spec : specs)
    if (const auto found = families.find(spec.name); found != families.end() && spec.labels.empty())
      spec.labels = kept(text_of(found->second));
}

}  // namespace midst::sources
