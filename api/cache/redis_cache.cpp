#include "api/cache/redis_cache.hpp"

#include "api/cache/policy.hpp"
#include "lib/base/log.hpp"
#include "lib/redis/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <set>
#include <utility>

namespace midst::api {
namespace {

constexpr std::string_view cache_type = "redis";
/// Keys looked at per SCAN step: about 0.1 ms of the server's time.
constexpr std::string_view scan_count = "1000";

std::chrono::steady_clock::time_point steady_now() {
  return std::chrono::steady_clock::now();
}

/// A command on its way; whoever wants the reply waits on `done`.
struct Pending {
  Pending(asio::any_io_executor executor, redis::Command command_words, std::string_view operation_word)
      : command(std::move(command_words)),
        operation(operation_word),
        done(std::move(executor), asio::steady_timer::time_point::max()) {}

  redis::Command command;
  std::string_view operation;
  std::chrono::steady_clock::time_point queued = steady_now();
  asio::steady_timer done;
  std::optional<redis::Reply> reply;  // Stays empty when Redis went away.
};

redis::Command scan_command(const std::string& cursor, const std::string& prefix) {
  return {"SCAN", cursor, "MATCH", glob_of_prefix(prefix), "COUNT", std::string(scan_count)};
}

/// What one SCAN step found.
struct Page {
  std::string cursor;
  redis::Command unlink;  // "UNLINK" and the keys; alone when there are none.
};

Result<Page> read_page(const redis::Reply& reply) {
  if (reply.is_error()) return reply.to_error();
  if (!reply.is_array() || reply.elements.size() != 2) return Error{Errc::protocol, "SCAN answered otherwise"};
  Page page{reply.elements[0].text, {"UNLINK"}};
  for (const auto& key : reply.elements[1].elements) page.unlink.push_back(key.text);
  return page;
}

void log_end(std::exception_ptr thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    log::error("the redis cache has stopped", {{"error", error.what()}});
  }
}

}  // namespace

std::string glob_of_prefix(std::string_view prefix) {
  std::string glob;
  for (const char c : prefix) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') glob += '\\';
    glob += c;
  }
  return glob + '*';
}

/// Shared with the coroutines, so that they outlive the cache for as long as they need to notice.
struct RedisCache::State : std::enable_shared_from_this<RedisCache::State> {
  State(asio::any_io_executor the_executor, redis::Uri uri, RedisCacheOptions the_options, CacheEvents the_events,
        SteadyClock clock, RandomUnit the_random)
      : executor(the_executor),
        options(the_options),
        events(std::move(the_events)),
        random(std::move(the_random)),
        connection(the_executor, std::move(uri), connection_options(the_options)),
        fallback(the_options.fallback, events, std::move(clock), random),
        wake(the_executor) {}

  static redis::ConnectionOptions connection_options(const RedisCacheOptions& options) {
    redis::ConnectionOptions connection;
    connection.client_name = "midst-api";
    connection.backoff_max = options.retry_interval * 4;
    return connection;
  }

  // A coroutine each; `self` keeps the state alive.
  static asio::awaitable<void> run(std::shared_ptr<State> self);
  static asio::awaitable<void> send_batch(std::shared_ptr<State> self);
  static asio::awaitable<void> come_back(std::shared_ptr<State> self);
  static asio::awaitable<Result<Done>> pay_debts(std::shared_ptr<State> self);
  static asio::awaitable<void> sweep(std::shared_ptr<State> self, Invalidation stale,
                                     std::shared_ptr<asio::steady_timer> done);
  static asio::awaitable<std::optional<redis::Reply>> submit(std::shared_ptr<State> self, redis::Command command,
                                                             std::string_view operation);

  std::shared_ptr<Pending> enqueue(redis::Command command, std::string_view operation);
  void finish(Pending& pending, std::optional<redis::Reply> reply, Errc reason);
  void go_up();
  void go_down(const Error& error);
  void owe(const Invalidation& stale);
  void failed(std::string_view reason) const;
  void warn_once(const redis::Reply& reply);

