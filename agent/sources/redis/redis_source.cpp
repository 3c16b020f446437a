#include "agent/sources/redis/redis_source.hpp"

#include "agent/sources/redis/collectors.hpp"
#include "agent/sources/redis/families.hpp"
#include "agent/sources/redis/info/info.hpp"
#include "agent/sources/redis/info/vitals.hpp"
#include "agent/sources/redis/own_metrics.hpp"
#include "agent/sources/redis/refusals.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "lib/base/log.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace midst::sources {
namespace {

using namespace redis_info;  // the pure half of this folder
using Clock = std::chrono::steady_clock;
using metrics::SnapshotBuilder;
using redis::Command;
using redis::Reply;

/// How many writes a scrape may take: what needs more goes on in the next one.
constexpr int max_rounds = 100'000;

/// Since Redis 7.0 INFO takes several sections, and only then some of them can be had at all.
Command info_command(const ServerFacts& facts) {
  if (facts.is_sentinel || facts.version < 70000) return {"INFO", "ALL"};
  return {"INFO", "server",       "clients",      "memory",     "persistence", "threads",  "stats",   "replication",
          "cpu",  "commandstats", "latencystats", "errorstats", "cluster",     "keyspace", "keysizes"};
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// One collector's part of a scrape.
struct Part {
  Collector* collector;
  int rounds = 0;  ///< In which it has asked.
  std::optional<Result<Done>> outcome;
};

/// What one collector waits for in one round.
struct Waiting {
  Part* part;
  std::vector<Reply> replies;       ///< Refused commands have theirs already.
  std::vector<std::size_t> places;  ///< Where the replies of the commands that were sent go, in order.
};

/// The commands of one write and whose they are.
struct Plan {
  std::vector<Command> commands;
  std::vector<Waiting> waiting;
};

}  // namespace

class RedisSource::Impl {
 public:
  Impl(asio::any_io_executor executor, RedisOptions options)
      : id{"redis", options.name},
        options_(std::move(options)),
        connection_(executor, options_.uri, options_.connection, options_.login),
        refusals_(options_.retry_refused_after),
        collectors_(make_collectors(executor, options_)),
        own_(options_.request_errors) {
    if (!options_.follow.sentinels.empty())
      finder_ = std::make_unique<MasterFinder>(std::move(executor), options_.follow);
    for (const auto& collector : collectors_)
      if (auto* settings = dynamic_cast<SettingsCollector*>(collector.get())) settings_ = settings;
  }

  /// `self` keeps the Impl alive until the coroutine has ended, also when the RedisSource goes first.
  static asio::awaitable<Result<metrics::Snapshot>> run(std::shared_ptr<Impl> self, Deadline deadline);
  [[nodiscard]] metrics::Snapshot down(const Error& error) const;
  [[nodiscard]] scrape::Whereabouts whereabouts() const {
    return {connection_.uri().redacted(), connection_.retry_in()};
  }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const;

  const scrape::SourceId id;

 private:
  /// What a scrape has gathered.
  struct Gathered {
    std::string info;
    std::optional<Error> broke_off;  ///< Why the conversation ended early, when it did.
  };

  asio::awaitable<Result<metrics::Snapshot>> attempt(Deadline deadline);
  asio::awaitable<Result<Done>> find_master(Deadline deadline);
  asio::awaitable<Result<Done>> prepare(Deadline deadline);
  asio::awaitable<Result<Gathered>> gather(Deadline deadline, std::vector<Part>& parts);
  asio::awaitable<redis::PartialReplies> send(std::vector<Command> commands, Deadline deadline);
  [[nodiscard]] Plan plan(std::vector<Part>& parts, Deadline deadline);
  void hand_out(Plan plan, redis::PartialReplies partial, Deadline deadline);
  [[nodiscard]] Result<Done> take_info(Reply reply, Gathered& gathered);
  void learn(ServerFacts facts);
  [[nodiscard]] Round round_of(const Part& part, Deadline deadline) const;
  [[nodiscard]] Result<metrics::Snapshot> build(const Gathered& gathered, const std::vector<Part>& parts);
  void shape(SnapshotBuilder& builder) const;
  [[nodiscard]] metrics::OwnedLabels constant_labels() const;
  [[nodiscard]] InfoOptions info_options() const;

