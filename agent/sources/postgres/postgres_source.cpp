#include "agent/sources/postgres/postgres_source.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/custom/collector.hpp"
#include "agent/sources/postgres/explain.hpp"
#include "agent/sources/postgres/label_names.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "agent/sources/postgres/top/statement_texts.hpp"
#include "agent/sources/postgres/top/wait_samples.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"

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
                                "Version of the program that stands in for postgres_exporter.", "version"};
constexpr MetricSpec success{"pg_scrape_collector_success", MetricType::gauge, "",
                             "Whether the collector's last attempt succeeded.", "collector"};
constexpr MetricSpec duration{"pg_scrape_collector_duration_seconds", MetricType::gauge, "seconds",
                              "Time from the answer before it in the pipeline to the collector's last answer, at its "
                              "last attempt: its share of the one round trip.",
                              "collector"};
constexpr MetricSpec age{"midst_pg_collector_age_seconds", MetricType::gauge, "seconds",
                         "How long ago what the page shows of a collector was asked; datname is empty for what is "
                         "told of the whole server.",
                         "collector,datname"};
constexpr MetricSpec interval{"midst_pg_collector_interval_seconds", MetricType::gauge, "seconds",
                              "How long an answer of the collector is served again: its ttl, or longer when its cost "
                              "is more than its share.",
                              "collector,datname"};
constexpr MetricSpec errors_total{"midst_pg_collector_errors_total", MetricType::counter, "",
                                  "Failed attempts of a collector, by reason.", "collector,reason"};
constexpr MetricSpec skipped_total{"midst_pg_values_skipped_total", MetricType::counter, "",
                                   "Values (unreadable) and rows (row_limit) of a collector that were left out.",
                                   "collector,reason"};
constexpr MetricSpec backend_seconds{
    "midst_pg_backend_seconds_total", MetricType::counter, "seconds",
    "Time that the server's processes have worked for this agent, by their own clock."};
constexpr MetricSpec pooled{"midst_pg_behind_pooler", MetricType::gauge, "",
                            "Whether a pooler stands between the agent and the server."};
constexpr MetricSpec own_specs[] = {
    pooled,   up,  scrape_error, scrape_duration, scrapes_total, build_info,     success,
    duration, age, interval,     errors_total,    skipped_total, backend_seconds};

/// With more than this in its caches the server's process is exchanged for a new one.
constexpr double most_backend_bytes = 32.0 * 1024 * 1024;

/// How often that may happen.
constexpr std::chrono::minutes shortest_backend_life{10};

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

pq::Conninfo with_defaults(pq::Conninfo conninfo) {
  conninfo.set_default("application_name", "midst-agent");
  return conninfo;
}

PostgresOptions with_defaults(PostgresOptions options) {
  options.conninfo = with_defaults(std::move(options.conninfo));
  return options;
}

bool is_enabled(const Collector& collector, const PostgresOptions& options) {
  const auto override = options.collectors.find(std::string(collector.name));
  return override == options.collectors.end() ? collector.runs == Default::on : override->second;
}

std::vector<std::unique_ptr<CustomCollector>> custom_collectors(const PostgresOptions& options) {
  std::vector<std::unique_ptr<CustomCollector>> custom;
  for (const auto& definition : options.custom) custom.push_back(std::make_unique<CustomCollector>(definition));
  return custom;
}

std::vector<const Collector*> enabled_collectors(const PostgresOptions& options,
                                                 std::span<const std::unique_ptr<CustomCollector>> custom) {
  std::vector<const Collector*> enabled;
  for (const auto& collector : postgres_catalog())
    if (is_enabled(collector, options)) enabled.push_back(&collector);
  for (const auto& own : custom) enabled.push_back(&own->collector());
  return enabled;
}

std::vector<const Collector*> those(std::span<const Collector* const> collectors,
                                    bool (*is_wanted)(const Collector& collector)) {
  std::vector<const Collector*> chosen;
  std::copy_if(collectors.begin(), collectors.end(), std::back_inserter(chosen),
               [&](const Collector* collector) { return is_wanted(*collector); });
  return chosen;
}

