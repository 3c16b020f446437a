#include "lib/pq/session.hpp"

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"
#include "lib/pq/login_error.hpp"
#include "lib/pq/resolve.hpp"

#include <libpq-fe.h>

#include <poll.h>
#include <sys/socket.h>

#include <tuple>

namespace midst::pq {
namespace {

constexpr std::chrono::seconds default_connect_timeout{5};
/// Messages taken in by one is_alive(): a server that chatters without end must not hold the loop.
constexpr int max_unasked_reads = 16;

/// What every connection of ours wants unless its string says otherwise. Only application_name and client_encoding
/// travel to the server, and PgBouncer 1.18 accepts both; it refuses `options` and startup parameters it does not know,
/// so session settings are made by SQL after the login. The keepalives notice a vanished peer within 60 s between
/// scrapes; tcp_user_timeout (ms) within 15 s while bytes are on their way.
constexpr std::pair<std::string_view, std::string_view> defaults[] = {
    {"application_name", "midst-agent"}, {"client_encoding", "UTF8"},
    {"gssencmode", "disable"},           {"keepalives", "1"},
    {"keepalives_idle", "30"},           {"keepalives_interval", "10"},
    {"keepalives_count", "3"},           {"tcp_user_timeout", "15000"},
};

std::string_view field(const PGresult* result, int code) noexcept {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

/// PG_DIAG_SEVERITY_NONLOCALIZED came with Postgres 9.6; PgBouncer sends only the other.
bool is_fatal(const PGresult* result) noexcept {
  auto severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity.empty()) severity = field(result, PG_DIAG_SEVERITY);
  return severity == "FATAL" || severity == "PANIC";
}

Error farewell(const PGresult* result) {
  const auto sqlstate = field(result, PG_DIAG_SQLSTATE);
  auto kind = classify_sqlstate(sqlstate);
  if (kind == Errc::server || kind == Errc::timeout) kind = Errc::closed;
  std::string message = "the server ended the connection: ";
  message.append(field(result, PG_DIAG_MESSAGE_PRIMARY)).append(" (SQLSTATE ").append(sqlstate).append(")");
  return Error{kind, std::move(message)};
}

std::string first_line(const char* text) {
  std::string_view rest(text == nullptr ? "" : text);
  return std::string(text::trim(text::take_until(rest, '\n')));
}

Deadline connect_deadline(const Conninfo& conninfo) {
  const auto now = std::chrono::steady_clock::now();
  const auto seconds = text::parse_integer(conninfo.get("connect_timeout"));
  if (!seconds) return now + default_connect_timeout;
  // As libpq documents connect_timeout: zero and less wait for ever. Its own timer does not run in asynchronous logins.
  return *seconds <= 0 ? Deadline::max() : now + std::chrono::seconds(*seconds);
}

PGconn* start_login(const Conninfo& conninfo) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : conninfo.keywords) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  constexpr int dbname_is_a_name = 0;
  return PQconnectStartParams(keys.data(), values.data(), dbname_is_a_name);
}

}  // namespace

void ReleaseHandle::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}
void ReleaseHandle::operator()(pg_result* result) const noexcept {
  PQclear(result);
}

std::optional<Error> session_end(const pg_conn* connection, const pg_result* result) {
  if (PQresultStatus(result) != PGRES_FATAL_ERROR) return std::nullopt;
  if (is_fatal(result)) return farewell(result);
  if (PQstatus(connection) == CONNECTION_BAD && field(result, PG_DIAG_SQLSTATE).empty())
    return Error{Errc::closed, first_line(PQresultErrorMessage(result))};
  return std::nullopt;
}

Session::Session(asio::any_io_executor executor, std::vector<std::string> setup)
    : executor_(std::move(executor)), setup_(std::move(setup)) {
}

Session::~Session() = default;

asio::awaitable<Result<std::unique_ptr<Session>>> Session::open(asio::any_io_executor executor, Conninfo conninfo,
                                                                std::vector<std::string> setup) {
  const auto deadline = connect_deadline(conninfo);
  for (const auto& [key, value] : defaults) conninfo.set_default(key, std::string(value));
  std::unique_ptr<Session> session(new Session(executor, std::move(setup)));
  auto work = session->log_in(std::move(conninfo));
  const auto logged_in = co_await with_deadline(std::move(work), deadline);
  if (!logged_in) co_return logged_in.error();
  co_return std::move(session);
}

