#include "agent/sources/postgres/plan.hpp"

#include <fmt/core.h>

#include <cstdint>

namespace midst::sources {
namespace {

std::string literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + '\'';
}

std::string identifier(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

void replace_all(std::string& text, std::string_view mark, std::string_view by) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size()))
    text.replace(at, mark.size(), by);
}

/// FNV-1a: short, and the same in every run.
std::uint64_t digest(std::string_view text) noexcept {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

std::string optional_columns(const Query& query, const ServerFacts& facts) {
  std::string columns;
  for (const auto& optional : query.optional)
    if (facts.columns.contains({std::string(optional.relation), std::string(optional.column)}))
      columns.append(", ").append(optional.expression.empty() ? optional.column : optional.expression);
  return columns;
}

PlannedQuery planned(const Query& query, std::string_view schema, const ServerFacts& facts) {
  std::string sql(query.sql);
  if (!query.optional.empty()) replace_all(sql, "{optional}", optional_columns(query, facts));
  if (!schema.empty()) replace_all(sql, "{schema}", identifier(schema));
  auto name = fmt::format("midst_{}_{:08x}", query.name.substr(0, 40), digest(sql) & 0xFFFFFFFF);
  return {&query, std::move(sql), std::move(name)};
}

bool is_role_of(Role role, const ServerFacts& facts) {
  return role == Role::any || (role == Role::standby) == facts.is_standby;
}

std::string joined(const std::set<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list.append(list.empty() ? "" : ", ").append(literal(text));
  return list;
}

}  // namespace

std::string facts_sql(std::span<const Collector* const> collectors) {
  std::set<std::string> extensions, relations, columns;
  for (const auto* collector : collectors) {
    if (!collector->extension.empty()) extensions.emplace(collector->extension);
    for (const auto& query : collector->queries)
      for (const auto& optional : query.optional) {
        relations.emplace(optional.relation);
        columns.emplace(optional.column);
      }
  }
  std::string sql;
  if (!extensions.empty())
    sql += fmt::format(
        "SELECT 'extension' AS kind, e.extname::text AS name, n.nspname::text AS detail, e.extversion AS more"
        " FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname IN ({})",
        joined(extensions));
  if (!relations.empty())
    sql += fmt::format(
        "{}SELECT 'column', c.relname::text, a.attname::text, NULL"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind IN ('r', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped"
        " AND (c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace OR EXISTS (SELECT FROM pg_catalog.pg_depend d"
        " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'))"
        " AND c.relname IN ({}) AND a.attname IN ({})",
        sql.empty() ? "" : " UNION ALL ", joined(relations), joined(columns));
  return sql.empty() ? "SELECT NULL AS kind, NULL AS name, NULL AS detail, NULL AS more WHERE false" : sql;
}

void read_facts(const TableView& rows, ServerFacts& facts) {
  facts.extensions.clear();
  facts.columns.clear();
  if (rows.columns.size() < 4) return;
  const auto cell = [&](std::size_t row, std::size_t column) {
    return std::string(rows.cell(rows.rows, row, column).value_or(""));
  };
  for (std::size_t row = 0; row < rows.row_count; ++row) {
    const auto kind = cell(row, 0);
    if (kind == "extension") facts.extensions[cell(row, 1)] = {cell(row, 2), cell(row, 3)};
    if (kind == "column") facts.columns.emplace(cell(row, 1), cell(row, 2));
  }
}

Result<std::vector<PlannedQuery>> plan(const Collector& collector, const ServerFacts& facts) {
  std::vector<const Query*> chosen;
  for (const auto& query : collector.queries)
    if (query.fits(facts.version, facts.edition) && is_role_of(query.role, facts)) chosen.push_back(&query);
  std::vector<PlannedQuery> statements;
  if (chosen.empty()) return statements;
  std::string_view schema;
  if (!collector.extension.empty()) {
    const auto extension = facts.extensions.find(collector.extension);
    if (extension == facts.extensions.end())
      return Error{Errc::unsupported, fmt::format("extension {} is not installed in the connected database; CREATE "
                                                  "EXTENSION {} there, or switch the collector off",
                                                  collector.extension, collector.extension)};
    schema = extension->second.schema;
  }
  for (const auto* query : chosen) statements.push_back(planned(*query, schema, facts));
  return statements;
}

}  // namespace midst::sources