  const RedisOptions options_;
  redis::Connection connection_;
  Refusals refusals_;
  std::vector<std::unique_ptr<Collector>> collectors_;
  const SettingsCollector* settings_ = nullptr;  ///< One of them, when it is enabled.
  std::unique_ptr<MasterFinder> finder_;         ///< Where Sentinels say who the master is.
  bool was_replica_ = false;                     ///< What they named last turned out to be none.
  std::optional<ServerFacts> facts_;
  std::optional<Clock::time_point> connected_at_;
  std::uint64_t seen_connection_ = 0;
  OwnMetrics own_;
};

asio::awaitable<Result<metrics::Snapshot>> RedisSource::Impl::run(std::shared_ptr<Impl> self, Deadline deadline) {
  self->own_.begin(Clock::now());
  auto work = self->attempt(deadline);
  auto snapshot = co_await no_throw(std::move(work));
  if (!snapshot) self->own_.end(Clock::now());
  co_return snapshot;
}

asio::awaitable<Result<metrics::Snapshot>> RedisSource::Impl::attempt(Deadline deadline) {
  auto preparing = prepare(deadline);
  if (const auto prepared = co_await std::move(preparing); !prepared) co_return prepared.error();
  std::vector<Part> parts;
  for (const auto& collector : collectors_) parts.push_back({collector.get(), 0, std::nullopt});
  auto gathering = gather(deadline, parts);
  const auto gathered = co_await std::move(gathering);
  if (!gathered) co_return gathered.error();
  co_return build(*gathered, parts);
}

asio::awaitable<Result<Done>> RedisSource::Impl::find_master(Deadline deadline) {
  if (!finder_ || (connection_.is_connected() && !was_replica_)) co_return Done{};
  auto finding = finder_->find_master(deadline);
  const auto found = co_await std::move(finding);
  if (!found) co_return found.error().with_context("Sentinels");
  connection_.move_to(found->host, found->port);
  was_replica_ = false;
  co_return Done{};
}

asio::awaitable<Result<Done>> RedisSource::Impl::prepare(Deadline deadline) {
  auto finding = find_master(deadline);
  if (const auto found = co_await std::move(finding); !found) co_return found.error();
  const bool is_old = connected_at_ && Clock::now() - *connected_at_ >= options_.probe_interval;
  if (options_.probe_interval.count() > 0 && is_old) connection_.close();
  if (options_.has_ping) {
    const auto begin = Clock::now();
    std::vector<Command> ping{{"PING"}};
    auto sending = send(std::move(ping), deadline);
    const auto pong = co_await std::move(sending);
    if (pong.error) co_return *pong.error;
    own_.set_ping(Clock::now() - begin);
  }
  if (facts_) co_return Done{};
  // What a server is decides which commands it knows; asking the wrong ones would count as errors on it.
  std::vector<Command> hello{{"INFO", "server"}};
  auto sending = send(std::move(hello), deadline);
  const auto reply = co_await std::move(sending);
  if (reply.error) co_return *reply.error;
  const auto text = reply.replies.front().as_text();
  if (!text) co_return text.error().with_context("INFO");
  learn(peek_facts(*text, {}, unix_now()));
  co_return Done{};
}

asio::awaitable<redis::PartialReplies> RedisSource::Impl::send(std::vector<Command> commands, Deadline deadline) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command_name(command));
  const auto sent_before = connection_.traffic().sent_bytes;
  auto exchange = connection_.exchange(std::move(commands), deadline);
  auto replies = co_await std::move(exchange);
  const bool was_sent = connection_.traffic().sent_bytes > sent_before;  // not to a server that is not there
  for (const auto& name : names)
    if (was_sent) own_.count_command(name);
  if (std::exchange(seen_connection_, connection_.connect_count()) != connection_.connect_count())
    connected_at_ = Clock::now();
  co_return replies;
}

