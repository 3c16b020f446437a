// A collector that the operator wrote: SQL of their own, in the configuration or in an exporter's queries file.
#pragma once

#include "agent/sources/postgres/query.hpp"

#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace midst::sources {

/// One column of the answer.
struct CustomColumn {
  std::string column;  ///< Name in the answer.
  Use use = Use::gauge;
  std::string metric;  ///< Full name of the metric; for a label: the label.
  std::string help;
  double scale = 1;
  std::vector<std::pair<std::string, double>> mapping;  ///< Text → number; empty: the text is the number.
};

/// Everything about one such collector. Defaults here are the defaults of the configuration.
struct CustomDefinition {
  std::string name;  ///< In pg_scrape_collector_success{collector}; unique among all collectors of a target.
  std::string sql;
  std::vector<CustomColumn> columns;
  std::chrono::milliseconds ttl{0};
  std::chrono::milliseconds timeout{0};  ///< On the server; zero: the target's statement_timeout.
  Scope scope = Scope::server;
  Role role = Role::any;
  int from_version = 0;                                  ///< server_version_num, inclusive.
  int before_version = std::numeric_limits<int>::max();  ///< Exclusive.
  std::size_t max_rows = 1000;
  std::string place;  ///< "file:line:col" it was read from, for messages.
};

}  // namespace midst::sources
