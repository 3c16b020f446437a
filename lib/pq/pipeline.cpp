// Session::pipeline(): statements → messages of one round trip → results, in step with each other.
#include "lib/base/log.hpp"
#include "lib/pq/connection.hpp"
#include "lib/pq/session.hpp"

#include <libpq-fe.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <set>
#include <span>
#include <tuple>

namespace midst::pq {
namespace {

constexpr std::size_t no_statement = static_cast<std::size_t>(-1);

/// A statement's bounds are set for its transaction only, by a statement of their own in front of it: Postgres starts
/// the timer of statement_timeout anew for each message after an Execute (exec_execute_message, 15), and the Sync puts
/// the session's own values back, whether the transaction succeeded or not. NULL leaves a setting as it is.
const std::string bounds_name = "midst_bounds";
constexpr const char* bounds_sql =
    "SELECT pg_catalog.set_config('statement_timeout',"
    " coalesce($1, pg_catalog.current_setting('statement_timeout')), true),"
    " pg_catalog.set_config('lock_timeout', coalesce($2, pg_catalog.current_setting('lock_timeout')), true)";

/// The same where several statements share a transaction: the first call notes the session's own values, also for the
/// transaction only, and NULL brings them back.
const std::string shared_bounds_name = "midst_shared_bounds";
constexpr const char* shared_bounds_sql =
    "SELECT pg_catalog.set_config('midst.statement_timeout', coalesce(nullif("
    "pg_catalog.current_setting('midst.statement_timeout', true), ''),"
    " pg_catalog.current_setting('statement_timeout')), true),"
    " pg_catalog.set_config('midst.lock_timeout', coalesce(nullif("
    "pg_catalog.current_setting('midst.lock_timeout', true), ''), pg_catalog.current_setting('lock_timeout')), true),"
    " pg_catalog.set_config('statement_timeout',"
    " coalesce($1, pg_catalog.current_setting('midst.statement_timeout')), true),"
    " pg_catalog.set_config('lock_timeout', coalesce($2, pg_catalog.current_setting('midst.lock_timeout')), true)";

struct Bounds {
  std::chrono::milliseconds statement{0}, lock{0};
  bool operator==(const Bounds&) const = default;
};

/// What a result belongs to.
struct Step {
  enum class Kind { setup, prepare, part, execute, sync };
  Kind kind = Kind::sync;
  std::size_t statement = no_statement;
  const std::string* name = nullptr;  ///< The prepared statement this makes or uses.
  const std::string* sql = nullptr;   ///< Kind::prepare: its SQL.
};

/// Statements up to and with one Sync: one transaction.
struct Segment {
  std::size_t first, last;
};

std::vector<Segment> segments_of(const std::vector<Statement>& statements) {
  std::vector<Segment> segments;
  std::size_t first = 0;
  for (std::size_t i = 0; i < statements.size(); ++i)
    if (statements[i].ends_with_sync || i + 1 == statements.size()) {
      segments.push_back({first, i});
      first = i + 1;
    }
  return segments;
}

/// Holds TCP segments back while a pipeline is written: libpq 15 flushes at each Sync, and a server that answers the
/// first one while the others are still to come would make several turns of one. No effect on Unix sockets.
class Cork {
 public:
  explicit Cork(int socket) noexcept : socket_(socket) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int value) const noexcept {
    std::ignore = ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
  }
  int socket_;
};

/// @return whether the server holds this prepared statement no longer, or cannot use it any more because its columns
/// have changed ("cached plan must not change result type", which has no SQLSTATE of its own).
bool is_stale(const PGresult* result) noexcept {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (sqlstate == nullptr) return false;
  if (std::string_view(sqlstate) == "26000") return true;
  const char* function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
  return std::string_view(sqlstate) == "0A000" && function != nullptr &&
         std::string_view(function) == "RevalidateCachedQuery";
}

std::string quoted(const std::string& name) {
  std::string identifier = "\"";
  for (const char c : name) identifier.append(c == '"' ? 2 : 1, c);
  return identifier + '"';
}

}  // namespace

/// One pipeline on its way. The order of steps_ is the order in which libpq hands out results.
class PipelineRun {
 public:
  PipelineRun(Session& session, const std::vector<Statement>& statements)
      : session_(session),
        connection_(session.connection_.get()),
        statements_(statements),
        segments_(segments_of(statements)),
        outcomes_(statements.size()) {}