asio::awaitable<Result<RedisSource::Impl::Gathered>> RedisSource::Impl::gather(Deadline deadline,
                                                                               std::vector<Part>& parts) {
  // A page of what has come is worth more than a timeout: some time is kept back to build it.
  const auto now = Clock::now();
  const Deadline asking_until =
      deadline - std::min<Clock::duration>((deadline - now) / 10, std::chrono::milliseconds(100));
  Gathered gathered;
  for (int round = 0; round < max_rounds && Clock::now() < asking_until; ++round) {
    auto planned = plan(parts, asking_until);
    auto commands = planned.commands;
    if (round == 0) commands.insert(commands.begin(), info_command(*facts_));
    if (commands.empty()) {
      hand_out(std::move(planned), {}, asking_until);  // all that was asked for is refused: who asked must hear of it
      break;
    }
    auto sending = send(std::move(commands), asking_until);
    auto partial = co_await std::move(sending);
    if (round == 0) {
      if (partial.replies.empty()) co_return partial.error.value_or(Error{Errc::protocol, "no reply to INFO"});
      if (const auto taken = take_info(std::move(partial.replies.front()), gathered); !taken) co_return taken.error();
      partial.replies.erase(partial.replies.begin());
    }
    gathered.broke_off = partial.error;
    hand_out(std::move(planned), std::move(partial), asking_until);
    if (gathered.broke_off) break;
  }
  co_return gathered;
}

Plan RedisSource::Impl::plan(std::vector<Part>& parts, Deadline deadline) {
  Plan plan;
  for (auto& part : parts) {
    Batch batch;
    part.collector->ask(round_of(part, deadline), batch);
    if (batch.size() == 0) continue;
    Waiting waiting{&part, std::vector<Reply>(batch.size()), {}};
    auto commands = batch.take();
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if (const auto* refusal = refusals_.find(commands[i], Clock::now())) {
        waiting.replies[i] = *refusal;
        continue;
      }
      waiting.places.push_back(i);
      plan.commands.push_back(std::move(commands[i]));
    }
    plan.waiting.push_back(std::move(waiting));
  }
  return plan;
}

void RedisSource::Impl::hand_out(Plan plan, redis::PartialReplies partial, Deadline deadline) {
  const auto now = Clock::now();
  for (std::size_t i = 0; i < partial.replies.size(); ++i)
    if (refusals_.note(plan.commands[i], partial.replies[i], now))
      log::warn("the server refuses a command; what needs it is missing on the page",
                {{"target", "redis." + id.target},
                 {"command", command_name(plan.commands[i])},
                 {"error", partial.replies[i].text}});
  const bool is_oversized = partial.error && partial.error->code == Errc::limit;
  if (is_oversized && partial.replies.size() < plan.commands.size())
    refusals_.note_oversized(plan.commands[partial.replies.size()], now);
  std::size_t next = 0;
  for (auto& waiting : plan.waiting) {
    auto& part = *waiting.part;
    const bool is_complete = next + waiting.places.size() <= partial.replies.size();
    for (const auto place : waiting.places)
      if (next < partial.replies.size()) waiting.replies[place] = std::move(partial.replies[next++]);
    if (is_complete) {
      auto outcome = part.collector->read(std::move(waiting.replies), round_of(part, deadline));
      if (!part.outcome || *part.outcome) part.outcome = std::move(outcome);
    } else {
      part.outcome = *partial.error;
    }
    ++part.rounds;
  }
}

Round RedisSource::Impl::round_of(const Part& part, Deadline deadline) const {
  return {*facts_, part.rounds, connection_.connect_count(), Clock::now(), unix_now(), deadline, &connection_.uri()};
}

Result<Done> RedisSource::Impl::take_info(Reply reply, Gathered& gathered) {
  const auto text = reply.as_text();
  if (!text) {
    facts_.reset();  // another version may answer now, which does not know the sections we asked for
    return text.error().with_context("INFO");
  }
  learn(peek_facts(*text, *facts_, unix_now()));
  gathered.info = std::move(reply.text);
  if (finder_ && facts_->is_replica) {
    finder_->distrust_last();
    was_replica_ = true;
    return Error{Errc::server,
                 "the Sentinels lead to a replica: a failover is under way, or one of them has missed it"};
  }
  return Done{};
}

