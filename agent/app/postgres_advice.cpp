#include "agent/app/postgres_advice.hpp"

#include <fmt/core.h>

#include <functional>
#include <map>
#include <set>
#include <string_view>

namespace midst::app {
namespace {

using Labels = std::map<std::string, std::string>;

void for_each_sample(const metrics::Exposition& page, std::string_view family,
                     const std::function<void(const Labels&, double)>& take) {
  for (const auto& merged : page.families) {
    if (merged.head->name != family) continue;
    for (const auto& part : merged.parts)
      for (std::size_t i = 0; i < part.family->values.size(); ++i) {
        const auto pairs = metrics::decode(part.family->labels[i]);
        take(Labels(pairs.begin(), pairs.end()), part.family->values[i]);
      }
  }
}

std::string identifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

}  // namespace

std::vector<std::string> postgres_advice(const metrics::Exposition& page) {
  std::set<std::string> failed;
  for_each_sample(page, "pg_scrape_collector_success", [&](const Labels& labels, double value) {
    if (value == 0) failed.insert(labels.at("collector"));
  });
  std::map<std::string, std::string> reasons;
  for_each_sample(page, "midst_pg_collector_errors_total", [&](const Labels& labels, double) {
    auto& text = reasons[labels.at("collector")];
    text.append(text.empty() ? "" : ", ").append(labels.at("reason"));
  });
  std::vector<std::string> lines;
  for (const auto& collector : failed) lines.push_back(fmt::format("collector {}: {}", collector, reasons[collector]));
  for_each_sample(page, "midst_pg_privilege", [&](const Labels& labels, double value) {
    if (value == 0)
      lines.push_back(fmt::format("the role sees little of others; as a superuser: GRANT {} TO {};",
                                  labels.at("privilege"), identifier(labels.at("rolname"))));
  });
  return lines;
}

}  // namespace midst::app