  asio::awaitable<Result<std::vector<Rows>>> run();

 private:
  bool queue_all();
  bool queue_setup();
  bool queue_again();
  bool queue_segment(const Segment& segment);
  bool queue_bounds(std::size_t statement, const Bounds& bounds, bool is_shared);
  bool queue_prepare(const std::string& name, const std::string& sql, std::size_t statement);
  bool queue_statement(std::size_t index);
  bool queue_text(const std::string& sql);
  bool queue_sync();

  asio::awaitable<Result<Done>> read_all();
  void take(const Step& step, ResultHandle result);
  void take_stale(std::size_t statement);

  Session& session_;
  PGconn* connection_;
  const std::vector<Statement>& statements_;
  const std::vector<Segment> segments_;
  std::vector<std::optional<Rows>> outcomes_;
  std::vector<Step> steps_;
  std::set<std::string> preparing_;  ///< Names whose Parse is on its way in this pass.
  std::set<std::size_t> stale_;      ///< Segments to be run again.
};

asio::awaitable<Result<std::vector<Rows>>> PipelineRun::run() {
  if (!session_.enter_pipeline_mode()) co_return Error{Errc::internal, PQerrorMessage(connection_)};
  if (!queue_all()) co_return session_.lost();
  auto reading = read_all();
  auto done = co_await std::move(reading);
  if (done && !stale_.empty()) {
    if (!queue_again()) co_return session_.lost();
    auto reading_again = read_all();
    done = co_await std::move(reading_again);
  }
  if (done && PQtransactionStatus(connection_) != PQTRANS_IDLE) {
    log::warn("a transaction was left open and is rolled back", {{"backend_pid", session_.backend_pid()}});
    if (!queue_text("ROLLBACK") || !queue_sync()) co_return session_.lost();
    auto rolling_back = read_all();
    done = co_await std::move(rolling_back);
  }
  if (!done) co_return done.error();
  std::vector<Rows> rows;
  rows.reserve(outcomes_.size());
  for (auto& outcome : outcomes_) rows.push_back(std::move(*outcome));
  co_return std::move(rows);
}

bool PipelineRun::queue_all() {
  const Cork cork(PQsocket(connection_));
  if (!queue_setup()) return false;
  for (const auto& segment : segments_)
    if (!queue_segment(segment)) return false;
  return true;
}

bool PipelineRun::queue_setup() {
  for (const auto& sql : session_.setup_) {
    if (!queue_text(sql)) return false;
    steps_.back().kind = Step::Kind::setup;
    if (!queue_sync()) return false;
  }
  return true;
}

/// Runs the stale segments once more with their prepared statements made anew.
bool PipelineRun::queue_again() {
  const Cork cork(PQsocket(connection_));
  preparing_.clear();
  for (const auto number : stale_) {
    const auto& segment = segments_[number];
    std::set<std::string> names{bounds_name, shared_bounds_name};
    for (auto i = segment.first; i <= segment.last; ++i)
      if (!statements_[i].prepared_name.empty()) names.insert(statements_[i].prepared_name);
    for (const auto& name : names) {
      if (preparing_.contains(name) || session_.prepared_.erase(name) == 0) continue;
      // Fails where the server has forgotten it, which is as good; hence a transaction of its own.
      if (!queue_text("DEALLOCATE " + quoted(name)) || !queue_sync()) return false;
    }
  }
  for (const auto number : stale_) {
    const auto& segment = segments_[number];
    for (auto i = segment.first; i <= segment.last; ++i) outcomes_[i].reset();
    if (!queue_segment(segment)) return false;
  }
  return true;
}

bool PipelineRun::queue_segment(const Segment& segment) {
  const bool is_shared = segment.first != segment.last;
  Bounds current;
  for (auto i = segment.first; i <= segment.last; ++i) {
    const Bounds wanted{statements_[i].statement_timeout, statements_[i].lock_timeout};
    if (wanted != current && !queue_bounds(i, wanted, is_shared)) return false;
    current = wanted;
    if (!queue_statement(i)) return false;
  }
  return queue_sync();
}

