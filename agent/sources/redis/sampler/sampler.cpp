#include "agent/sources/redis/sampler/sampler.hpp"

#include "agent/sources/redis/sampler/duty_budget.hpp"
#include "agent/sources/redis/sampler/sampler_check.hpp"
#include "agent/sources/redis/sampler/sampler_cycle.hpp"
#include "agent/sources/redis/sampler/sampler_page.hpp"
#include "lib/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using redis::Command;
using redis::Reply;
using Clock = std::chrono::steady_clock;

/// A step takes the server a millisecond; when it does not answer for so long, it hangs.
constexpr std::chrono::seconds step_timeout{5};
/// How old what INFO says may get while steps are done.
constexpr std::chrono::seconds check_interval{1};
/// Names of 500 keys are a few kilobytes; keys may be far longer.
constexpr std::size_t max_reply_bytes = 16 * 1024 * 1024;
constexpr std::string_view moment_sections[] = {"persistence", "replication", "keyspace"};
/// When SCAN is refused.
constexpr std::chrono::hours refused_pause{1};

DutyBudgetOptions budget_options(const SamplerOptions& options) {
  return {options.duty_cycle, options.step_target, options.min_count, options.max_count};
}

redis::ConnectionOptions connection_options(redis::ConnectionOptions options) {
  options.max_reply_bytes = std::min(options.max_reply_bytes, max_reply_bytes);
  return options;
}

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// The walk, its connection and its pace. Shared by the collector and the coroutine, which outlives it by one I/O step.
class Sampling {
 public:
  Sampling(SamplerOptions options, SamplerTarget target)
      : options_(std::move(options)),
        connection_(target.executor, target.uri, connection_options(target.connection), target.login),
        timer_(target.executor),
        executor_(target.executor),
        budget_(budget_options(options_)),
        cycle_(options_, target.uri.database, std::random_device{}()) {}

  static void learn(const std::shared_ptr<Sampling>& self, const Round& round);
  void forget();
  void stop();
  [[nodiscard]] SamplerStatus status() const;
  [[nodiscard]] const SamplerCycle& cycle() const noexcept { return cycle_; }
  [[nodiscard]] const SamplerOptions& options() const noexcept { return options_; }

 private:
  using Wake = Clock::time_point;

  static asio::awaitable<void> run(std::shared_ptr<Sampling> self);
  asio::awaitable<Wake> turn();
  asio::awaitable<Wake> look_at_server();
  asio::awaitable<Result<ServerMoment>> ask_server();
  asio::awaitable<Wake> step();
  asio::awaitable<Result<std::vector<Reply>>> send(std::vector<Command> commands);

  [[nodiscard]] std::vector<Command> greeting() const;
  [[nodiscard]] bool is_greeted() const noexcept;
  Wake take_moment(const ServerMoment& moment);
  Wake after_step(const Result<Done>& taken);
  Wake fail(const Error& error);
  Wake pause(Pause reason);

  const SamplerOptions options_;
  redis::Connection connection_;
  asio::steady_timer timer_;
  asio::any_io_executor executor_;
  DutyBudget budget_;
  SamplerCycle cycle_;

  std::optional<std::pair<std::string, std::uint16_t>> place_;  ///< Host and port as of the last scrape.
  bool is_started_ = false, is_stopped_ = false;
  bool has_no_touch_ = false, has_cluster_ = false;
  std::uint64_t epoch_ = 0;             ///< Another one: the server whose replies are under way has gone.
  std::uint64_t greeted_ = 0;           ///< The connection the greeting was said on, by connect_count().
  Clock::duration last_round_trip_{0};  ///< Of the last PING.
  Clock::time_point check_at_, rest_until_, cycle_began_;
  std::optional<Clock::time_point> cycle_ended_;
  std::optional<Clock::duration> cycle_duration_;
  std::optional<Pause> paused_;
  std::optional<Errc> failed_;  ///< Of the last attempt; what is logged once.
  std::array<std::uint64_t, pause_count> pauses_{};
  std::map<Errc, std::uint64_t> errors_;
};

void Sampling::learn(const std::shared_ptr<Sampling>& self, const Round& round) {
  const auto& facts = round.facts;
  if (round.server != nullptr) self->place_ = {round.server->host, round.server->port};
  self->has_no_touch_ = facts.version >= 70200 || facts.valkey_version > 0;
  self->has_cluster_ = facts.has_cluster;
  const bool is_fit = facts.version > 0 && !facts.is_sentinel && self->options_.is_enabled;
  if (self->is_started_ || !is_fit) return;
  self->is_started_ = true;
  asio::co_spawn(self->executor_, run(self), [](std::exception_ptr thrown) {
    if (thrown) log::error("the key sampler ended by an exception");
  });
}

