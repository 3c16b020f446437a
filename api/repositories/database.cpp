#include "api/repositories/database.hpp"

#include <utility>

namespace midst::api {
namespace {

constexpr Query ping_query{"ping", "none", "ping", "SELECT 1"};

pq::ConnectionOptions connection_options() {
  pq::ConnectionOptions options;
  // Requests are waiting: a server that is back should be found within about a second.
  options.backoff_max = std::chrono::milliseconds(1000);
  return options;
}

/// Whether the statement has not left this process.
bool was_not_sent(Errc code) noexcept {
  return code == Errc::connect_refused || code == Errc::dns || code == Errc::tls || code == Errc::auth ||
         code == Errc::limit || code == Errc::loading;
}

/// PostgreSQL 15 docs, appendix A: states that pass by themselves or by a failover: connection exceptions, resources,
/// operator intervention, a read-only server. 57014 (a cancelled statement) is a timeout already.
bool will_pass(std::string_view sqlstate) noexcept {
  return sqlstate.starts_with("08") || sqlstate.starts_with("53") || sqlstate.starts_with("57P") ||
         sqlstate == "25006" || sqlstate == "40001" || sqlstate == "40P01";
}

Error statement_error(const pq::Rows& rows) {
  Error error = *rows.error();
  if (error.code == Errc::server && will_pass(rows.sqlstate())) error.code = Errc::closed;
  return error;
}

}  // namespace

Database::Database(asio::any_io_executor executor, pq::Conninfo conninfo, DatabaseOptions options, QueryEvents events)
    : pool_(std::move(executor), std::move(conninfo), connection_options(), options.pool),
      options_(options),
      events_(std::move(events)) {
}

asio::awaitable<Result<pq::Rows>> Database::run(Query query, std::vector<std::optional<std::string>> parameters,
                                                Deadline deadline) {
  if (!is_schema_current_) co_return Error{Errc::loading, "the database schema is not current yet"};
  co_return co_await send(query, std::move(parameters), deadline);
}

asio::awaitable<Result<Done>> Database::check(Deadline deadline) {
  if (!is_schema_current_) co_return Error{Errc::loading, "the database schema is not current yet"};
  const auto rows = co_await send(ping_query, {}, deadline);
  if (!rows) co_return rows.error();
  co_return Done{};
}

asio::awaitable<Result<pq::Rows>> Database::send(Query query, std::vector<std::optional<std::string>> parameters,
                                                 Deadline deadline) {
  pq::Statement statement;
  statement.sql = query.sql;
  statement.parameters = std::move(parameters);
  if (options_.statements == DatabaseOptions::Statements::prepared) statement.prepared_name = query.name;
  std::vector<pq::Statement> statements;
  statements.push_back(std::move(statement));

  const auto start = std::chrono::steady_clock::now();
  auto answer = co_await pool_.pipeline(std::move(statements), deadline);
  Result<pq::Rows> rows = Error{Errc::protocol, "the answer to the statement is missing"};
  if (!answer)
    rows = answer.error();
  else if (!answer->empty() && answer->front().error())
    rows = statement_error(answer->front());
  else if (!answer->empty())
    rows = std::move(answer->front());

  if (events_.on_finished && !(!answer && was_not_sent(answer.error().code)))
    events_.on_finished(query.operation, query.table, std::chrono::steady_clock::now() - start);
  if (!rows && events_.on_failed) events_.on_failed(query.operation, query.table, word(rows.error().code));
  co_return rows;
}

}  // namespace midst::api
