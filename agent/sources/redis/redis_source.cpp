#include "agent/sources/redis/redis_source.hpp"

#include "agent/sources/redis/commands.hpp"
#include "agent/sources/redis/families.hpp"
#include "agent/sources/redis/info.hpp"
#include "lib/base/version.hpp"

#include <array>
#include <optional>

namespace midst::sources {
namespace {

using namespace redis_info;  // the pure half of this folder
using Clock = std::chrono::steady_clock;
using metrics::Label;
using metrics::SnapshotBuilder;
using redis::Command;
using redis::Reply;

/// What is asked of the server; each succeeds or fails by itself, but without INFO there is no snapshot.
enum class Collector : std::uint8_t { info, config, latency, histogram, slowlog, cluster };
constexpr std::string_view collector_words[] = {"info", "config", "latency", "histogram", "slowlog", "cluster"};
constexpr std::size_t collector_count = std::size(collector_words);

constexpr std::size_t index_of(Collector collector) {
  return static_cast<std::size_t>(collector);
}

/// Replies by collector; empty where nothing was asked.
using Answers = std::array<std::vector<Reply>, collector_count>;

/// The commands of one write and whose they are.
struct Plan {
  std::vector<Command> commands;
  std::vector<Collector> owners;

  void add(Collector collector, Command command) {
    commands.push_back(std::move(command));
    owners.push_back(collector);
  }
};

/// Since Redis 7.0 INFO takes several sections; before, and when the version is not known yet, there is only ALL.
Command info_command(int major_version) {
  if (major_version < 7) return {"INFO", "ALL"};
  return {"INFO",        "server", "clients",      "memory",       "persistence", "threads", "stats",
          "replication", "cpu",    "commandstats", "latencystats", "errorstats",  "cluster", "keyspace"};
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

class RedisSource::Impl {
 public:
  Impl(asio::any_io_executor executor, RedisOptions options)
      : id{"redis", options.name},
        options_(std::move(options)),
        connection_(std::move(executor), options_.uri, connection_options(options_), options_.login) {}

  /// `self` keeps the Impl alive until the coroutine has ended, also when the RedisSource goes first.
  static asio::awaitable<Result<metrics::Snapshot>> run(std::shared_ptr<Impl> self, Deadline deadline);
  [[nodiscard]] metrics::Snapshot down(const Error& error) const;

  const scrape::SourceId id;

 private:
  /// What INFO of the answering server process told; it decides what the next collect asks.
  struct Known {
    std::string run_id;
    int major_version = 0;
    bool has_cluster = false;
    double start_seconds = 0;
  };
  struct Built {
    metrics::Snapshot snapshot;
    Known known;
  };
  enum class SettingsForm { one_command, one_each };

  static redis::ConnectionOptions connection_options(const RedisOptions& options) {
    redis::ConnectionOptions result;
    result.client_name = options.client_name;
    return result;
  }

  asio::awaitable<Result<metrics::Snapshot>> attempt(Deadline deadline, Clock::time_point begin);
  asio::awaitable<Result<Done>> ask(Plan plan, Answers& answers, Deadline deadline);
  [[nodiscard]] Plan plan() const;
  [[nodiscard]] Plan plan_rest(const Known& now_known, const Answers& answers) const;
  void add_settings_commands(Plan& plan, SettingsForm form) const;
  [[nodiscard]] bool is_allowed(Collector collector, Clock::time_point now) const;
  [[nodiscard]] bool settings_are_due(Clock::time_point now) const;

  void take_settings(const Answers& answers);
  [[nodiscard]] Result<Built> build(const Answers& answers, Clock::time_point begin);
  void add_optional(const Answers& answers, const Commands& commands, SnapshotBuilder& builder);
  void note(Collector collector, const Result<Done>& result);
  void remember(Known now_known);
  void count_scrape(Clock::time_point begin);
  void add_own(SnapshotBuilder& builder, bool is_up, std::string_view error) const;

  const RedisOptions options_;
  redis::Connection connection_;
  Known known_;
  Settings settings_;
  std::optional<Clock::time_point> settings_at_;
  std::array<std::optional<Clock::time_point>, collector_count> refused_at_;
  std::array<std::optional<bool>, collector_count> success_;  ///< As of its last answer; unset: never asked.
  std::uint64_t scrapes_ = 0, finished_ = 0;
  double duration_sum_ = 0, last_duration_ = 0;
};

asio::awaitable<Result<metrics::Snapshot>> RedisSource::Impl::run(std::shared_ptr<Impl> self, Deadline deadline) {
  const auto begin = Clock::now();
  ++self->scrapes_;
  auto work = self->attempt(deadline, begin);
  auto snapshot = co_await no_throw(std::move(work));
  if (!snapshot) self->count_scrape(begin);
  co_return snapshot;
}

asio::awaitable<Result<metrics::Snapshot>> RedisSource::Impl::attempt(Deadline deadline, Clock::time_point begin) {
  Answers answers;
  auto first = ask(plan(), answers, deadline);
  if (auto asked = co_await std::move(first); !asked) co_return asked.error();
  if (const auto& info = answers[index_of(Collector::info)].front(); info.is_error()) {
    known_ = {};  // another version may answer now, which does not know the sections we asked for
    co_return info.to_error().with_context("INFO");
  }
  take_settings(answers);
  auto built = build(answers, begin);
  if (!built) co_return built.error();
  auto rest = plan_rest(built->known, answers);
  if (!rest.commands.empty()) {
    auto second = ask(std::move(rest), answers, deadline);
    if (auto asked = co_await std::move(second); !asked) co_return asked.error();
    take_settings(answers);
    built = build(answers, begin);
    if (!built) co_return built.error();
  }
  remember(std::move(built->known));
  co_return std::move(built->snapshot);
}

asio::awaitable<Result<Done>> RedisSource::Impl::ask(Plan plan, Answers& answers, Deadline deadline) {
  auto pipeline = connection_.pipeline(std::move(plan.commands), deadline);
  auto replies = co_await std::move(pipeline);
  if (!replies) co_return replies.error();
  for (const auto owner : plan.owners) answers[index_of(owner)].clear();
  for (std::size_t i = 0; i < replies->size(); ++i)
    answers[index_of(plan.owners[i])].push_back(std::move((*replies)[i]));
  co_return Done{};
}

Plan RedisSource::Impl::plan() const {
  const auto now = Clock::now();
  Plan plan;
  plan.add(Collector::info, info_command(known_.major_version));
  if (settings_are_due(now)) {
    // A version that is not known yet is probably a recent one; if not, plan_rest() asks again.
    const bool is_old = known_.major_version > 0 && known_.major_version < 7;
    add_settings_commands(plan, is_old ? SettingsForm::one_each : SettingsForm::one_command);
  }
  if (is_allowed(Collector::latency, now)) plan.add(Collector::latency, {"LATENCY", "LATEST"});
  if (is_allowed(Collector::histogram, now)) plan.add(Collector::histogram, {"LATENCY", "HISTOGRAM"});
  if (is_allowed(Collector::slowlog, now)) {
    plan.add(Collector::slowlog, {"SLOWLOG", "LEN"});
    plan.add(Collector::slowlog, {"SLOWLOG", "GET", "1"});
  }
  if (known_.has_cluster && is_allowed(Collector::cluster, now)) plan.add(Collector::cluster, {"CLUSTER", "INFO"});
  return plan;
}

Plan RedisSource::Impl::plan_rest(const Known& now_known, const Answers& answers) const {
  Plan plan;
  const auto now = Clock::now();
  const auto& config = answers[index_of(Collector::config)];
  const bool is_other_server = now_known.run_id != known_.run_id;
  const bool was_asked_at_once = config.size() == 1 && config.front().is_error();
  if (was_asked_at_once && now_known.major_version < 7 && config.front().to_error().code != Errc::noperm)
    add_settings_commands(plan, SettingsForm::one_each);
  else if (is_other_server && config.empty() && options_.config_command != "-")
    add_settings_commands(plan, now_known.major_version < 7 ? SettingsForm::one_each : SettingsForm::one_command);
  if (now_known.has_cluster && answers[index_of(Collector::cluster)].empty() &&
      (is_other_server || is_allowed(Collector::cluster, now)))
    plan.add(Collector::cluster, {"CLUSTER", "INFO"});
  return plan;
}

void RedisSource::Impl::add_settings_commands(Plan& plan, SettingsForm form) const {
  Command command{options_.config_command, "GET"};
  for (const auto name : wanted_settings()) {
    command.emplace_back(name);
    if (form == SettingsForm::one_command) continue;
    plan.add(Collector::config, command);
    command.pop_back();
  }
  if (form == SettingsForm::one_command) plan.add(Collector::config, std::move(command));
}

bool RedisSource::Impl::is_allowed(Collector collector, Clock::time_point now) const {
  if (collector == Collector::config && options_.config_command == "-") return false;
  if ((collector == Collector::latency || collector == Collector::histogram) && !options_.has_latency) return false;
  if (collector == Collector::slowlog && !options_.has_slowlog) return false;
  const auto& refused = refused_at_[index_of(collector)];
  return !refused || now - *refused >= options_.retry_refused_after;
}

bool RedisSource::Impl::settings_are_due(Clock::time_point now) const {
  if (!is_allowed(Collector::config, now)) return false;
  // A new connection may lead to another server: its settings travel in the same write.
  return !settings_at_ || now - *settings_at_ >= options_.config_interval || !connection_.is_connected();
}

void RedisSource::Impl::take_settings(const Answers& answers) {
  const auto& replies = answers[index_of(Collector::config)];
  if (replies.empty()) return;
  Settings fresh;
  Result<Done> result = Done{};
  for (const auto& reply : replies)
    if (auto read = read_settings(reply, fresh); !read) result = read;
  note(Collector::config, result);
  if (fresh.pairs.empty()) return;
  settings_ = std::move(fresh);
  settings_at_ = Clock::now();
}

Result<RedisSource::Impl::Built> RedisSource::Impl::build(const Answers& answers, Clock::time_point begin) {
  const auto text = answers[index_of(Collector::info)].front().as_text();
  if (!text) return text.error().with_context("INFO");
  InfoOptions info;
  info.now_seconds = unix_now();
  info.latched_run_id = known_.run_id;
  info.latched_start_seconds = known_.start_seconds;
  info.has_zero_databases = options_.zero_databases;
  info.max_error_labels = options_.max_error_labels;
  if (const auto databases = parse_value(settings_.find("databases")); databases && *databases <= 1e6)
    info.databases = static_cast<int>(*databases);

  SnapshotBuilder builder(options_.constant_labels);
  builder.add(family::up, 1);
  auto facts = read_info(*text, info, builder);
  if (!facts) return facts.error();
  note(Collector::info, Done{});
  add_optional(answers, facts->commands, builder);
  count_scrape(begin);
  add_own(builder, true, {});
  return Built{builder.freeze(),
               {std::move(facts->run_id), facts->major_version, facts->has_cluster, facts->start_seconds}};
}

void RedisSource::Impl::add_optional(const Answers& answers, const Commands& commands, SnapshotBuilder& builder) {
  add_settings(settings_, builder);
  if (const auto& replies = answers[index_of(Collector::latency)]; !replies.empty())
    note(Collector::latency, add_latency_spikes(replies.front(), builder));
  if (const auto& replies = answers[index_of(Collector::histogram)]; !replies.empty())
    note(Collector::histogram, add_latency_histograms(replies.front(), commands, builder));
  if (const auto& replies = answers[index_of(Collector::slowlog)]; replies.size() == 2)
    note(Collector::slowlog, add_slowlog(replies[0], replies[1], builder));
  if (const auto& replies = answers[index_of(Collector::cluster)]; !replies.empty())
    note(Collector::cluster, add_cluster_info(replies.front(), builder));
}

void RedisSource::Impl::note(Collector collector, const Result<Done>& result) {
  auto& refused = refused_at_[index_of(collector)];
  success_[index_of(collector)] = result.has_value();
  const bool is_refused = !result && (result.error().code == Errc::noperm || result.error().code == Errc::unsupported);
  if (!is_refused)
    refused.reset();
  else if (!refused || Clock::now() - *refused >= options_.retry_refused_after)
    refused = Clock::now();
}

void RedisSource::Impl::remember(Known now_known) {
  // What one server process refused, the next may allow.
  if (!known_.run_id.empty() && now_known.run_id != known_.run_id) refused_at_ = {};
  known_ = std::move(now_known);
}

void RedisSource::Impl::count_scrape(Clock::time_point begin) {
  last_duration_ = seconds(Clock::now() - begin);
  if (finished_ < scrapes_) {
    finished_ = scrapes_;
    duration_sum_ += last_duration_;
  }
}

void RedisSource::Impl::add_own(SnapshotBuilder& builder, bool is_up, std::string_view error) const {
  for (std::size_t i = 0; i < collector_count; ++i)
    if (success_[i] && is_up)
      builder.add(family::collector_success, {{"collector", collector_words[i]}}, *success_[i] ? 1 : 0);
  builder.add(family::last_scrape_error, {{"err", error}}, error.empty() ? 0 : 1);
  builder.add(family::last_scrape_duration, last_duration_);
  builder.add(family::last_connect_time, seconds(connection_.last_connect_duration()));
  builder.add(family::scrapes, static_cast<double>(scrapes_));
  metrics::Distribution durations;
  durations.sum = duration_sum_;
  durations.count = finished_;
  builder.family(family::scrape_duration).add(builder.labels({}), durations);
  // Both count features that this source does not have yet: nothing has gone wrong and nothing has run.
  builder.add(family::request_errors, 0);
  if (is_up) builder.add(family::key_groups_duration, 0);
  builder.add(family::build_info,
              {{"version", version()}, {"commit_sha", ""}, {"build_date", ""}, {"golang_version", ""}}, 1);
}

metrics::Snapshot RedisSource::Impl::down(const Error& error) const {
  SnapshotBuilder builder(options_.constant_labels);
  builder.add(family::up, 0);
  add_own(builder, false, word(error.code));
  return builder.freeze();
}

RedisSource::RedisSource(asio::any_io_executor executor, RedisOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {
}

RedisSource::~RedisSource() = default;

const scrape::SourceId& RedisSource::id() const noexcept {
  return impl_->id;
}

std::vector<metrics::MetricSpec> RedisSource::specs() const {
  std::vector<metrics::MetricSpec> specs{family::up};
  for (const auto& row : catalog()) specs.push_back(row.spec);
  for (const auto* spec : family::all)
    if (spec != &family::up) specs.push_back(*spec);
  return specs;
}

asio::awaitable<Result<metrics::Snapshot>> RedisSource::collect(Deadline deadline) {
  return Impl::run(impl_, deadline);
}

metrics::Snapshot RedisSource::down(const Error& error) const {
  return impl_->down(error);
}

}  // namespace midst::sources