bool PipelineRun::queue_bounds(std::size_t statement, const Bounds& bounds, bool is_shared) {
  static const std::string alone_text = bounds_sql, shared_text = shared_bounds_sql;
  const auto& name = is_shared ? shared_bounds_name : bounds_name;
  if (!queue_prepare(name, is_shared ? shared_text : alone_text, statement)) return false;
  const auto statement_ms = std::to_string(bounds.statement.count());
  const auto lock_ms = std::to_string(bounds.lock.count());
  const char* const values[] = {bounds.statement.count() == 0 ? nullptr : statement_ms.c_str(),
                                bounds.lock.count() == 0 ? nullptr : lock_ms.c_str()};
  steps_.push_back({Step::Kind::part, statement, &name, nullptr});
  return PQsendQueryPrepared(connection_, name.c_str(), 2, values, nullptr, nullptr, 0) == 1;
}

bool PipelineRun::queue_prepare(const std::string& name, const std::string& sql, std::size_t statement) {
  if (session_.prepared_.contains(name) || !preparing_.insert(name).second) return true;
  steps_.push_back({Step::Kind::prepare, statement, &name, &sql});
  return PQsendPrepare(connection_, name.c_str(), sql.c_str(), 0, nullptr) == 1;
}

bool PipelineRun::queue_statement(std::size_t index) {
  const auto& statement = statements_[index];
  std::vector<const char*> values;
  for (const auto& parameter : statement.parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  const auto count = static_cast<int>(values.size());
  const auto& name = statement.prepared_name;
  if (name.empty()) {
    steps_.push_back({Step::Kind::execute, index, nullptr, nullptr});
    return PQsendQueryParams(connection_, statement.sql.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0) ==
           1;
  }
  if (!queue_prepare(name, statement.sql, index)) return false;
  steps_.push_back({Step::Kind::execute, index, &name, nullptr});
  return PQsendQueryPrepared(connection_, name.c_str(), count, values.data(), nullptr, nullptr, 0) == 1;
}

bool PipelineRun::queue_text(const std::string& sql) {
  steps_.push_back({Step::Kind::part, no_statement, nullptr, nullptr});
  return PQsendQueryParams(connection_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
}

bool PipelineRun::queue_sync() {
  steps_.push_back({});
  return PQpipelineSync(connection_) == 1;
}

asio::awaitable<Result<Done>> PipelineRun::read_all() {
  Readiness readiness(session_.executor_, PQsocket(connection_));
  for (const auto& step : steps_) {
    auto reading = session_.next_result(readiness);
    auto result = co_await std::move(reading);
    if (!result) co_return result.error();
    const auto status = PQresultStatus(result->get());
    const bool is_sync = status == PGRES_PIPELINE_SYNC;
    if (!*result || is_sync != (step.kind == Step::Kind::sync))
      co_return Error{Errc::protocol, "the answers are out of step with the statements"};
    if (is_sync) continue;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
      co_return Error{Errc::unsupported, "COPY cannot run in a pipeline"};
    take(step, std::move(*result));
    auto ending = session_.next_result(readiness);
    const auto end = co_await std::move(ending);
    if (!end) co_return end.error();
    if (*end) co_return Error{Errc::protocol, "one statement has two results"};
  }
  steps_.clear();
  session_.setup_.clear();
  co_return Done{};
}

void PipelineRun::take(const Step& step, ResultHandle result) {
  const bool has_failed =
      PQresultStatus(result.get()) == PGRES_FATAL_ERROR || PQresultStatus(result.get()) == PGRES_PIPELINE_ABORTED;
  if (step.kind == Step::Kind::setup && has_failed)
    log::warn("a session setting was refused", {{"reason", Rows(result.release()).error()->message}});
  if (step.statement == no_statement) return;
  if (step.kind == Step::Kind::prepare && !has_failed) session_.prepared_.insert_or_assign(*step.name, *step.sql);
  if (step.name != nullptr && has_failed && is_stale(result.get())) take_stale(step.statement);
  // A statement has failed as soon as one part of it has; what follows of it was skipped by the server.
  auto& outcome = outcomes_[step.statement];
  if (!outcome && (has_failed || step.kind == Step::Kind::execute)) outcome.emplace(result.release());
}

void PipelineRun::take_stale(std::size_t statement) {
  for (std::size_t i = 0; i < segments_.size(); ++i)
    if (segments_[i].first <= statement && statement <= segments_[i].last) stale_.insert(i);
}

asio::awaitable<Result<std::vector<Rows>>> Session::pipeline(const std::vector<Statement>& statements) {
  has_received_ = false;
  PipelineRun run(*this, statements);
  auto running = run.run();
  co_return co_await std::move(running);
}

}  // namespace midst::pq