void Sampling::forget() {
  ++epoch_;
  cycle_.forget();
  cycle_ended_.reset();
  cycle_duration_.reset();
  rest_until_ = check_at_ = {};
  timer_.cancel();
}

void Sampling::stop() {
  is_stopped_ = true;
  timer_.cancel();
  connection_.close();
}

asio::awaitable<void> Sampling::run(std::shared_ptr<Sampling> self) {
  while (!self->is_stopped_) {
    if (self->place_) self->connection_.move_to(self->place_->first, self->place_->second);
    auto turn = self->turn();
    const auto wake_at = co_await std::move(turn);
    if (self->is_stopped_) break;
    self->timer_.expires_at(wake_at);
    co_await self->timer_.async_wait(as_result);
  }
}

/// One exchange with the server or none. @return when the next turn is due.
asio::awaitable<Sampling::Wake> Sampling::turn() {
  const auto now = Clock::now();
  if (!cycle_.is_running() && now < rest_until_) co_return rest_until_;
  // Whatever woke us, the server is owed its time.
  if (now < budget_.next_at()) co_return budget_.next_at();
  const bool is_ready = cycle_.is_running() && now < check_at_ && is_greeted();
  auto work = is_ready ? step() : look_at_server();
  co_return co_await std::move(work);
}

asio::awaitable<Sampling::Wake> Sampling::look_at_server() {
  const auto epoch = epoch_;
  auto asked = ask_server();
  const auto moment = co_await std::move(asked);
  if (is_stopped_ || epoch != epoch_) co_return Clock::now();
  if (!moment) co_return fail(moment.error());
  co_return take_moment(*moment);
}

asio::awaitable<Result<ServerMoment>> Sampling::ask_server() {
  if (!is_greeted()) {
    auto sent = send(greeting());
    const auto replies = co_await std::move(sent);
    if (!replies) co_return replies.error();
    greeted_ = connection_.connect_count();
    for (const auto& reply : *replies)
      if (reply.is_error()) ++errors_[reply.to_error().code];
  }
  const auto begin = Clock::now();
  auto pinged = send({{"PING"}});
  if (const auto replies = co_await std::move(pinged); !replies) co_return replies.error();
  const auto middle = Clock::now();
  last_round_trip_ = middle - begin;
  budget_.note_round_trip(last_round_trip_, middle);
  const std::size_t around = cycle_.has_clock() ? 1 : 0;
  std::vector<Command> commands(around, Command{"TIME"});
  for (const auto section : moment_sections) commands.push_back({"INFO", std::string(section)});
  commands.resize(commands.size() + around, Command{"TIME"});
  auto asked = send(std::move(commands));
  const auto replies = co_await std::move(asked);
  if (!replies) co_return replies.error();
  const auto& first = replies->front();
  budget_.note_check({middle, Clock::now(), replies->size(), time_between(first, replies->back())});
  if (around != 0 && first.is_error()) {
    ++errors_[first.to_error().code];
    cycle_.refuse_clock();
  }
  std::string info;
  for (std::size_t i = 0; i < std::size(moment_sections); ++i) {
    const auto& reply = (*replies)[around + i];
    if (reply.is_error()) co_return reply.to_error().with_context("INFO");
    info.append(reply.text) += '\n';
  }
  co_return read_moment(info);
}

asio::awaitable<Sampling::Wake> Sampling::step() {
  const auto epoch = epoch_;
  auto commands = cycle_.next(budget_.count());
  const auto size = commands.size();
  const auto begin = Clock::now();
  auto sent = send(std::move(commands));
  const auto replies = co_await std::move(sent);
  const auto end = Clock::now();
  if (is_stopped_ || epoch != epoch_) co_return end;
  if (replies) {
    const auto taken = cycle_.take(*replies);
    budget_.note_step({begin, end, size, cycle_.server_time()});
    co_return after_step(taken);
  }
  budget_.note_lost(begin);
  const bool is_too_big = replies.error().code == Errc::limit;
  cycle_.lost(is_too_big ? SamplerCycle::Looks::dropped : SamplerCycle::Looks::again);
  if (is_too_big && budget_.count() == 1) {
    cycle_.give_up();
    rest_until_ = end + options_.interval;
  }
  if (is_too_big) budget_.shrink();
  co_return fail(replies.error());
}

asio::awaitable<Result<std::vector<Reply>>> Sampling::send(std::vector<Command> commands) {
  return connection_.pipeline(std::move(commands), Clock::now() + step_timeout);
}

