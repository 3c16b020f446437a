// A collector that the operator wrote: SQL of their own, in the configuration or in an exporter's queries file.
#pragma once

#include "agent/sources/postgres/custom/versions.hpp"
#include "agent/sources/postgres/query.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace midst::sources {

/// One column of the answer.
struct CustomColumn {
  std::string column;  ///< Name in the answer.
  Use use = Use::gauge;
  std::string metric = {};  ///< Full name of the metric; for a label: the label.
  std::string help = {};
  double scale = 1;
  std::vector<std::pair<std::string, double>> mapping = {};  ///< Text → number; empty: the text is the number.
  bool is_discarded = false;                                 ///< Neither label nor metric.
  VersionRanges versions{VersionRange{}};                    ///< On other servers it is discarded.
};

/// Everything about one such collector. Defaults here are the defaults of the configuration.
struct CustomDefinition {
  std::string name;    ///< In pg_scrape_collector_success{collector}; unique among all collectors of a target.
  std::string sql;     ///< One statement, as single_statement() returns it.
  std::string prefix;  ///< A column that is not listed becomes the metric PREFIX_COLUMN.
  std::vector<CustomColumn> columns;
  std::chrono::milliseconds ttl{0};
  std::chrono::milliseconds timeout{5000};  ///< On the server; zero: the target's statement_timeout.
  Scope scope = Scope::server;
  Role role = Role::any;
  VersionRanges versions{VersionRange{}};  ///< Of servers that are asked.
  std::size_t max_rows = 1000;
  bool is_master_only = false;    ///< Of a queries file: stays with the connected database.
  bool has_server_label = false;  ///< As what an exporter makes of a queries file.
  std::string place;              ///< "file:line:col" it was read from, for messages.
};

}  // namespace midst::sources
