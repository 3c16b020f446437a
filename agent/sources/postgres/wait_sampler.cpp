#include "agent/sources/postgres/wait_sampler.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "agent/sources/postgres/top/wait_samples.hpp"
#include "lib/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <tuple>

namespace midst::sources {
namespace {

using Clock = std::chrono::steady_clock;

/// A scrape waits for a look that is under way: not for long, whatever the server does.
constexpr std::chrono::milliseconds look_deadline{2500};

}  // namespace

struct WaitSampler::State {
  State(asio::any_io_executor on, std::shared_ptr<pq::Connection> over, std::string name,
        std::chrono::milliseconds each, const Limits& limits)
      : executor(std::move(on)),
        connection(std::move(over)),
        target(std::move(name)),
        interval(each),
        samples(limits),
        tick(executor),
        looked(executor) {}

  asio::any_io_executor executor;
  std::shared_ptr<pq::Connection> connection;
  std::string target;
  std::chrono::milliseconds interval;
  WaitSamples samples;
  asio::steady_timer tick;
  asio::steady_timer looked;  ///< Cancelled when a look has ended.
  std::optional<PlannedQuery> statement;
  bool is_running = false, is_stopped = false, is_held = false, is_looking = false, has_failed = false;
};

namespace {

/// @return whether the look brought anything.
template <class State>
asio::awaitable<bool> look(std::shared_ptr<State> state) {
  pq::Statement statement;
  statement.sql = state->statement->sql;
  statement.prepared_name = state->statement->prepared_name;
  std::vector<pq::Statement> statements{std::move(statement)};
  auto asking = state->connection->pipeline(std::move(statements), Clock::now() + look_deadline);
  const auto answered = co_await std::move(asking);
  const auto error = answered ? answered->front().error() : std::optional(answered.error());
  if (error) {
    if (!state->has_failed)
      log::warn("postgres wait sampler failed", {{"target", state->target}, {"error", error->message}});
    state->has_failed = true;
    co_return false;
  }
  if (state->has_failed) log::info("postgres wait sampler recovered", {{"target", state->target}});
  state->has_failed = false;
  std::ignore = state->samples.take(view_of(answered->front()), Clock::now());
  co_return true;
}

template <class State>
asio::awaitable<void> look_again_and_again(std::shared_ptr<State> state) {
  auto next = Clock::now();
  while (!state->is_stopped) {
    // A loop that was held up does not make up for what it missed by looking several times at once.
    for (next += state->interval; next <= Clock::now(); next += state->interval) state->samples.missed();
    state->tick.expires_at(next);
    auto waiting = state->tick.async_wait(asio::as_tuple(asio::use_awaitable));
    std::ignore = co_await std::move(waiting);
    if (state->is_stopped) co_return;
    if (state->is_held || !state->statement || !state->connection->is_connected()) {
      state->samples.missed();
      continue;
    }
    state->is_looking = true;
    const bool has_seen = co_await look(state);
    state->is_looking = false;
    state->looked.cancel();
    if (!has_seen) state->samples.missed();
  }
}

}  // namespace

WaitSampler::WaitSampler(asio::any_io_executor executor, std::shared_ptr<pq::Connection> connection, std::string target,
                         std::chrono::milliseconds interval, const Limits& limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(connection), std::move(target), interval, limits)) {
}

WaitSampler::~WaitSampler() {
  state_->is_stopped = true;
  state_->tick.cancel();
}

void WaitSampler::begin(const ServerFacts& facts, bool is_pooled) {
  auto& state = *state_;
  if (state.interval.count() == 0) return;
  auto planned = plan(wait_samples_collector, facts);
  state.statement.reset();
  if (planned && !planned->empty()) state.statement = std::move(planned->front());
  if (state.statement && is_pooled) state.statement->prepared_name.clear();
  if (state.is_running) return;
  state.is_running = true;
  asio::co_spawn(state.executor, look_again_and_again(state_), asio::detached);
}

asio::awaitable<void> WaitSampler::hold() {
  const auto state = state_;
  state->is_held = true;
  while (state->is_looking) {
    state->looked.expires_at(Deadline::max());
    auto waiting = state->looked.async_wait(asio::as_tuple(asio::use_awaitable));
    std::ignore = co_await std::move(waiting);
  }
}

void WaitSampler::release() noexcept {
  state_->is_held = false;
}

void WaitSampler::add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const {
  if (state_->is_running) state_->samples.add(extra, builder);
}

}  // namespace midst::sources
