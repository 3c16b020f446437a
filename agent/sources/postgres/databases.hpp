// The databases of a server besides the connected one: which of them are shown, and who has the turn on one of the few
// connections that there are for them.
#pragma once

#include "agent/sources/postgres/conversation.hpp"
#include "agent/sources/postgres/postgres_options.hpp"
#include "lib/metrics/snapshot.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

/// @return those of `names` that are chosen, sorted, at most max_databases; without the connected one.
[[nodiscard]] std::vector<std::string> chosen_databases(std::vector<std::string> names, std::string_view connected,
                                                        const DatabaseChoice& choice);

/// Visits go on beside the scrape that begins them, but not past its deadline. Loop thread only.
class Databases {
 public:
  /// @param regular  database-wide collectors, asked over a held connection; @param alone  those that want one of their
  /// own, also for the connected database.
  Databases(asio::any_io_executor executor, const PostgresOptions& options, std::vector<const Collector*> regular,
            std::vector<const Collector*> alone);
  ~Databases();
  Databases(const Databases&) = delete;
  Databases& operator=(const Databases&) = delete;

  /// Takes the databases that the server has now; forgets those that are gone.
  void set_names(std::vector<std::string> names, std::string_view connected);

  /// Begins a visit on each connection that is free, to whoever waits longest.
  void begin_visits(Deadline deadline);
  /// Waits until the visits under way have ended, or until `deadline`.
  [[nodiscard]] asio::awaitable<void> finish_visits(Deadline deadline);

  /// Adds what the visits have brought, and how old it is.
  /// @param server  the label server="host:port", for the collectors that have it.
  void add(const metrics::Label& server, metrics::SnapshotBuilder& builder, Deadline now) const;
  /// @return the families of add() that are about the visits themselves.
  [[nodiscard]] static std::span<const metrics::MetricSpec> specs() noexcept;

  /// @return every Conversation, for what is told of all collectors together.
  [[nodiscard]] std::vector<std::pair<std::string_view, const Conversation*>> conversations() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< Shared with the visits on their way.
};

}  // namespace midst::sources
