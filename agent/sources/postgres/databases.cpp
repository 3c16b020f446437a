#include "agent/sources/postgres/databases.hpp"

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace midst::sources {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using Clock = std::chrono::steady_clock;

constexpr MetricSpec database_up{"midst_pg_database_up", MetricType::gauge, "",
                                 "Whether the last visit to a database besides the connected one succeeded.",
                                 "datname"};
constexpr MetricSpec database_age{"midst_pg_database_age_seconds", MetricType::gauge, "seconds",
                                  "Time since the last successful visit to the database.", "datname"};
constexpr MetricSpec database_errors{"midst_pg_database_errors_total", MetricType::counter, "",
                                     "Visits to databases that failed, by reason.", "reason"};
constexpr MetricSpec connections{"midst_pg_database_connections", MetricType::gauge, "",
                                 "Connections held to databases besides the connected one."};
constexpr MetricSpec connections_limit{"midst_pg_database_connections_limit", MetricType::gauge, "",
                                       "The most connections that may be held to databases besides the connected one."};
constexpr MetricSpec left_out{"midst_pg_databases_left_out", MetricType::gauge, "",
                              "Databases that are chosen but are more than max_databases."};
constexpr MetricSpec own_specs[] = {database_up, database_age,      database_errors,
                                    connections, connections_limit, left_out};

bool matches_any(std::string_view name, std::span<const std::string> globs) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return text::matches_glob(glob, name); });
}

std::vector<std::string> matching(std::vector<std::string> names, std::string_view connected,
                                  const DatabaseChoice& choice) {
  std::erase_if(names, [&](const std::string& name) {
    return name == connected || !matches_any(name, choice.include) || matches_any(name, choice.exclude);
  });
  std::sort(names.begin(), names.end());
  return names;
}

/// What is kept of one database.
struct Database {
  std::string name;
  bool is_connected_one = false;  ///< The target's own: only what is to be asked alone is asked here.
  std::optional<Conversation> regular, alone;
  std::optional<Deadline> began_at, succeeded_at;
  std::optional<Error> last_error;
};

/// One of the few connections.
struct Slot {
  std::unique_ptr<pq::Connection> connection;
  std::string database;  ///< Whose it is while it is held.
  Deadline turn_ends{};
  bool is_busy = false;
};

}  // namespace

struct Databases::State {
  State(asio::any_io_executor on, const PostgresOptions& of)
      : executor(std::move(on)), options(of), slots(of.databases.max_connections), ended(executor) {}

  [[nodiscard]] Database* find(std::string_view name) {
    const auto found = databases.find(name);
    return found == databases.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] bool is_held(std::string_view name) const {
    return std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.database == name; });
  }
  [[nodiscard]] std::unique_ptr<pq::Connection> connect_to(const std::string& name) const;
  [[nodiscard]] Database* next_in_line(Deadline now);

  asio::any_io_executor executor;
  const PostgresOptions options;
  pq::ConnectionOptions connection_options;
  std::vector<const Collector*> regular, alone;
  std::chrono::nanoseconds turn{0};  ///< How long a database keeps a connection that others wait for.
  std::map<std::string, std::shared_ptr<Database>, std::less<>> databases;
  std::vector<Slot> slots;
  std::map<Errc, std::uint64_t> errors;
  std::size_t over_limit = 0;
  std::size_t under_way = 0;
  asio::steady_timer ended;  ///< Cancelled when the last visit has ended.
};

std::unique_ptr<pq::Connection> Databases::State::connect_to(const std::string& name) const {
  auto conninfo = options.conninfo;
  conninfo.set("dbname", name);
  return std::make_unique<pq::Connection>(executor, std::move(conninfo), connection_options, options.password);
}

/// Whoever has waited longest for a connection; who has one already does not wait.
Database* Databases::State::next_in_line(Deadline now) {
  Database* chosen = nullptr;
  for (auto& [name, database] : databases) {
    if (is_held(name)) continue;
    const bool is_due =
        (database->regular && database->regular->is_due(now)) || (database->alone && database->alone->is_due(now));
    if (!is_due) continue;
    if (chosen == nullptr || database->began_at < chosen->began_at) chosen = database.get();
  }
  return chosen;
}

namespace {

/// One visit: whatever is due of one database. Holds what it needs, so that a database may be forgotten meanwhile.
template <class State>
asio::awaitable<void> visit(std::shared_ptr<State> state, std::shared_ptr<Database> database, std::size_t index,
                            Deadline deadline) {
  std::optional<Error> failure;
  const auto now = Clock::now();
  database->began_at = now;
  if (database->regular && database->regular->is_due(now)) {
    auto asking = database->regular->ask(*state->slots[index].connection, deadline);
    const auto done = co_await std::move(asking);
    if (!done) failure = done.error();
  }
  if (!failure && database->alone && database->alone->is_due(now)) {
    const auto own = state->connect_to(database->name);
    // The connection in hand makes room first, so that there is never one more than the slots.
    state->slots[index].connection->close();
    auto asking = database->alone->ask(*own, deadline);
    const auto done = co_await std::move(asking);
    if (!done) failure = done.error();
  }
  const auto end = Clock::now();
  if (failure) {
    ++state->errors[failure->code];
    if (!database->last_error || database->last_error->code != failure->code)
      log::warn("postgres database cannot be visited", {{"target", state->options.name},
                                                        {"database", database->name},
                                                        {"reason", word(failure->code)},
                                                        {"error", failure->message}});
    if (database->regular) database->regular->fail(*failure, end);
    if (database->alone) database->alone->fail(*failure, end);
  } else {
    database->succeeded_at = end;
  }
  database->last_error = failure;
  state->slots[index].is_busy = false;
  if (--state->under_way == 0) state->ended.cancel();
}

}  // namespace

