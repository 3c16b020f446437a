#include "agent/sources/postgres/pgbouncer_source.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/label_names.hpp"
#include "agent/sources/postgres/pgbouncer/process.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr MetricSpec up{"pgbouncer_up", MetricType::gauge, "",
                        "Whether the console answered statistics, pools, databases and lists at this scrape."};
constexpr MetricSpec version_info{"pgbouncer_version_info", MetricType::gauge, "", "Version, as a label.", "version"};
constexpr MetricSpec build_info{"pgbouncer_exporter_build_info", MetricType::gauge, "",
                                "Version of the program that stands in for pgbouncer_exporter.", "version"};
constexpr MetricSpec success{"midst_pgbouncer_collector_success", MetricType::gauge, "",
                             "Whether the last attempt to ask the SHOW command succeeded.", "collector"};
constexpr MetricSpec duration{"midst_pgbouncer_collector_duration_seconds", MetricType::gauge, "seconds",
                              "How long the last answer to the SHOW command took.", "collector"};
constexpr MetricSpec age{"midst_pgbouncer_collector_age_seconds", MetricType::gauge, "seconds",
                         "How long ago what the page shows of a SHOW command was asked.", "collector"};
constexpr MetricSpec interval{"midst_pgbouncer_collector_interval_seconds", MetricType::gauge, "seconds",
                              "How long an answer is served again: its ttl, or longer when it takes long.",
                              "collector"};
constexpr MetricSpec errors_total{"midst_pgbouncer_collector_errors_total", MetricType::counter, "",
                                  "SHOW commands that failed, by reason.", "collector,reason"};
constexpr MetricSpec skipped_total{"midst_pgbouncer_values_skipped_total", MetricType::counter, "",
                                   "Values (unreadable) and rows (row_limit) of an answer that were left out.",
                                   "collector,reason"};
constexpr MetricSpec own_specs[] = {up,  version_info, build_info,   success,      duration,
                                    age, interval,     errors_total, skipped_total};

/// A command whose answer takes t is not asked again before t / this; the basic ones are asked at every scrape.
constexpr double largest_share = 0.05;

/// Stands for a release that is not known, a pooler that only resembles PgBouncer: it is asked everything.
constexpr int newest_release = 1'000'000;

/// Of the time that is left to a scrape, what the page is made and sent in when the other commands took all they may.
constexpr int spare_parts = 10;

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

pq::Conninfo console(pq::Conninfo conninfo) {
  conninfo.set_default("dbname", "pgbouncer");
  conninfo.set_default("application_name", "midst-agent");
  return conninfo;
}

/// "1.18.0/bouncer", as the console reports it at login, to the words of SHOW VERSION: "PgBouncer 1.18.0".
std::string version_text(std::string_view reported) {
  return "PgBouncer " + std::string(reported.substr(0, reported.find('/')));
}

bool is_enabled(const Collector& collector, const PgbouncerOptions& options) {
  const auto found = options.collectors.find(std::string(collector.name));
  return found == options.collectors.end() ? collector.runs == Default::on : found->second;
}

Schedule schedule_of(const Collector& collector, bool is_basic, const PgbouncerOptions& options) {
  const auto found = options.ttl.find(collector.name);
  return {found == options.ttl.end() ? collector.ttl : found->second, is_basic ? 0 : largest_share,
          options.refused_retry};
}

/// The console has one SQLSTATE for all errors (PgBouncer 1.18, admin.c); its words tell them apart.
Error classified(Error error) {
  const auto says = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  if (says("admin access needed")) error.code = Errc::noperm;
  if (says("invalid command") || says("not supported") || says("nsupported")) error.code = Errc::unsupported;
  return error;
}

bool is_refusal(const Error& error) noexcept {
  return error.code == Errc::unsupported || error.code == Errc::noperm;
}

}  // namespace

std::vector<std::string_view> pgbouncer_collectors() {
  std::vector<std::string_view> names;
  for (const auto& command : pgbouncer_catalog()) names.push_back(command.name);
  return names;
}

PgbouncerSource::PgbouncerSource(asio::any_io_executor executor, PgbouncerOptions options)
    : options_(std::move(options)),
      id_{"pgbouncer", options_.name},
      connection_(std::move(executor), console(options_.conninfo), pq::ConnectionOptions{}, options_.password),
      saturation_(options_.limits.pools, options_.limits.has_idle_pools) {
  for (const auto& command : pgbouncer_catalog()) {
    if (!is_enabled(command, options_)) continue;
    const bool is_basic = command.ttl.count() == 0;
    commands_.push_back(
        {CollectorMemory(command, schedule_of(command, is_basic, options_), options_.limits), is_basic});
  }
}

