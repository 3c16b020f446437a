#include "agent/sources/postgres/pgbouncer_source.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "lib/base/log.hpp"

#include <unordered_set>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr MetricSpec up{"pgbouncer_up", MetricType::gauge, "", "Whether the console answered this scrape."};
constexpr MetricSpec version_info{"pgbouncer_version_info", MetricType::gauge, "", "Version, as a label."};
constexpr MetricSpec errors_total{"midst_pgbouncer_show_errors_total", MetricType::counter, "",
                                  "SHOW commands the console refused, by reason."};
constexpr MetricSpec own_specs[] = {up, version_info, errors_total};

pq::Conninfo console(pq::Conninfo conninfo) {
  conninfo.set_default("dbname", "pgbouncer");
  conninfo.set_default("application_name", "midst-agent");
  return conninfo;
}

/// "1.18.0/bouncer", as the console reports it at login, to the words of SHOW VERSION: "PgBouncer 1.18.0".
std::string version_text(std::string_view reported) {
  return "PgBouncer " + std::string(reported.substr(0, reported.find('/')));
}

}  // namespace

PgbouncerSource::PgbouncerSource(asio::any_io_executor executor, PgbouncerOptions options)
    : options_(std::move(options)),
      id_{"pgbouncer", options_.name},
      connection_(std::move(executor), console(options_.conninfo), pq::ConnectionOptions{}, options_.password) {
  for (const auto& command : pgbouncer_catalog()) commands_.emplace_back(command, Schedule{command.ttl, 0}, Limits{});
}

std::vector<MetricSpec> PgbouncerSource::specs() const {
  std::vector<MetricSpec> specs(std::begin(own_specs), std::end(own_specs));
  std::unordered_set<std::string_view> seen;
  for (const auto& command : pgbouncer_catalog())
    for (const auto& column : command.queries.front().columns)
      if (column.use != Use::label && seen.insert(column.name).second) specs.push_back(spec_of(column));
  return specs;
}

asio::awaitable<Result<metrics::Snapshot>> PgbouncerSource::collect(Deadline deadline) {
  const auto asked = co_await ask(deadline);
  if (!asked) co_return asked.error().with_context("pgbouncer " + options_.name);
  SnapshotBuilder builder(options_.constant_labels);
  add_health(true, builder);
  const auto version = version_text(connection_.parameter("server_version"));
  builder.family(version_info).add(builder.labels({{"version", version}}), 1);
  for (const auto& memory : commands_) memory.add({}, builder);
  co_return builder.freeze();
}

/// A kept connection that was closed since the last scrape says nothing about the pooler now: ask once more.
asio::awaitable<Result<Done>> PgbouncerSource::ask(Deadline deadline) {
  const bool was_kept = connection_.is_connected();
  auto done = co_await ask_once(deadline);
  if (done || !was_kept || done.error().code != Errc::closed) co_return done;
  co_return co_await ask_once(deadline);
}

asio::awaitable<Result<Done>> PgbouncerSource::ask_once(Deadline deadline) {
  if (!connection_.is_connected()) {
    auto connected = co_await connection_.connect(deadline);
    if (!connected) co_return connected.error();
  }
  if (connection_.connect_count() != prepared_for_) {
    prepared_for_ = connection_.connect_count();
    // The console's releases differ in columns only; the versions of the catalogue are those of Postgres.
    ServerFacts facts;
    facts.version = pgbouncer_catalog().front().queries.front().from_version;
    for (auto& memory : commands_) std::ignore = memory.prepare(facts);
  }
  for (auto& memory : commands_) {
    const auto sent = std::chrono::steady_clock::now();
    if (!memory.is_due(sent)) continue;
    std::string command = memory.queries().front().sql;
    auto rows = co_await connection_.simple(std::move(command), deadline);
    if (!rows) co_return rows.error();
    const auto now = std::chrono::steady_clock::now();
    std::vector<pq::Rows> answers;
    answers.push_back(std::move(*rows));
    auto cause = cause_of_failure(answers);
    log_change(
        cause ? memory.fail(std::move(*cause), now - sent, now) : memory.succeed(std::move(answers), now - sent, now),
        memory);
  }
  co_return Done{};
}

void PgbouncerSource::log_change(Change change, const CollectorMemory& memory) const {
  if (change == Change::failed)
    log::warn("pgbouncer command refused", {{"target", options_.name},
                                            {"command", memory.collector().name},
                                            {"reason", word(memory.last_error()->code)},
                                            {"error", memory.last_error()->message}});
  if (change == Change::recovered)
    log::info("pgbouncer command answered again", {{"target", options_.name}, {"command", memory.collector().name}});
}

void PgbouncerSource::add_health(bool is_up, SnapshotBuilder& builder) const {
  builder.add(up, is_up ? 1 : 0);
  for (const auto& memory : commands_)
    for (const auto& [code, count] : memory.failures())
      builder.add(errors_total, {{"command", memory.collector().name}, {"reason", word(code)}},
                  static_cast<double>(count));
}

metrics::Snapshot PgbouncerSource::down(const Error&) const {
  SnapshotBuilder builder(options_.constant_labels);
  add_health(false, builder);
  return builder.freeze();
}

}  // namespace midst::sources