  asio::any_io_executor executor;
  RedisCacheOptions options;
  CacheEvents events;
  RandomUnit random;
  redis::Connection connection;
  MemoryCache fallback;
  asio::steady_timer wake;
  std::deque<std::shared_ptr<Pending>> queue;
  bool is_up = false, is_stopped = false, has_warned = false;
  std::string last_error = "not connected yet";
  std::set<Errc> warned_errors;  // Of single commands, since the last connect.
  // Invalidations that Redis has not heard of; `owes_all` stands for every key of the API.
  std::set<std::string> owed_keys, owed_prefixes;
  bool owes_all = false;
  std::uint64_t owe_count = 0;
};

RedisCache::RedisCache(asio::any_io_executor executor, redis::Uri uri, RedisCacheOptions options, CacheEvents events,
                       SteadyClock clock, RandomUnit random)
    : state_(std::make_shared<State>(executor, std::move(uri), options, std::move(events), std::move(clock),
                                     std::move(random))) {
  asio::co_spawn(executor, State::run(state_), log_end);
}

RedisCache::~RedisCache() {
  state_->is_stopped = true;
  state_->is_up = false;
  state_->wake.cancel();
  for (const auto& pending : state_->queue) pending->done.cancel();
  state_->queue.clear();
  state_->connection.close();
}

bool RedisCache::is_up() const noexcept {
  return state_->is_up;
}

asio::awaitable<std::optional<std::string>> RedisCache::get(std::string key) {
  const auto state = state_;
  if (!state->is_up) co_return state->fallback.find(key);
  redis::Command command{"GET", key};
  const auto reply = co_await State::submit(state, std::move(command), "get");
  if (!reply && !state->is_up) co_return state->fallback.find(key);
  if (reply && reply->type == redis::Reply::Type::string) {
    if (state->events.on_hit) state->events.on_hit(cache_type);
    co_return reply->text;
  }
  if (state->events.on_miss) state->events.on_miss(cache_type);
  co_return std::nullopt;
}

void RedisCache::put(std::string key, std::string value, std::chrono::seconds ttl) {
  if (!state_->is_up) return state_->fallback.put(std::move(key), std::move(value), ttl);
  if (value.size() > policy::max_value_bytes) return;
  const auto lifetime = policy::jittered(ttl, state_->random());
  redis::Command command{"SET", std::move(key), std::move(value), "PX", std::to_string(lifetime.count())};
  (void)state_->enqueue(std::move(command), "set");
}

asio::awaitable<void> RedisCache::invalidate(Invalidation stale) {
  const auto state = state_;
  state->fallback.remove(stale);
  if (!state->is_up) {
    state->owe(stale);
    co_return;
  }
  const auto done = std::make_shared<asio::steady_timer>(state->executor, state->options.invalidate_wait);
  asio::co_spawn(state->executor, State::sweep(state, std::move(stale), done), log_end);
  co_await done->async_wait(as_result);
}

asio::awaitable<Result<Done>> RedisCache::check() {
  const auto state = state_;
  if (!state->is_up) co_return Error{Errc::connect_refused, state->last_error};
  redis::Command command{"PING"};
  const auto reply = co_await State::submit(state, std::move(command), "ping");
  if (!reply) co_return Error{Errc::closed, state->last_error};
  if (reply->is_error()) co_return reply->to_error();
  co_return Done{};
}

/// The only user of the connection: sends what is queued, or works on coming back.
asio::awaitable<void> RedisCache::State::run(std::shared_ptr<State> self) {
  while (!self->is_stopped) {
    if (!self->is_up) {
      co_await come_back(self);
    } else if (self->queue.empty()) {
      self->wake.expires_at(asio::steady_timer::time_point::max());
      co_await self->wake.async_wait(as_result);
    } else {
      co_await send_batch(self);
    }
  }
}