/// What a fresh connection is told: not to count our looks as use, and to serve keys of a replica's slots.
std::vector<Command> Sampling::greeting() const {
  std::vector<Command> commands{{"PING"}};
  if (has_no_touch_) commands.push_back({"CLIENT", "NO-TOUCH", "ON"});
  if (has_cluster_) commands.push_back({"READONLY"});
  return commands;
}

bool Sampling::is_greeted() const noexcept {
  return connection_.is_connected() && connection_.connect_count() == greeted_;
}

Sampling::Wake Sampling::take_moment(const ServerMoment& moment) {
  failed_.reset();
  const auto now = Clock::now();
  if (const auto reason = pause_of(moment, options_.role)) return pause(*reason);
  if (last_round_trip_ > budget_.shortest_round_trip() + options_.pause_rtt) return pause(Pause::slow);
  paused_.reset();
  check_at_ = now + check_interval;
  auto databases = chosen_databases(moment, options_.databases);
  if (cycle_.is_running()) {
    cycle_.update(databases);
  } else {
    cycle_began_ = now;
    cycle_.begin(std::move(databases));
    // A server without keys is about to get some: a replica before its first copy, a cache just started.
    rest_until_ = now + (cycle_.is_running() ? options_.interval : options_.pause);
  }
  return budget_.next_at();
}

Sampling::Wake Sampling::after_step(const Result<Done>& taken) {
  for (const auto code : cycle_.errors()) ++errors_[code];
  const auto now = Clock::now();
  if (!taken) {
    const auto code = taken.error().code;
    if (code == Errc::noperm || code == Errc::unsupported) rest_until_ = now + refused_pause;
    return fail(taken.error());
  }
  failed_.reset();
  if (!cycle_.is_running()) {
    cycle_ended_ = now;
    cycle_duration_ = now - cycle_began_;
    check_at_ = {};
  }
  return budget_.next_at();
}

Sampling::Wake Sampling::fail(const Error& error) {
  check_at_ = {};
  if (error.code == Errc::loading) return pause(Pause::loading);
  ++errors_[error.code];
  if (failed_ != error.code)
    log::warn("the key sampler cannot go on and will try again",
              {{"server", connection_.uri().redacted()}, {"reason", word(error.code)}, {"error", error.message}});
  failed_ = error.code;
  return Clock::now() + options_.pause;
}

Sampling::Wake Sampling::pause(Pause reason) {
  check_at_ = {};
  if (paused_ != reason) ++pauses_[static_cast<std::size_t>(reason)];
  paused_ = reason;
  return Clock::now() + options_.pause;
}

SamplerStatus Sampling::status() const {
  const auto now = Clock::now();
  SamplerStatus status;
  status.busy_seconds = seconds(budget_.busy());
  status.duty_ratio = budget_.duty_ratio(now);
  if (cycle_duration_) status.cycle_seconds = seconds(*cycle_duration_);
  if (cycle_ended_) status.cycle_age_seconds = seconds(now - *cycle_ended_);
  status.pauses = pauses_;
  status.errors = errors_;
  return status;
}

class KeySampler final : public Collector {
 public:
  KeySampler(SamplerOptions options, SamplerTarget target)
      : sampling_(std::make_shared<Sampling>(std::move(options), std::move(target))) {}
  ~KeySampler() override { sampling_->stop(); }
  KeySampler(const KeySampler&) = delete;
  KeySampler& operator=(const KeySampler&) = delete;

  [[nodiscard]] std::string_view name() const noexcept override { return "sampler"; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override { return sampler_specs(); }
  [[nodiscard]] std::vector<std::string> rights() const override {
    return {"%R~*",   "+scan", "+type", "+pttl", "+memory|usage", "+llen", "+hlen",     "+scard",
            "+zcard", "+xlen", "+info", "+ping", "+select",       "+time", "+readonly", "+client|no-touch"};
  }
  void ask(const Round& round, Batch&) override { Sampling::learn(sampling_, round); }
  [[nodiscard]] Result<Done> read(std::vector<Reply>, const Round&) override { return Done{}; }
  void add(const Page& page) override {
    const auto& options = sampling_->options();
    if (!options.is_enabled) return;
    add_sampler(sampling_->cycle(), sampling_->status(), options.big_key_names ? KeyNames::shown : KeyNames::hashed,
                page.builder);
  }
  void forget() override { sampling_->forget(); }

 private:
  std::shared_ptr<Sampling> sampling_;
};

}  // namespace

std::unique_ptr<Collector> make_sampler(SamplerOptions options, SamplerTarget target) {
  return std::make_unique<KeySampler>(std::move(options), std::move(target));
}

}  // namespace midst::sources::redis_info