asio::awaitable<Result<Done>> Session::log_in(Conninfo conninfo) {
  auto resolving = resolve_hosts(executor_, std::move(conninfo));
  const auto resolved = co_await std::move(resolving);
  if (!resolved) co_return resolved.error();
  connection_.reset(start_login(*resolved));
  auto* connection = connection_.get();
  if (connection == nullptr) co_return Error{Errc::internal, "libpq has no memory for a connection"};
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);  // a login's failure has its SQLSTATE in the text alone
  PQsetNoticeReceiver(connection, &Session::take_notice, this);
  auto step = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (step == PGRES_POLLING_FAILED) co_return login_error(PQerrorMessage(connection));
    {
      Readiness readiness(executor_, PQsocket(connection));
      const auto waited = co_await readiness.wait(step == PGRES_POLLING_READING ? Ready::read : Ready::write);
      if (!waited) co_return waited.error();
    }
    step = PQconnectPoll(connection);
  }
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  if (PQsetnonblocking(connection, 1) != 0) co_return lost();
  co_return Done{};
}

bool Session::is_alive() {
  auto* connection = connection_.get();
  for (int i = 0; i < max_unasked_reads; ++i) {
    if (!stands() || farewell_) return false;
    pollfd socket{PQsocket(connection), POLLIN, 0};
    if (::poll(&socket, 1, 0) <= 0) return true;
    if (PQconsumeInput(connection) == 0) return false;
    std::ignore = PQisBusy(connection);  // parses: a FATAL arrives as a notice
    while (auto* notification = PQnotifies(connection)) PQfreemem(notification);
  }
  return true;
}

asio::awaitable<Result<Rows>> Session::simple(const std::string& sql) {
  has_received_ = false;
  auto* connection = connection_.get();
  if (PQpipelineStatus(connection) != PQ_PIPELINE_OFF && PQexitPipelineMode(connection) == 0)
    co_return Error{Errc::internal, first_line(PQerrorMessage(connection))};
  auto running = simple_once(sql);
  auto rows = co_await std::move(running);
  if (!rows || PQtransactionStatus(connection) == PQTRANS_IDLE) co_return std::move(rows);
  log::warn("a transaction was left open and is rolled back", {{"backend_pid", backend_pid()}});
  const std::string rollback = "ROLLBACK";
  auto rolling_back = simple_once(rollback);
  const auto rolled_back = co_await std::move(rolling_back);
  if (!rolled_back) co_return rolled_back.error();
  co_return std::move(rows);
}

asio::awaitable<Result<Rows>> Session::simple_once(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) co_return lost();
  Readiness readiness(executor_, PQsocket(connection_.get()));
  ResultHandle last;
  for (;;) {
    auto reading = next_result(readiness);
    auto next = co_await std::move(reading);
    if (!next) co_return next.error();
    if (!*next) break;
    const auto status = PQresultStatus(next->get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
      co_return Error{Errc::unsupported, "COPY is not supported"};
    last = std::move(*next);
  }
  co_return Rows(last.release());
}

asio::awaitable<Result<ResultHandle>> Session::next_result(Readiness& readiness) {
  auto* connection = connection_.get();
  while (PQisBusy(connection) != 0) {
    // Reading goes on while there is something left to write, or both sides could wait for the other (libpq 15, 34.4).
    const int unsent = PQflush(connection);
    if (unsent < 0) co_return lost();
    const auto waited = co_await readiness.wait(unsent == 0 ? Ready::read : Ready::either);
    if (!waited) co_return waited.error();
    if (PQconsumeInput(connection) == 0 && PQisBusy(connection) != 0) co_return lost();
  }
  ResultHandle result(PQgetResult(connection));
  if (result) {
    if (auto end = session_end(connection, result.get())) {
      // libpq's report of a lost connection is no answer.
      has_received_ = has_received_ || PQresultErrorField(result.get(), PG_DIAG_SQLSTATE) != nullptr;
      co_return farewell_.value_or(*end);
    }
    has_received_ = true;
  }
  co_return std::move(result);
}

bool Session::enter_pipeline_mode() noexcept {
  return PQenterPipelineMode(connection_.get()) == 1;
}

Error Session::lost() const {
  if (farewell_) return *farewell_;
  return Error{Errc::closed, first_line(PQerrorMessage(connection_.get()))};
}

void Session::take_notice(void* session, const pg_result* notice) {
  if (is_fatal(notice)) {
    static_cast<Session*>(session)->farewell_ = farewell(notice);
    return;
  }
  log::debug("notice from the server", {{"sqlstate", field(notice, PG_DIAG_SQLSTATE)}});
}

bool Session::is_read_only() const {
  return parameter("default_transaction_read_only") == "on" || parameter("in_hot_standby") == "on";
}

void Session::cut() noexcept {
  if (connection_) ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
}

bool Session::stands() const noexcept {
  return PQstatus(connection_.get()) == CONNECTION_OK;
}
int Session::server_version() const noexcept {
  return PQserverVersion(connection_.get());
}
int Session::backend_pid() const noexcept {
  return PQbackendPID(connection_.get());
}

std::string Session::parameter(const std::string& name) const {
  const char* value = PQparameterStatus(connection_.get(), name.c_str());
  return value == nullptr ? std::string{} : std::string{value};
}

}  // namespace midst::pq