std::vector<const Collector*> main_collectors(std::span<const Collector* const> catalogue,
                                              const PostgresOptions& options) {
  auto chosen = those(catalogue, [](const Collector& collector) { return !collector.is_alone; });
  const bool has_alone = chosen.size() < catalogue.size();
  const bool has_databases = std::any_of(chosen.begin(), chosen.end(),
                                         [](const auto* collector) { return collector->scope == Scope::database; });
  const bool wants_list = has_alone || (has_databases && !options.databases.include.empty());
  if (options.databases.max_connections > 0 && wants_list) chosen.push_back(&database_list_collector);
  return chosen;
}

std::string_view cell(const pq::Rows& rows, std::string_view name) {
  const auto column = rows.column(name);
  return column && rows.row_count() > 0 ? rows.text(0, *column) : std::string_view();
}

void add_specs(std::span<const Column> columns, std::unordered_set<std::string_view>& seen,
               std::vector<MetricSpec>& specs) {
  for (const auto& column : columns)
    if (column.use != Use::label && seen.insert(column.name).second) specs.push_back(spec_of(column));
}

/// Lets the sampler go on, however the scrape ended.
struct Release {
  WaitSampler& sampler;
  ~Release() { sampler.release(); }
};

/// What is told of one collector over all databases.
struct Tally {
  bool is_offered = false, is_ok = true;
  std::map<Errc, std::uint64_t> failures;
  Interpretation left_out;
};

void tally(const Conversation& conversation, std::map<std::string_view, Tally>& tallies) {
  for (const auto& memory : conversation.collectors()) {
    auto& of = tallies[memory.collector().name];
    if (memory.is_offered() || memory.last_error()) {
      of.is_offered = true;
      of.is_ok = of.is_ok && memory.is_ok();
    }
    for (const auto& [code, count] : memory.failures()) of.failures[code] += count;
    of.left_out.unreadable += memory.left_out().unreadable;
    of.left_out.rows_over_limit += memory.left_out().rows_over_limit;
  }
}

void add_ages(const Conversation& conversation, std::string_view database, Deadline now, SnapshotBuilder& builder) {
  for (const auto& memory : conversation.collectors()) {
    if (!memory.is_ok() || !memory.answered_at()) continue;
    const auto of = memory.collector().scope == Scope::database ? database : std::string_view();
    const auto labels = builder.labels({{"collector", memory.collector().name}, {"datname", of}});
    builder.family(age).add(labels, seconds(now - *memory.answered_at()));
    builder.family(interval).add(labels, seconds(memory.interval()));
  }
}

}  // namespace

std::vector<std::string_view> postgres_collectors() {
  std::vector<std::string_view> names;
  for (const auto& collector : postgres_catalog()) names.push_back(collector.name);
  return names;
}

PostgresSource::PostgresSource(asio::any_io_executor executor, PostgresOptions options)
    : options_(with_defaults(std::move(options))),
      id_{"postgres", options_.name},
      server_label_(options_.conninfo.server_label()),
      custom_(custom_collectors(options_)),
      catalogue_(enabled_collectors(options_, custom_)),
      connection_(std::make_shared<pq::Connection>(executor, options_.conninfo, connection_options(options_),
                                                   options_.password)),
      main_(main_collectors(catalogue_, options_), options_),
      sampler_(executor, connection_, options_.name, options_.pace.sample_interval, options_.limits),
      databases_(std::make_unique<Databases>(
          executor, options_,
          those(catalogue_, [](const Collector& c) { return c.scope == Scope::database && !c.is_alone; }),
          those(catalogue_, [](const Collector& c) { return c.is_alone; }))) {
}

PostgresSource::~PostgresSource() = default;

std::vector<MetricSpec> PostgresSource::specs() const {
  std::vector<MetricSpec> specs(std::begin(own_specs), std::end(own_specs));
  std::unordered_set<std::string_view> seen;
  add_specs(instance_query().columns, seen, specs);
  for (const auto* collector : catalogue_) {
    for (const auto& query : collector->queries) add_specs(query.columns, seen, specs);
    if (collector->make_treatment == nullptr) continue;
    for (const auto& spec : collector->make_treatment(options_.limits)->specs())
      if (seen.insert(spec.name).second) specs.push_back(spec);
  }
  specs.insert(specs.end(), Databases::specs().begin(), Databases::specs().end());
  if (options_.pace.sample_interval.count() > 0)
    specs.insert(specs.end(), WaitSamples::specs().begin(), WaitSamples::specs().end());
  const Collector instance{.name = {}, .queries = std::span(&instance_query(), 1), .has_server_label = true};
  auto collectors = catalogue_;
  collectors.push_back(&instance);
  add_label_names(collectors, options_.compat == Compat::v0_11 ? Edition::v0_11 : Edition::current, specs);
  return specs;
}

