#include "agent/sources/postgres/conversation.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace midst::sources {
namespace {

using Clock = std::chrono::steady_clock;

/// Up to this version each transaction that reads the cumulative statistics reads them from a file.
constexpr int statistics_in_memory_since = 150'000;

/// One round trip for every collector of a shared transaction that fails, and then enough of it.
constexpr int max_rounds = 5;

/// What is asked this rarely is planned each time: kept plans made the server's process 2 MB larger.
constexpr std::chrono::seconds rarely{60};

pq::Statement instance_statement() {
  pq::Statement statement;
  statement.sql = instance_query().sql;
  statement.prepared_name = "midst_instance";
  return statement;
}

/// Behind everything else: the server's clock again, so that the time between is what the collectors cost.
pq::Statement clock_statement() {
  pq::Statement statement;
  statement.sql = "SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) AS server_time";
  statement.prepared_name = "midst_clock";
  return statement;
}

pq::Statement statement_of(const PlannedQuery& planned, const Collector& collector) {
  pq::Statement statement;
  statement.sql = planned.sql;
  if (collector.ttl < rarely) statement.prepared_name = planned.prepared_name;
  statement.statement_timeout = collector.timeout;
  return statement;
}

std::string_view cell(const pq::Rows& rows, std::string_view name) {
  const auto column = rows.column(name);
  return column && rows.row_count() > 0 ? rows.text(0, *column) : std::string_view();
}

double number(const pq::Rows& rows, std::string_view name) {
  return parse_value(cell(rows, name)).value_or(0);
}

std::string settings_list(const Pace& pace) {
  return fmt::format(
      "('search_path', 'pg_catalog'), ('statement_timeout', '{}'), ('lock_timeout', '{}'), ('jit', 'off')",
      pace.statement_timeout.count(), pace.lock_timeout.count());
}

/// Settings of the session, as one statement that passes over what the server's version does not have.
pq::Statement session_setup(const Pace& pace) {
  pq::Statement statement;
  statement.sql = fmt::format(
      "SELECT pg_catalog.set_config(v.name, v.setting, false)"
      " FROM (VALUES {}, ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),"
      " ('stats_fetch_consistency', 'none'), ('default_transaction_read_only', 'on')) AS v(name, setting)"
      " JOIN pg_catalog.pg_settings s ON s.name = v.name",
      settings_list(pace));
  return statement;
}

/// The same for one transaction.
pq::Statement transaction_setup(const Pace& pace, std::chrono::milliseconds timeout) {
  auto own = pace;
  if (timeout.count() > 0) own.statement_timeout = timeout;
  pq::Statement statement;
  statement.sql = fmt::format(
      "SELECT pg_catalog.set_config(v.name, v.setting, true)"
      " FROM (VALUES {}, ('transaction_read_only', 'on')) AS v(name, setting)",
      settings_list(own));
  statement.ends_with_sync = false;
  return statement;
}

}  // namespace

pq::ConnectionOptions connection_options(const PostgresOptions& options) {
  pq::ConnectionOptions connection;
  connection.max_lifetime = options.connection_lifetime;
  return connection;
}

Schedule schedule_of(const Collector& collector, const Pace& pace) {
  const auto own = pace.ttl.find(collector.name);
  return {own == pace.ttl.end() ? collector.ttl : own->second, pace.max_share, pace.refused_retry};
}

Conversation::Conversation(std::span<const Collector* const> collectors, const PostgresOptions& options)
    : target_(options.name),
      edition_(options.compat == Compat::v0_11 ? Edition::v0_11 : Edition::current),
      pace_(options.pace),
      catalogue_(collectors.begin(), collectors.end()),
      facts_sql_(facts_sql(catalogue_)) {
  for (const auto* collector : catalogue_)
    collectors_.emplace_back(*collector, schedule_of(*collector, options.pace), options.limits);
}

/// A kept connection that the server closed since the last scrape says nothing about the server now: ask once more.
asio::awaitable<Result<Done>> Conversation::ask(pq::Connection& connection, Deadline deadline) {
  const bool was_kept = connection.is_connected();
  auto done = co_await ask_once(connection, deadline);
  if (done || !was_kept || done.error().code != Errc::closed) co_return done;
  co_return co_await ask_once(connection, deadline);
}

