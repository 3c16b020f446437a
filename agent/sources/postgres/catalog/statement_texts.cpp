// Texts of some statements, see StatementTexts. Not in the list of collectors: the source asks when there is something
// to ask for. $1: an array of query ids.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {{"queryid", Use::label}, {"query", Use::label}};

constexpr Query queries[] = {{.name = "statement_texts",
                              .from_version = 90'600,
                              .sql = R"(
SELECT DISTINCT ON (s.queryid) s.queryid, pg_catalog.left(s.query, 1024) AS query
  FROM {schema}.pg_stat_statements(true) s
 WHERE s.queryid = ANY ($1::bigint[])
 ORDER BY s.queryid, s.dbid, s.userid)",
                              .columns = columns,
                              .max_rows = 1000}};

}  // namespace

constinit const Collector statement_texts_collector{.name = "statement_texts",
                                                    .queries = queries,
                                                    .timeout = std::chrono::seconds(5),
                                                    .extension = "pg_stat_statements"};

}  // namespace midst::sources