void RedisSource::Impl::learn(ServerFacts facts) {
  if (facts_ && facts_->run_id != facts.run_id) {
    refusals_.clear();
    for (const auto& collector : collectors_) collector->forget();
  }
  facts_ = std::move(facts);
}

InfoOptions RedisSource::Impl::info_options() const {
  InfoOptions info;
  info.start_seconds = facts_->start_seconds;
  info.has_zero_databases = options_.has_zero_databases && !facts_->is_sentinel;
  info.max_error_labels = options_.max_error_labels;
  info.max_labels = options_.max_labels;
  info.max_key_sizes = options_.max_key_sizes;
  info.extra_fields = options_.extra_fields;
  info.max_extra_fields = options_.max_extra_fields;
  if (const auto databases = settings_ != nullptr ? settings_->databases() : std::nullopt) info.databases = *databases;
  return info;
}

metrics::OwnedLabels RedisSource::Impl::constant_labels() const {
  auto labels = options_.constant_labels;
  if (options_.has_instance_role) labels.emplace_back("instance_role", facts_->is_replica ? "slave" : "master");
  return labels;
}

void RedisSource::Impl::shape(SnapshotBuilder& builder) const {
  metrics::Naming naming;
  if (options_.metric_namespace != "redis") {
    naming.prefix = "redis_";
    naming.replacement = options_.metric_namespace.empty() ? "" : options_.metric_namespace + "_";
  }
  if (options_.profile == RedisProfile::vitals) naming.keeps = &is_vital;
  builder.set_naming(std::move(naming));
}

Result<metrics::Snapshot> RedisSource::Impl::build(const Gathered& gathered, const std::vector<Part>& parts) {
  SnapshotBuilder builder(constant_labels());
  shape(builder);
  builder.add(family::up, 1);
  const auto facts = read_info(gathered.info, info_options(), builder);
  if (!facts) return facts.error();
  own_.charge(facts->commands);
  const Page page{*facts_, facts->commands, unix_now(), builder};
  for (const auto& part : parts) {
    part.collector->add(page);
    if (part.outcome) own_.note(part.collector->name(), *part.outcome);
  }
  own_.end(Clock::now());
  own_.add_success(builder);
  own_.add(gathered.broke_off ? word(gathered.broke_off->code) : std::string_view(), connection_, builder);
  return builder.freeze();
}

metrics::Snapshot RedisSource::Impl::down(const Error& error) const {
  SnapshotBuilder builder(options_.constant_labels);
  shape(builder);
  builder.add(family::up, 0);
  own_.add(word(error.code), connection_, builder);
  return builder.freeze();
}

std::vector<metrics::MetricSpec> RedisSource::Impl::specs() const {
  std::vector<metrics::MetricSpec> specs{family::up};
  for (const auto& row : catalog()) specs.push_back(row.spec);
  for (const auto& spec : info_specs()) specs.push_back(spec);
  for (const auto* spec : family::all)
    if (spec != &family::up) specs.push_back(*spec);
  for (const auto& collector : collectors_)
    for (const auto& spec : collector->specs()) specs.push_back(spec);
  return specs;
}

RedisSource::RedisSource(asio::any_io_executor executor, RedisOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {
}

RedisSource::~RedisSource() = default;

scrape::Whereabouts RedisSource::whereabouts() const {
  return impl_->whereabouts();
}

const scrape::SourceId& RedisSource::id() const noexcept {
  return impl_->id;
}

std::vector<metrics::MetricSpec> RedisSource::specs() const {
  return impl_->specs();
}

asio::awaitable<Result<metrics::Snapshot>> RedisSource::collect(Deadline deadline) {
  return Impl::run(impl_, deadline);
}

metrics::Snapshot RedisSource::down(const Error& error) const {
  return impl_->down(error);
}

}  // namespace midst::sources