asio::awaitable<Result<Done>> Conversation::ask_once(pq::Connection& connection, Deadline deadline) {
  auto connecting = connection.connect(deadline);
  const auto connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  const bool is_new = connection.connect_count() != planned_for_;
  if (is_new || !facts_at_ || Clock::now() - *facts_at_ >= pace_.refused_retry) {
    const auto learned = co_await learn(connection, deadline);
    if (!learned) co_return learned.error();
  }
  std::vector<bool> is_settled(collectors_.size(), false);
  for (int round = 0; round < max_rounds; ++round) {
    const auto sent = Clock::now();
    auto asked = choose(sent, is_settled);
    if (round > 0 && asked.collectors.empty()) break;
    needs_setup_ = false;
    auto statements = asked.statements;
    auto answered = co_await connection.pipeline(std::move(statements), deadline);
    if (!answered) co_return answered.error();
    // The pipeline may have gone to a new connection, whose server can be another one.
    if (connection.connect_count() != planned_for_) co_return Error{Errc::closed, "the server closed the connection"};
    take(asked, std::move(*answered), sent, is_settled);
  }
  co_return Done{};
}

/// What the server is and has: one turn for a new connection, and one now and then.
asio::awaitable<Result<Done>> Conversation::learn(pq::Connection& connection, Deadline deadline) {
  const bool is_new = connection.connect_count() != planned_for_;
  auto instance = instance_statement();
  pq::Statement facts;
  facts.sql = facts_sql_;
  if (is_new) instance.prepared_name.clear();  // before it is known whether there is a pooler
  std::vector<pq::Statement> statements{std::move(instance), std::move(facts)};
  auto answered = co_await connection.pipeline(std::move(statements), deadline);
  if (!answered) co_return answered.error();
  facts_.version = connection.server_version();
  facts_.edition = edition_;
  if (!answered->front().error()) facts_.is_standby = cell(answered->front(), "is_standby") == "t";
  if (is_new) notice_pooler(connection, answered->front());
  if (const auto& rows = answered->back(); !rows.error())
    read_facts(view_of(rows), facts_);
  else
    log::warn("the server's extensions and columns cannot be read",
              {{"target", target_}, {"error", rows.error()->message}});
  for (auto& memory : collectors_) log_change(is_new ? memory.prepare(facts_) : memory.plan_again(facts_), memory);
  planned_for_ = connection.connect_count();
  facts_at_ = Clock::now();
  co_return Done{};
}

asio::awaitable<Result<pq::Rows>> Conversation::ask_aside(pq::Connection& connection, const Collector& collector,
                                                          std::string parameter, Deadline deadline) const {
  const auto planned = plan(collector, facts_);
  if (!planned) co_return planned.error();
  if (planned->empty()) co_return Error{Errc::unsupported, "the server has nothing to offer to this collector"};
  std::vector<pq::Statement> statements;
  if (is_pooled_) statements.push_back(transaction_setup(pace_, collector.timeout));
  pq::Statement statement;
  statement.sql = planned->front().sql;
  statement.parameters.emplace_back(std::move(parameter));
  if (!is_pooled_) statement.statement_timeout = collector.timeout;
  statements.push_back(std::move(statement));
  auto answered = co_await connection.pipeline(std::move(statements), deadline);
  if (!answered) co_return answered.error();
  co_return std::move(answered->back());
}

Conversation::Asked Conversation::choose(Deadline now, const std::vector<bool>& is_settled) const {
  Asked asked;
  const bool shares_statistics = facts_.version < statistics_in_memory_since;
  std::vector<std::size_t> sharing;
  for (std::size_t i = 0; i < collectors_.size(); ++i) {
    if (is_settled[i] || !collectors_[i].is_due(now)) continue;
    (shares_statistics && collectors_[i].collector().reads_stats ? sharing : asked.collectors).push_back(i);
  }
  asked.collectors.insert(asked.collectors.end(), sharing.begin(), sharing.end());
  if (needs_setup_) asked.statements.push_back(session_setup(pace_));
  asked.statements.push_back(instance_statement());
  asked.leading = asked.statements.size();
  for (const auto index : asked.collectors) {
    const bool joins_next = !sharing.empty() && index != sharing.back() &&
                            std::find(sharing.begin(), sharing.end(), index) != sharing.end();
    add_statements(collectors_[index], joins_next, asked.statements);
  }
  asked.statements.push_back(clock_statement());
  if (is_pooled_)
    for (auto& statement : asked.statements) statement.prepared_name.clear();
  return asked;
}

