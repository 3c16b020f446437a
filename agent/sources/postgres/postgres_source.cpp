#include "agent/sources/postgres/postgres_source.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr MetricSpec up{"pg_up", MetricType::gauge, "", "Whether the server answered this scrape."};
constexpr MetricSpec scrape_error{"pg_exporter_last_scrape_error", MetricType::gauge, "",
                                  "Whether this scrape got nothing from the server; a failed collector alone is none."};
constexpr MetricSpec scrape_duration{"pg_exporter_last_scrape_duration_seconds", MetricType::gauge, "seconds",
                                     "How long collecting from the server took."};
constexpr MetricSpec scrapes_total{"pg_exporter_scrapes_total", MetricType::counter, "",
                                   "Collections attempted since the start."};
constexpr MetricSpec build_info{"postgres_exporter_build_info", MetricType::gauge, "",
                                "Version of the program that stands in for postgres_exporter."};
constexpr MetricSpec success{"pg_scrape_collector_success", MetricType::gauge, "",
                             "Whether the collector's last attempt succeeded."};
constexpr MetricSpec duration{"pg_scrape_collector_duration_seconds", MetricType::gauge, "seconds",
                              "Time from the answer before it in the pipeline to the collector's last answer, at its "
                              "last attempt: its share of the one round trip."};
constexpr MetricSpec errors_total{"midst_pg_collector_errors_total", MetricType::counter, "",
                                  "Failed attempts of a collector, by reason."};
constexpr MetricSpec skipped_total{"midst_pg_values_skipped_total", MetricType::counter, "",
                                   "Values (unreadable) and rows (row_limit) of a collector that were left out."};
constexpr MetricSpec own_specs[] = {up,      scrape_error, scrape_duration, scrapes_total, build_info,
                                    success, duration,     errors_total,    skipped_total};

/// After this age the server-side memory of the connection (relation and plan caches) starts anew.
constexpr std::chrono::hours connection_lifetime{1};

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// Session settings, as one statement that passes over what the server's version does not have.
std::string session_setup(const PostgresOptions& options) {
  return fmt::format(
      "SELECT pg_catalog.set_config(v.name, v.setting, false)"
      " FROM (VALUES ('search_path', 'pg_catalog'), ('statement_timeout', '{}'), ('lock_timeout', '{}'),"
      " ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('jit', 'off'),"
      " ('stats_fetch_consistency', 'none'), ('default_transaction_read_only', 'on')) AS v(name, setting)"
      " JOIN pg_catalog.pg_settings s ON s.name = v.name",
      options.statement_timeout.count(), options.lock_timeout.count());
}

pq::Conninfo with_defaults(pq::Conninfo conninfo) {
  conninfo.set_default("application_name", "midst-agent");
  return conninfo;
}

pq::ConnectionOptions connection_options(const PostgresOptions& options) {
  pq::ConnectionOptions connection;
  connection.session_setup = {session_setup(options)};
  connection.max_lifetime = connection_lifetime;
  return connection;
}

bool is_enabled(const Collector& collector, const PostgresOptions& options) {
  const auto override = options.collectors.find(std::string(collector.name));
  return override == options.collectors.end() ? collector.runs == Default::on : override->second;
}

pq::Statement statement_of(const Query& query) {
  pq::Statement statement;
  statement.sql = query.sql;
  statement.prepared_name = fmt::format("midst_{}", query.name);
  return statement;
}

void add_specs(std::span<const Column> columns, std::unordered_set<std::string_view>& seen,
               std::vector<MetricSpec>& specs) {
  for (const auto& column : columns)
    if (column.use != Use::label && seen.insert(column.name).second) specs.push_back(spec_of(column));
}

}  // namespace

std::vector<std::string_view> postgres_collectors() {
  std::vector<std::string_view> names;
  for (const auto& collector : postgres_catalog()) names.push_back(collector.name);
  return names;
}

PostgresSource::PostgresSource(asio::any_io_executor executor, PostgresOptions options)
    : options_(std::move(options)),
      id_{"postgres", options_.name},
      server_label_(options_.conninfo.server_label()),
      connection_(std::move(executor), with_defaults(options_.conninfo), connection_options(options_),
                  options_.password) {
  for (const auto& collector : postgres_catalog())
    if (is_enabled(collector, options_)) collectors_.emplace_back(collector);
}

std::vector<MetricSpec> PostgresSource::specs() const {
  std::vector<MetricSpec> specs(std::begin(own_specs), std::end(own_specs));
  std::unordered_set<std::string_view> seen;
  add_specs(instance_query().columns, seen, specs);
  for (const auto& memory : collectors_)
    for (const auto& query : memory.collector().queries) add_specs(query.columns, seen, specs);
  return specs;
}

asio::awaitable<Result<metrics::Snapshot>> PostgresSource::collect(Deadline deadline) {
  const auto began = std::chrono::steady_clock::now();
  ++scrapes_;
  auto rows = co_await ask(deadline);
  const auto now = std::chrono::steady_clock::now();
  last_duration_ = now - began;
  if (!rows) co_return rows.error().with_context("postgres " + options_.name);
  take_answers(std::move(*rows), sent_at_, now);
  SnapshotBuilder builder(options_.constant_labels);
  add_health(true, builder);
  add_collectors(builder);
  co_return builder.freeze();
}

/// A kept connection that the server closed since the last scrape says nothing about the server now: ask once more.
asio::awaitable<Result<std::vector<pq::Rows>>> PostgresSource::ask(Deadline deadline) {
  const bool was_kept = connection_.is_connected();
  auto rows = co_await ask_once(deadline);
  if (rows || !was_kept || rows.error().code != Errc::closed) co_return rows;
  co_return co_await ask_once(deadline);
}

