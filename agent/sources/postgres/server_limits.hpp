// How many connections the Postgres targets grant: said by PostgresSource after each scrape, compared with by
// PgbouncerSource. Shared by the sources of one agent, on the loop thread.
#pragma once

#include "lib/base/deadline.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace midst::sources {

/// The settings of one server that bound its connections.
struct ConnectionLimits {
  double max_connections = 0;     ///< Setting max_connections.
  double superuser_reserved = 0;  ///< Setting superuser_reserved_connections.
  double reserved = 0;            ///< Setting reserved_connections (16 and later).
  Deadline read_at{};             ///< When the server was last seen with them.

  /// @return what is left for everybody.
  [[nodiscard]] double available() const noexcept { return max_connections - superuser_reserved - reserved; }
};

/// By target name.
class ServerLimits {
 public:
  /// Older limits are not told: the server may be another by then.
  static constexpr std::chrono::minutes longest_age{5};

  void set(std::string_view target, ConnectionLimits limits) { limits_.insert_or_assign(std::string(target), limits); }
  /// The server did not answer.
  void forget(std::string_view target) {
    if (const auto found = limits_.find(target); found != limits_.end()) limits_.erase(found);
  }
  /// @return nothing for a target that is not known, did not answer or was seen too long ago.
  [[nodiscard]] std::optional<ConnectionLimits> find(std::string_view target, Deadline now) const {
    const auto found = limits_.find(target);
    if (found == limits_.end() || now - found->second.read_at > longest_age) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::string, ConnectionLimits, std::less<>> limits_;
};

}  // namespace midst::sources