std::vector<std::string> chosen_databases(std::vector<std::string> names, std::string_view connected,
                                          const DatabaseChoice& choice) {
  auto chosen = matching(std::move(names), connected, choice);
  if (chosen.size() > choice.max_databases) chosen.resize(choice.max_databases);
  return chosen;
}

Databases::Databases(asio::any_io_executor executor, const PostgresOptions& options,
                     std::vector<const Collector*> regular, std::vector<const Collector*> alone)
    : state_(std::make_shared<State>(std::move(executor), options)) {
  state_->connection_options = connection_options(options);
  state_->regular = std::move(regular);
  state_->alone = std::move(alone);
  std::optional<std::chrono::nanoseconds> shortest;
  for (const auto* collector : state_->regular) {
    const std::chrono::nanoseconds ttl = schedule_of(*collector, options.pace).ttl;
    shortest = std::min(shortest.value_or(ttl), ttl);
  }
  state_->turn = shortest.value_or(std::chrono::nanoseconds(0));
}

Databases::~Databases() {
  for (auto& slot : state_->slots)
    if (slot.connection) slot.connection->close();
}

void Databases::set_names(std::vector<std::string> names, std::string_view connected) {
  auto& state = *state_;
  std::erase_if(names, [](const std::string& name) { return name.empty(); });
  const auto all = matching(names, connected, state.options.databases);
  auto chosen = chosen_databases(std::move(names), connected, state.options.databases);
  state.over_limit = all.size() - chosen.size();
  if (state.regular.empty()) chosen.clear();
  if (!state.alone.empty()) chosen.emplace_back(connected);
  std::erase_if(state.databases, [&](const auto& known) {
    return std::find(chosen.begin(), chosen.end(), known.first) == chosen.end();
  });
  for (const auto& name : chosen) {
    if (state.databases.contains(name)) continue;
    auto database = std::make_shared<Database>();
    database->name = name;
    database->is_connected_one = name == connected;
    if (!database->is_connected_one && !state.regular.empty()) database->regular.emplace(state.regular, state.options);
    if (!state.alone.empty()) database->alone.emplace(state.alone, state.options);
    state.databases.emplace(name, std::move(database));
  }
}

void Databases::begin_visits(Deadline deadline) {
  auto& state = *state_;
  const auto now = Clock::now();
  for (std::size_t i = 0; i < state.slots.size(); ++i) {
    auto& slot = state.slots[i];
    if (slot.is_busy) continue;
    auto* holder = slot.database.empty() ? nullptr : state.find(slot.database);
    if (holder == nullptr && slot.connection) {
      slot.connection.reset();
      slot.database.clear();
    }
    if (holder == nullptr || now >= slot.turn_ends)
      if (auto* next = state.next_in_line(now)) {
        holder = next;
        slot.connection = state.connect_to(next->name);
        slot.database = next->name;
        slot.turn_ends = now + state.turn;
      }
    if (holder == nullptr) continue;
    const bool is_due =
        (holder->regular && holder->regular->is_due(now)) || (holder->alone && holder->alone->is_due(now));
    if (!is_due) continue;
    slot.is_busy = true;
    ++state.under_way;
    asio::co_spawn(state.executor, visit(state_, state.databases.find(holder->name)->second, i, deadline),
                   asio::detached);
  }
}

asio::awaitable<void> Databases::finish_visits(Deadline deadline) {
  const auto state = state_;
  if (state->under_way == 0) co_return;
  state->ended.expires_at(deadline);
  auto waiting = state->ended.async_wait(asio::as_tuple(asio::use_awaitable));
  std::ignore = co_await std::move(waiting);
}

void Databases::add(const metrics::Label& server, metrics::SnapshotBuilder& builder, Deadline now) const {
  const auto& state = *state_;
  std::size_t held = 0;
  for (const auto& slot : state.slots) held += slot.connection && slot.connection->is_connected() ? 1 : 0;
  builder.add(connections, static_cast<double>(held));
  builder.add(connections_limit, static_cast<double>(state.slots.size()));
  builder.add(left_out, static_cast<double>(state.over_limit));
  for (const auto& [code, count] : state.errors)
    builder.add(database_errors, {{"reason", word(code)}}, static_cast<double>(count));
  for (const auto& [name, database] : state.databases) {
    if (database->regular) database->regular->add(server, builder);
    if (database->alone) database->alone->add(server, builder);
    if (database->is_connected_one || !database->began_at) continue;
    const auto labels = builder.labels({{"datname", name}});
    builder.family(database_up).add(labels, database->succeeded_at && !database->last_error ? 1 : 0);
    if (database->succeeded_at)
      builder.family(database_age).add(labels, std::chrono::duration<double>(now - *database->succeeded_at).count());
  }
}

std::span<const MetricSpec> Databases::specs() noexcept {
  return own_specs;
}

std::vector<std::pair<std::string_view, const Conversation*>> Databases::conversations() const {
  std::vector<std::pair<std::string_view, const Conversation*>> all;
  for (const auto& [name, database] : state_->databases) {
    if (database->regular) all.emplace_back(name, &*database->regular);
    if (database->alone) all.emplace_back(name, &*database->alone);
  }
  return all;
}

}  // namespace midst::sources