asio::awaitable<Result<std::vector<pq::Rows>>> PostgresSource::ask_once(Deadline deadline) {
  if (!connection_.is_connected()) {
    auto connected = co_await connection_.connect(deadline);
    if (!connected) co_return connected.error();
  }
  if (connection_.connect_count() != prepared_for_) prepare_for_connection();
  sent_at_ = std::chrono::steady_clock::now();
  auto statements = choose_statements(sent_at_);
  co_return co_await connection_.pipeline(std::move(statements), deadline);
}

void PostgresSource::prepare_for_connection() {
  prepared_for_ = connection_.connect_count();
  const auto edition = options_.compat == Compat::v0_11 ? Edition::v0_11 : Edition::current;
  for (auto& memory : collectors_) memory.prepare(connection_.server_version(), edition);
}

std::vector<pq::Statement> PostgresSource::choose_statements(Deadline now) {
  std::vector<pq::Statement> statements{statement_of(instance_query())};
  asked_.clear();
  for (std::size_t i = 0; i < collectors_.size(); ++i) {
    if (!collectors_[i].is_due(now)) continue;
    asked_.push_back(i);
    for (const auto* query : collectors_[i].queries()) {
      statements.push_back(statement_of(*query));
      statements.back().ends_with_sync = query == collectors_[i].queries().back();
    }
  }
  return statements;
}

void PostgresSource::take_answers(std::vector<pq::Rows> rows, Deadline sent, Deadline now) {
  auto next = rows.begin();
  auto answered = sent;
  instance_.clear();
  if (!next->error()) instance_.push_back(std::move(*next));
  answered = std::max(answered, next->received());
  ++next;
  for (const auto index : asked_) {
    auto& memory = collectors_[index];
    const auto end = next + static_cast<std::ptrdiff_t>(memory.queries().size());
    const auto last = std::max(answered, std::prev(end)->received());
    std::vector<pq::Rows> answers(std::make_move_iterator(next), std::make_move_iterator(end));
    auto cause = cause_of_failure(answers);
    const auto change = cause ? memory.fail(std::move(*cause), last - answered, now)
                              : memory.succeed(std::move(answers), last - answered, now);
    log_change(change, memory);
    next = end;
    answered = last;
  }
  expire_settings_after_reload();
}

/// A changed configuration shows at the scrape after the one that notices it.
void PostgresSource::expire_settings_after_reload() {
  if (instance_.empty()) return;
  const auto column = instance_.front().column("conf_load_time");
  std::string loaded(column && instance_.front().row_count() > 0 ? instance_.front().text(0, *column) : "");
  if (loaded == conf_load_time_) return;
  if (!conf_load_time_.empty())
    for (auto& memory : collectors_)
      if (memory.collector().name == settings_collector.name) memory.expire();
  conf_load_time_ = std::move(loaded);
}

void PostgresSource::log_change(Change change, const CollectorMemory& memory) const {
  if (change == Change::failed)
    log::warn("postgres collector failed", {{"target", options_.name},
                                            {"collector", memory.collector().name},
                                            {"reason", word(memory.last_error()->code)},
                                            {"error", memory.last_error()->message}});
  if (change == Change::recovered)
    log::info("postgres collector recovered", {{"target", options_.name}, {"collector", memory.collector().name}});
}

void PostgresSource::add_collectors(SnapshotBuilder& builder) {
  const Label server{"server", server_label_};
  if (!instance_.empty()) (void)interpret(instance_query(), view_of(instance_.front()), std::span(&server, 1), builder);
  for (auto& memory : collectors_)
    if (memory.is_ok()) add_answers(memory, builder);
}

void PostgresSource::add_answers(CollectorMemory& memory, SnapshotBuilder& builder) {
  const Label server{"server", server_label_};
  const bool has_server = memory.collector().has_server_label || options_.compat == Compat::v0_11;
  const auto extra = has_server ? std::span(&server, 1) : std::span<const Label>();
  const auto answers = memory.answers();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto read = interpret(*memory.queries()[i], view_of(answers[i]), extra, builder);
    memory.unreadable_values += read.unreadable;
    memory.rows_over_limit += read.rows_over_limit;
  }
}

void PostgresSource::add_health(bool is_up, SnapshotBuilder& builder) const {
  builder.add(up, is_up ? 1 : 0);
  builder.add(scrape_error, is_up ? 0 : 1);
  builder.add(scrape_duration, seconds(last_duration_));
  builder.add(scrapes_total, static_cast<double>(scrapes_));
  builder.add(build_info, {{"version", version()}}, 1);
  for (const auto& memory : collectors_) {
    const auto name = memory.collector().name;
    const bool is_offered = prepared_for_ == 0 || !memory.queries().empty();
    if (!is_offered) continue;
    const auto labels = builder.labels({{"collector", name}});
    builder.family(success).add(labels, is_up && memory.is_ok() ? 1 : 0);
    builder.family(duration).add(labels, seconds(memory.last_duration()));
    for (const auto& [code, count] : memory.failures())
      builder.add(errors_total, {{"collector", name}, {"reason", word(code)}}, static_cast<double>(count));
    if (memory.unreadable_values > 0)
      builder.add(skipped_total, {{"collector", name}, {"reason", "unreadable"}},
                  static_cast<double>(memory.unreadable_values));
    if (memory.rows_over_limit > 0)
      builder.add(skipped_total, {{"collector", name}, {"reason", "row_limit"}},
                  static_cast<double>(memory.rows_over_limit));
  }
}

metrics::Snapshot PostgresSource::down(const Error&) const {
  SnapshotBuilder builder(options_.constant_labels);
  add_health(false, builder);
  return builder.freeze();
}

}  // namespace midst::sources