asio::awaitable<Result<metrics::Snapshot>> PostgresSource::collect(Deadline deadline) {
  const auto began = std::chrono::steady_clock::now();
  ++scrapes_;
  // A database that hangs must not take the page of all others with it.
  const auto visits_end = began + (deadline - began) * 4 / 5;
  databases_->begin_visits(visits_end);
  auto asking = ask(deadline);
  const auto asked = co_await std::move(asking);
  if (asked) {
    sampler_.begin(main_.facts(), main_.is_pooled());
    take_instance();
    take_database_names();
    auto visiting = databases_->finish_visits(visits_end + (deadline - visits_end) / 2);
    co_await std::move(visiting);
  }
  const auto now = std::chrono::steady_clock::now();
  last_duration_ = now - began;
  if (asked) tell_limits(now);
  if (!asked && options_.server_limits) options_.server_limits->forget(options_.name);
  if (!asked) co_return asked.error().with_context("postgres " + options_.name);
  SnapshotBuilder builder(options_.constant_labels);
  add_health(true, builder);
  add_collectors(builder, now);
  auto page = builder.freeze();
  if (options_.texts) options_.texts->want(page);
  co_return page;
}

asio::awaitable<Result<Done>> PostgresSource::ask(Deadline deadline) {
  auto holding = sampler_.hold();
  co_await std::move(holding);
  const Release release{sampler_};
  auto asking = main_.ask(*connection_, deadline);
  const auto asked = co_await std::move(asking);
  if (asked && options_.texts) {
    auto asking_for_texts = ask_for_texts(deadline);
    co_await std::move(asking_for_texts);
  }
  co_return asked;
}

/// Texts of the ids on the page before; without them the page is whole as well.
asio::awaitable<void> PostgresSource::ask_for_texts(Deadline deadline) {
  auto ids = options_.texts->due(std::chrono::steady_clock::now());
  if (!ids) co_return;
  auto asking = main_.ask_aside(*connection_, statement_texts_collector, std::move(*ids), deadline);
  const auto rows = co_await std::move(asking);
  if (rows && !rows->error()) {
    options_.texts->take(view_of(*rows));
    co_return;
  }
  log::warn("the texts of statements cannot be read",
            {{"target", options_.name}, {"error", rows ? rows->error()->message : rows.error().message}});
}

void PostgresSource::take_instance() {
  const auto* instance = main_.instance();
  if (instance == nullptr) return;
  say_privileges(cell(*instance, "is_granted"));
  expire_settings_after_reload(cell(*instance, "conf_load_time"));
}

void PostgresSource::say_privileges(std::string_view is_granted) {
  if (is_granted == privilege_) return;
  privilege_ = is_granted;
  if (is_granted == "f")
    log::warn("the role lacks pg_monitor and sees little of others; run as a superuser: GRANT pg_monitor TO the role",
              {{"target", options_.name}, {"role", options_.conninfo.get("user")}});
}

/// A changed configuration shows at the scrape after the one that notices it.
void PostgresSource::expire_settings_after_reload(std::string_view loaded) {
  if (loaded == conf_load_time_) return;
  if (!conf_load_time_.empty()) main_.expire(settings_collector.name);
  conf_load_time_ = loaded;
}

void PostgresSource::take_database_names() {
  for (const auto& memory : main_.collectors()) {
    const auto answers = memory.answers();
    if (memory.collector().name == "backend_memory" && !answers.empty())
      recycle_backend(parse_value(cell(answers.front(), "bytes")).value_or(0));
    if (memory.collector().name != database_list_collector.name || answers.empty()) continue;
    const auto name = answers.front().column("datname"), is_connected = answers.front().column("is_connected");
    if (!name || !is_connected) continue;
    std::vector<std::string> names;
    for (std::size_t row = 0; row < answers.front().row_count(); ++row) {
      names.emplace_back(answers.front().text(row, *name));
      if (answers.front().text(row, *is_connected) == "t") connected_ = names.back();
    }
    databases_->set_names(std::move(names), connected_);
  }
}