std::vector<MetricSpec> PgbouncerSource::specs() const {
  std::vector<MetricSpec> specs(std::begin(own_specs), std::end(own_specs));
  std::unordered_set<std::string_view> seen;
  const auto add = [&](const MetricSpec& spec) {
    if (seen.insert(spec.name).second) specs.push_back(spec);
  };
  for (const auto& command : commands_) {
    const auto& collector = command.memory.collector();
    for (const auto& column : collector.queries.front().columns)
      if (column.use != Use::label) add(spec_of(column));
    if (collector.make_treatment == nullptr) continue;
    for (const auto& spec : collector.make_treatment(options_.limits)->specs()) add(spec);
  }
  specs.insert(specs.end(), Saturation::specs().begin(), Saturation::specs().end());
  if (!options_.pid_file.empty()) specs.insert(specs.end(), process_specs().begin(), process_specs().end());
  std::vector<const Collector*> collectors;
  for (const auto& command : commands_) collectors.push_back(&command.memory.collector());
  add_label_names(collectors, Edition::current, specs);
  return specs;
}

asio::awaitable<Result<metrics::Snapshot>> PgbouncerSource::collect(Deadline deadline) {
  auto asking = ask(deadline);
  const auto asked = co_await std::move(asking);
  if (!asked) co_return asked.error().with_context("pgbouncer " + options_.name);
  const auto now = std::chrono::steady_clock::now();
  SnapshotBuilder builder(options_.constant_labels);
  add_health(standing(), now, builder);
  const auto version = version_text(connection_.parameter("server_version"));
  builder.family(version_info).add(builder.labels({{"version", version}}), 1);
  for (const auto& command : commands_) command.memory.add({}, builder);
  add_joins(builder, now);
  co_return builder.freeze();
}

/// The basic commands come first and have all of the time; the others end early enough for what is known by then to
/// reach the page.
asio::awaitable<Result<Done>> PgbouncerSource::ask(Deadline deadline) {
  const auto earlier = deadline - (deadline - std::chrono::steady_clock::now()) / spare_parts;
  auto connecting = connect(deadline, true);
  const auto connected = co_await std::move(connecting);
  if (!connected) co_return connected.error();
  bool is_begin = true;
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    if (!commands_[i].is_due(std::chrono::steady_clock::now())) continue;
    const auto until = commands_[i].is_basic ? deadline : earlier;
    auto asking = ask_one(i, until, is_begin);
    const auto asked = co_await std::move(asking);
    is_begin = false;
    if (asked) continue;
    if (commands_[i].is_basic || asked.error().code != Errc::timeout) co_return asked.error();
    skip_the_rest(i + 1, std::chrono::steady_clock::now());
    break;
  }
  co_return Done{};
}

/// @param is_begin  nothing was answered in this scrape: what a former connection brought is forgotten.
asio::awaitable<Result<Done>> PgbouncerSource::connect(Deadline deadline, bool is_begin) {
  if (!connection_.is_connected()) {
    auto connecting = connection_.connect(deadline);
    const auto connected = co_await std::move(connecting);
    if (!connected) co_return connected.error();
  }
  if (connection_.connect_count() != planned_for_) plan_for_release(is_begin);
  co_return Done{};
}

/// A connection that is closed without an answer says nothing yet: the pooler was restarted, or the connection was kept
/// too long. The command goes over a new one; when that is closed too, the command is what closes it.
/// @return an error when the scrape cannot go on; what only the command suffers is noted with it.
asio::awaitable<Result<Done>> PgbouncerSource::ask_one(std::size_t index, Deadline deadline, bool is_begin) {
  auto& command = commands_[index];
  constexpr int most_attempts = 2;
  for (int attempt = 1;; ++attempt) {
    auto connecting = connect(deadline, is_begin);
    const auto connected = co_await std::move(connecting);
    if (!connected) co_return connected.error();
    const auto sent = std::chrono::steady_clock::now();
    if (!command.is_due(sent)) co_return Done{};
    std::string sql = command.memory.queries().front().sql;
    auto answering = connection_.simple(std::move(sql), deadline);
    auto rows = co_await std::move(answering);
    const auto now = std::chrono::steady_clock::now();
    if (rows) {
      // A kept connection that turns out to be dead when it is used is opened anew below us.
      if (connection_.connect_count() != planned_for_) plan_for_release(is_begin);
      take(command, std::move(*rows), now - sent, now);
      co_return Done{};
    }
    if (rows.error().code == Errc::timeout) {
      fail(command, rows.error(), now - sent, now);
      co_return rows.error();
    }
    if (attempt < most_attempts) continue;
    auto again = connect(deadline, false);
    const auto back = co_await std::move(again);
    if (!back) co_return back.error();
    fail(command, Error{Errc::unsupported, "the console closes the connection at it: " + rows.error().message},
         now - sent, now);
    co_return Done{};
  }
}

