// The operator's own SQL: [[postgres.query]], and the queries files of postgres_exporter that a target names.
#pragma once

#include "agent/app/section.hpp"
#include "agent/sources/postgres/custom/definition.hpp"

#include <span>
#include <string>
#include <vector>

namespace midst::app {

/// Reads the keys query, queries_files and queries_every_database of a [[postgres]].
void read_custom_queries(Section& section, std::vector<sources::CustomDefinition>& custom);

/// Takes what a queries file holds; nothing of one with errors.
/// @param problems  takes what is wrong with it.
void add_queries_file(const std::string& path, std::vector<sources::CustomDefinition>& custom,
                      std::vector<Problem>& problems);

/// Has the queries that are not for the connected database alone asked in every other database too.
void ask_every_database(std::span<sources::CustomDefinition> custom) noexcept;

/// @return what is wrong with the names of a target's queries and metrics, among themselves and beside the collectors
/// that are on.
[[nodiscard]] std::vector<Problem> check_custom_queries(const sources::PostgresOptions& options);

}  // namespace midst::app