void PostgresSource::tell_limits(Deadline now) const {
  if (!options_.server_limits) return;
  ConnectionLimits limits;
  for (const auto& memory : main_.collectors()) {
    const auto answers = memory.answers();
    if (memory.collector().name != settings_collector.name || !memory.is_ok() || answers.empty()) continue;
    const auto name = answers.front().column("name"), setting = answers.front().column("setting");
    if (!name || !setting) continue;
    const auto read = [&](std::size_t row) { return parse_value(answers.front().text(row, *setting)).value_or(0); };
    for (std::size_t row = 0; row < answers.front().row_count(); ++row) {
      const auto of = answers.front().text(row, *name);
      if (of == "max_connections") limits.max_connections = read(row);
      if (of == "superuser_reserved_connections") limits.superuser_reserved = read(row);
      if (of == "reserved_connections") limits.reserved = read(row);
    }
  }
  limits.read_at = now;
  if (limits.max_connections > 0)
    options_.server_limits->set(options_.name, limits);
  else
    options_.server_limits->forget(options_.name);
}

/// A process that is large from the start is not exchanged again and again.
void PostgresSource::recycle_backend(double bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (bytes <= most_backend_bytes || (recycled_at_ && now - *recycled_at_ < shortest_backend_life)) return;
  recycled_at_ = now;
  log::info("the server's process for this agent has grown and is exchanged for a new one",
            {{"target", options_.name}, {"bytes", bytes}});
  connection_->close();
}

void PostgresSource::add_collectors(SnapshotBuilder& builder, Deadline now) const {
  const Label server{"server", server_label_};
  if (main_.instance() != nullptr)
    (void)interpret(instance_query(), view_of(*main_.instance()), std::span(&server, 1), builder);
  main_.add(server, builder);
  sampler_.add({}, builder);
  databases_->add(server, builder, now);
  add_ages(main_, connected_, now, builder);
  for (const auto& [database, conversation] : databases_->conversations())
    add_ages(*conversation, database, now, builder);
}

void PostgresSource::add_health(bool is_up, SnapshotBuilder& builder) const {
  builder.add(up, is_up ? 1 : 0);
  builder.add(scrape_error, is_up ? 0 : 1);
  builder.add(scrape_duration, seconds(last_duration_));
  builder.add(scrapes_total, static_cast<double>(scrapes_));
  builder.add(build_info, {{"version", version()}}, 1);
  std::map<std::string_view, Tally> tallies;
  tally(main_, tallies);
  double cost = main_.backend_seconds();
  for (const auto& [database, conversation] : databases_->conversations()) {
    tally(*conversation, tallies);
    cost += conversation->backend_seconds();
  }
  builder.add(backend_seconds, cost);
  builder.add(pooled, main_.is_pooled() ? 1 : 0);
  const bool is_planned = main_.facts().version != 0;
  for (const auto& [name, of] : tallies) {
    if (is_planned && !of.is_offered) continue;
    builder.add(success, {{"collector", name}}, is_up && of.is_offered && of.is_ok ? 1 : 0);
    for (const auto& [code, count] : of.failures)
      builder.add(errors_total, {{"collector", name}, {"reason", word(code)}}, static_cast<double>(count));
    if (of.left_out.unreadable > 0)
      builder.add(skipped_total, {{"collector", name}, {"reason", "unreadable"}},
                  static_cast<double>(of.left_out.unreadable));
    if (of.left_out.rows_over_limit > 0)
      builder.add(skipped_total, {{"collector", name}, {"reason", "row_limit"}},
                  static_cast<double>(of.left_out.rows_over_limit));
  }
  for (const auto& memory : main_.collectors())
    if (!is_planned || memory.is_offered())
      builder.add(duration, {{"collector", memory.collector().name}}, seconds(memory.last_duration()));
}

metrics::Snapshot PostgresSource::down(const Error&) const {
  SnapshotBuilder builder(options_.constant_labels);
  add_health(false, builder);
  return builder.freeze();
}

std::string PostgresSource::explain() const {
  auto text = sources::explain(main_, connected_.empty() ? options_.conninfo.get("dbname") : connected_);
  for (const auto& [database, conversation] : databases_->conversations())
    if (!conversation->collectors().empty()) text.append("\n").append(sources::explain(*conversation, database));
  return text;
}

}  // namespace midst::sources
