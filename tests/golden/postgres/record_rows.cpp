// postgres_record_rows DSN FOLDER [VERSION]: asks a server every statement of the catalogue that fits it (or fits
// another server_version_num), as the agent would, and writes each answer to FOLDER/STATEMENT.rows. Used by record.py;
// exit 1 when a statement failed.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/conversation.hpp"
#include "agent/sources/postgres/plan.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "tests/support/loop.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;

std::string escaped(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\\' || c == '\n' || c == '\t') line += '\\';
    line += c == '\n' ? 'n' : c == '\t' ? 't' : c;
  }
  return line;
}

void write(const pq::Rows& rows, const std::filesystem::path& file) {
  std::ofstream out(file);
  for (std::size_t column = 0; column < rows.column_count(); ++column)
    out << (column == 0 ? "" : "\t") << escaped(rows.column_name(column));
  out << '\n';
  for (std::size_t row = 0; row < rows.row_count(); ++row) {
    for (std::size_t column = 0; column < rows.column_count(); ++column)
      out << (column == 0 ? "" : "\t") << (rows.is_null(row, column) ? "\\N" : escaped(rows.text(row, column)));
    out << '\n';
  }
}

/// Throws std::runtime_error when the server is not there; a statement's own failure is in its Rows.
asio::awaitable<std::vector<pq::Rows>> ask(pq::Connection& connection, std::string sql) {
  pq::Statement statement;
  statement.sql = std::move(sql);
  std::vector<pq::Statement> statements{std::move(statement)};
  auto asking = connection.pipeline(std::move(statements), std::chrono::steady_clock::now() + 30s);
  auto answered = co_await std::move(asking);
  if (!answered) throw std::runtime_error(describe(answered.error()));
  co_return std::move(*answered);
}

pq::Rows answer(boost::asio::io_context& io, pq::Connection& connection, std::string sql) {
  return std::move(test::run(io, ask(connection, std::move(sql))).front());
}

bool record(boost::asio::io_context& io, pq::Connection& connection, const PlannedQuery& planned,
            const std::filesystem::path& folder) {
  const auto rows = answer(io, connection, planned.sql);
  if (rows.error()) {
    std::cerr << planned.query->name << ": " << describe(*rows.error()) << '\n';
    return false;
  }
  write(rows, folder / (std::string(planned.query->name) + ".rows"));
  return true;
}

/// @param version  server_version_num to plan for; 0: the server's own.
int record_all(const std::string& dsn, const std::filesystem::path& folder, int version) {
  boost::asio::io_context io;
  PostgresOptions options;
  options.conninfo = pq::parse_conninfo(dsn).value();
  pq::Connection connection(io.get_executor(), options.conninfo, connection_options(options));
  std::vector<const Collector*> collectors;
  for (const auto& collector : postgres_catalog()) collectors.push_back(&collector);
  ServerFacts facts;
  const auto known = answer(io, connection, facts_sql(collectors));
  if (known.error()) throw std::runtime_error(describe(*known.error()));
  read_facts(view_of(known), facts);
  facts.version = version == 0 ? connection.server_version() : version;
  const auto recovery = answer(io, connection, "SELECT pg_catalog.pg_is_in_recovery()");
  facts.is_standby = recovery.row_count() == 1 && recovery.text(0, 0) == "t";
  bool is_good = record(io, connection, {&instance_query(), std::string(instance_query().sql), ""}, folder);
  for (const auto* collector : collectors) {
    // Texts of statements are no use here; what is made of them has tests of its own.
    if (!collector->extension.empty() && collector->make_treatment != nullptr) continue;
    const auto statements = plan(*collector, facts);
    if (!statements) std::cerr << collector->name << ": " << describe(statements.error()) << '\n';
    is_good = is_good && statements;
    for (const auto& planned : statements ? *statements : std::vector<PlannedQuery>())
      is_good = record(io, connection, planned, folder) && is_good;
  }
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace midst::sources

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::cerr << "usage: " << argv[0] << " DSN FOLDER [VERSION]\n";
    return 2;
  }
  try {
    return midst::sources::record_all(argv[1], argv[2], argc == 4 ? std::stoi(argv[3]) : 0);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