/// In the middle of a scrape what was answered already stays; the next one begins anew.
void PgbouncerSource::plan_for_release(bool is_begin) {
  planned_for_ = is_begin ? connection_.connect_count() : 0;
  const auto reported = connection_.parameter("server_version");
  const bool is_known = reported.ends_with("/bouncer");
  ServerFacts facts;
  facts.version = is_known ? connection_.server_version() : newest_release;
  const bool is_other = facts.version != std::exchange(release_, facts.version);
  for (auto& command : commands_) {
    if (is_other) command.rests_until = {};
    std::ignore = is_begin ? command.memory.prepare(facts) : command.memory.plan_again(facts);
    if (is_begin) saturation_.forget(command.name());
  }
}

void PgbouncerSource::take(Command& command, pq::Rows rows, std::chrono::nanoseconds took, Deadline now) {
  if (rows.error()) {
    auto error = classified(*rows.error());
    // Asked again at every scrape it would cost a login each.
    if (!connection_.is_connected() && !command.is_basic) error.code = Errc::unsupported;
    return fail(command, std::move(error), took, now);
  }
  if (command.memory.queries().empty()) return;  // The release turned out to be another one.
  saturation_.take(command.name(), view_of(rows));
  std::vector<pq::Rows> answers;
  answers.push_back(std::move(rows));
  log_change(command.memory.succeed(std::move(answers), took, now), command);
}

void PgbouncerSource::fail(Command& command, Error error, std::chrono::nanoseconds took, Deadline now) {
  saturation_.forget(command.name());
  if (is_refusal(error)) command.rests_until = now + options_.refused_retry;
  log_change(command.memory.fail(std::move(error), took, now), command);
}

/// What was to be asked and could not be is not shown as if it had been.
void PgbouncerSource::skip_the_rest(std::size_t from, Deadline now) {
  for (std::size_t i = from; i < commands_.size(); ++i)
    if (commands_[i].is_due(now))
      fail(commands_[i], Error{Errc::timeout, "no time was left for it in this scrape"}, {}, now);
}

void PgbouncerSource::log_change(Change change, const Command& command) const {
  if (change == Change::failed)
    log::warn("pgbouncer command failed", {{"target", options_.name},
                                           {"command", command.name()},
                                           {"reason", word(command.memory.last_error()->code)},
                                           {"error", command.memory.last_error()->message}});
  if (change == Change::recovered)
    log::info("pgbouncer command answered again", {{"target", options_.name}, {"command", command.name()}});
}

/// A basic command that this console does not know makes it no less up.
PgbouncerSource::Standing PgbouncerSource::standing() const {
  const bool has_basics = std::all_of(commands_.begin(), commands_.end(), [](const Command& command) {
    return !command.is_basic || command.memory.is_ok() ||
           (command.memory.last_error() && command.memory.last_error()->code == Errc::unsupported);
  });
  return has_basics ? Standing::up : Standing::partial;
}

void PgbouncerSource::add_joins(SnapshotBuilder& builder, Deadline now) const {
  saturation_.add_pools(builder);
  if (!options_.server_limits || options_.postgres.empty()) return;
  if (const auto limits = options_.server_limits->find(options_.postgres, now))
    saturation_.add_server({options_.postgres, options_.is_postgres_named, options_.postgres_databases}, *limits,
                           builder);
}

void PgbouncerSource::add_health(Standing standing, Deadline now, SnapshotBuilder& builder) const {
  builder.add(up, standing == Standing::up ? 1 : 0);
  builder.add(build_info, {{"version", version()}}, 1);
  for (const auto& command : commands_) {
    const auto& memory = command.memory;
    if (release_ != 0 && !memory.is_offered()) continue;
    const bool is_shown = standing != Standing::down && memory.is_ok() && memory.answered_at();
    builder.add(success, {{"collector", command.name()}}, is_shown ? 1 : 0);
    builder.add(duration, {{"collector", command.name()}}, seconds(memory.last_duration()));
    if (is_shown) {
      builder.add(age, {{"collector", command.name()}}, seconds(now - *memory.answered_at()));
      builder.add(interval, {{"collector", command.name()}}, seconds(memory.interval()));
    }
    for (const auto& [code, count] : memory.failures())
      builder.add(errors_total, {{"collector", command.name()}, {"reason", word(code)}}, static_cast<double>(count));
    const auto& left_out = memory.left_out();
    if (left_out.unreadable > 0)
      builder.add(skipped_total, {{"collector", command.name()}, {"reason", "unreadable"}},
                  static_cast<double>(left_out.unreadable));
    if (left_out.rows_over_limit > 0)
      builder.add(skipped_total, {{"collector", command.name()}, {"reason", "row_limit"}},
                  static_cast<double>(left_out.rows_over_limit));
  }
  if (!options_.pid_file.empty()) add_process(options_.pid_file, "/proc", builder);
}

metrics::Snapshot PgbouncerSource::down(const Error&) const {
  SnapshotBuilder builder(options_.constant_labels);
  add_health(Standing::down, std::chrono::steady_clock::now(), builder);
  return builder.freeze();
}

}  // namespace midst::sources