asio::awaitable<void> RedisCache::State::send_batch(std::shared_ptr<State> self) {
  std::vector<std::shared_ptr<Pending>> batch;
  std::vector<redis::Command> commands;
  while (!self->queue.empty() && batch.size() < self->options.max_batch) {
    batch.push_back(std::move(self->queue.front()));
    self->queue.pop_front();
    commands.push_back(std::move(batch.back()->command));
  }
  auto replies = co_await self->connection.pipeline(std::move(commands), steady_now() + self->options.command_timeout);
  if (replies && replies->size() == batch.size()) {
    for (std::size_t i = 0; i < batch.size(); ++i) self->finish(*batch[i], std::move((*replies)[i]), Errc::server);
    co_return;
  }
  const Error error = replies ? Error{Errc::protocol, "replies are missing"} : replies.error();
  self->go_down(error);
  for (const auto& pending : batch) self->finish(*pending, std::nullopt, error.code);
}

/// One attempt to reach Redis; on failure it ends after the retry interval.
asio::awaitable<void> RedisCache::State::come_back(std::shared_ptr<State> self) {
  std::vector<redis::Command> commands{{"PING"}};
  const auto answer =
      co_await self->connection.pipeline(std::move(commands), steady_now() + self->options.command_timeout);
  if (self->is_stopped) co_return;
  Result<Done> outcome = Done{};
  if (!answer)
    outcome = answer.error();
  else if (answer->front().is_error())
    outcome = answer->front().to_error();
  else
    outcome = co_await pay_debts(self);
  if (self->is_stopped) co_return;
  if (outcome) co_return self->go_up();
  self->go_down(outcome.error());
  self->wake.expires_after(self->options.retry_interval);
  co_await self->wake.async_wait(as_result);
}

/// Removes what was invalidated while Redis was away.
/// @return Done when Redis now holds nothing stale of ours; a Redis that cannot forget is not used.
asio::awaitable<Result<Done>> RedisCache::State::pay_debts(std::shared_ptr<State> self) {
  const auto counted = self->owe_count;
  std::vector<std::string> prefixes(self->owed_prefixes.begin(), self->owed_prefixes.end());
  if (self->owes_all) prefixes = {std::string(policy::key_namespace)};
  std::vector<redis::Command> commands;
  for (const auto& key : self->owed_keys) commands.push_back({"UNLINK", key});
  for (const auto& prefix : prefixes) {
    std::string cursor = "0";
    do {
      commands.push_back(scan_command(cursor, prefix));
      const auto replies =
          co_await self->connection.pipeline(std::exchange(commands, {}), steady_now() + self->options.command_timeout);
      if (!replies) co_return replies.error();
      auto page = read_page(replies->back());
      if (!page) co_return page.error();
      cursor = page->cursor;
      if (page->unlink.size() > 1) commands.push_back(std::move(page->unlink));
    } while (cursor != "0");
  }
  if (!commands.empty()) {
    const auto replies =
        co_await self->connection.pipeline(std::move(commands), steady_now() + self->options.command_timeout);
    if (!replies) co_return replies.error();
    if (replies->back().is_error()) co_return replies->back().to_error();
  }
  // What was invalidated meanwhile costs one more turn.
  if (counted != self->owe_count) co_return Error{Errc::conflict, "more was invalidated meanwhile"};
  self->owed_keys.clear();
  self->owed_prefixes.clear();
  self->owes_all = false;
  co_return Done{};
}