void Conversation::add_statements(const CollectorMemory& memory, bool joins_next,
                                  std::vector<pq::Statement>& statements) const {
  if (is_pooled_) statements.push_back(transaction_setup(pace_, memory.collector().timeout));
  for (const auto& planned : memory.queries()) {
    statements.push_back(statement_of(planned, memory.collector()));
    statements.back().ends_with_sync = !joins_next && &planned == &memory.queries().back();
    if (is_pooled_) statements.back().statement_timeout = {};
  }
}

void Conversation::take(const Asked& asked, std::vector<pq::Rows> rows, Deadline sent, std::vector<bool>& is_settled) {
  const auto now = Clock::now();
  auto& instance = rows[asked.leading - 1];
  auto answered = std::max(sent, instance.received());
  auto next = rows.begin() + static_cast<std::ptrdiff_t>(asked.leading);
  bool has_cause = false;
  for (const auto index : asked.collectors) {
    auto& memory = collectors_[index];
    if (is_pooled_) ++next;  // past the transaction's settings
    const auto end = next + static_cast<std::ptrdiff_t>(memory.queries().size());
    const auto last = std::max(answered, std::prev(end)->received());
    std::vector<pq::Rows> answers(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
    auto cause = cause_of_failure(answers);
    // Behind a failed collector of its transaction nothing was run: that is no failure of this one.
    const bool was_skipped = cause && has_cause && std::all_of(answers.begin(), answers.end(), [](const auto& answer) {
                               return answer.sqlstate() == "25P02";
                             });
    if (was_skipped) continue;
    has_cause = has_cause || cause.has_value();
    is_settled[index] = true;
    log_change(cause ? memory.fail(std::move(*cause), last - answered, now)
                     : memory.succeed(std::move(answers), last - answered, now),
               memory);
    answered = last;
  }
  take_instance(std::move(instance), rows.back());
}

/// A pooler makes up the process id that it tells at login.
void Conversation::notice_pooler(const pq::Connection& connection, const pq::Rows& instance) {
  const auto pid = cell(instance, "pid");
  const bool was_pooled = is_pooled_;
  is_pooled_ = !pid.empty() && pid != fmt::format("{}", connection.backend_pid());
  needs_setup_ = !is_pooled_;
  if (is_pooled_ && !was_pooled)
    log::warn(
        "a pooler stands before the server: nothing is prepared, and each collector takes a transaction with its "
        "settings; let dsn name the server itself",
        {{"target", target_}, {"server", connection.conninfo().server_label()}});
}

void Conversation::take_instance(pq::Rows rows, const pq::Rows& clock) {
  instance_.reset();
  if (rows.error()) return;
  if (!clock.error()) backend_seconds_ += std::max(0.0, number(clock, "server_time") - number(rows, "server_time"));
  // Another role is another plan: at the next ask(), since this one's answers are taken already.
  if ((cell(rows, "is_standby") == "t") != facts_.is_standby) facts_at_.reset();
  instance_.emplace(std::move(rows));
}

bool Conversation::is_due(Deadline now) const noexcept {
  if (planned_for_ == 0) return true;
  return std::any_of(collectors_.begin(), collectors_.end(), [&](const auto& memory) { return memory.is_due(now); });
}

void Conversation::fail(const Error& error, Deadline now) {
  for (auto& memory : collectors_)
    if (memory.is_offered() || planned_for_ == 0) std::ignore = memory.fail(error, {}, now);
}

void Conversation::expire(std::string_view collector) noexcept {
  for (auto& memory : collectors_)
    if (memory.collector().name == collector) memory.expire();
}

void Conversation::add(const metrics::Label& server, metrics::SnapshotBuilder& builder) const {
  const std::span labelled(&server, 1);
  for (const auto& memory : collectors_) {
    const bool has_server = edition_ == Edition::v0_11 || memory.collector().has_server_label;
    memory.add(has_server ? labelled : labelled.first(0), builder);
  }
}

void Conversation::log_change(Change change, const CollectorMemory& memory) const {
  if (change == Change::failed)
    log::warn("postgres collector failed", {{"target", target_},
                                            {"collector", memory.collector().name},
                                            {"reason", word(memory.last_error()->code)},
                                            {"error", memory.last_error()->message}});
  if (change == Change::recovered)
    log::info("postgres collector recovered", {{"target", target_}, {"collector", memory.collector().name}});
}

}  // namespace midst::sources