/// Carries an invalidation out through the queue, so that it comes after every put() before it.
asio::awaitable<void> RedisCache::State::sweep(std::shared_ptr<State> self, Invalidation stale,
                                               std::shared_ptr<asio::steady_timer> done) {
  bool is_complete = true;
  for (const auto& key : stale.keys) {
    redis::Command command{"UNLINK", key};
    const auto reply = co_await submit(self, std::move(command), "unlink");
    is_complete = is_complete && reply && !reply->is_error();
  }
  for (const auto& prefix : stale.prefixes) {
    std::string cursor = "0";
    do {
      redis::Command scan = scan_command(cursor, prefix);
      const auto reply = co_await submit(self, std::move(scan), "scan");
      auto page = reply ? read_page(*reply) : Result<Page>(Error{Errc::closed, "not sent"});
      cursor = page ? page->cursor : "0";
      if (page && page->unlink.size() > 1) {
        const auto removed = co_await submit(self, std::move(page->unlink), "unlink");
        is_complete = is_complete && removed && !removed->is_error();
      }
      is_complete = is_complete && page;
    } while (cursor != "0");
  }
  if (!is_complete) {
    self->owe(stale);
    if (self->is_up) self->go_down({Errc::server, "an invalidation was refused"});
  }
  done->cancel();
}

asio::awaitable<std::optional<redis::Reply>> RedisCache::State::submit(std::shared_ptr<State> self,
                                                                       redis::Command command,
                                                                       std::string_view operation) {
  const auto pending = self->enqueue(std::move(command), operation);
  if (!pending) co_return std::nullopt;
  co_await pending->done.async_wait(as_result);
  co_return std::move(pending->reply);
}

/// @return nothing when Redis is away or the queue is full; the command is then not sent.
std::shared_ptr<Pending> RedisCache::State::enqueue(redis::Command command, std::string_view operation) {
  if (!is_up || is_stopped) return nullptr;
  if (queue.size() >= options.max_waiting) {
    failed("overflow");
    return nullptr;
  }
  queue.push_back(std::make_shared<Pending>(executor, std::move(command), operation));
  wake.cancel();
  return queue.back();
}

void RedisCache::State::finish(Pending& pending, std::optional<redis::Reply> reply, Errc reason) {
  if (events.on_redis_operation) events.on_redis_operation(pending.operation, steady_now() - pending.queued);
  if (!reply) failed(word(reason));
  if (reply && reply->is_error()) {
    failed(word(redis::classify(reply->text)));
    warn_once(*reply);
  }
  pending.reply = std::move(reply);
  pending.done.cancel();
}

void RedisCache::State::go_up() {
  is_up = true;
  has_warned = false;
  warned_errors.clear();
  // What stood in knows nothing of the writes of other instances.
  fallback.clear();
  log::info("cache uses redis", {{"addr", connection.uri().redacted()}});
}

void RedisCache::State::go_down(const Error& error) {
  is_up = false;
  last_error = describe(error);
  if (!has_warned && !is_stopped)
    log::warn("redis is away; caching in memory", {{"addr", connection.uri().redacted()}, {"error", describe(error)}});
  has_warned = true;
  // What waits was never sent; it is not an operation.
  for (const auto& pending : std::exchange(queue, {})) {
    failed(word(error.code));
    pending->done.cancel();
  }
  wake.cancel();
}

void RedisCache::State::owe(const Invalidation& stale) {
  ++owe_count;
  owed_keys.insert(stale.keys.begin(), stale.keys.end());
  owed_prefixes.insert(stale.prefixes.begin(), stale.prefixes.end());
  if (owed_keys.size() + owed_prefixes.size() <= options.max_owed) return;
  owes_all = true;
  owed_keys.clear();
  owed_prefixes.clear();
}

void RedisCache::State::failed(std::string_view reason) const {
  if (events.on_failure) events.on_failure(cache_type, reason);
}

/// A server that refuses single commands (no permission, read-only, out of memory) is said once per connect.
void RedisCache::State::warn_once(const redis::Reply& reply) {
  const auto error = reply.to_error();
  if (warned_errors.insert(error.code).second) log::warn("redis refused a cache command", {{"error", describe(error)}});
}

}  // namespace midst::api
