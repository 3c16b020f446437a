// What the source tells about itself: redis_exporter_* families.
#pragma once

#include "agent/sources/redis/info/info.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/redis/connection.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace midst::sources::redis_info {

/// Counts over the life of one source.
class OwnMetrics {
 public:
  /// @param counter  refused requests for one-off scrapes; may be null.
  explicit OwnMetrics(std::shared_ptr<const std::uint64_t> counter) : request_errors_(std::move(counter)) {}

  /// A scrape begins, and ends; only the first end() after a begin() counts.
  void begin(std::chrono::steady_clock::time_point now) noexcept;
  void end(std::chrono::steady_clock::time_point now) noexcept;

  /// A command goes out. @param name  as ACL rules write it: "config|get".
  void count_command(const std::string& name) {
    ++commands_[name];
    ++unpaid_[name];
  }
  /// Estimates what the commands counted since the last call have cost the server, by its own mean for each of them.
  void charge(const Commands& commands);
  /// How a collector fared in this scrape; one that asked nothing keeps its last outcome.
  void note(std::string_view collector, const Result<Done>& outcome) { success_[collector] = outcome.has_value(); }
  void set_ping(std::chrono::nanoseconds duration) noexcept { ping_ = duration; }

  /// redis_exporter_collector_success; only meant for a server that is up.
  void add_success(metrics::SnapshotBuilder& builder) const;
  /// Everything else. @param error  a bounded word, empty when all went well.
  void add(std::string_view error, const redis::Connection& connection, metrics::SnapshotBuilder& builder) const;

 private:
  std::shared_ptr<const std::uint64_t> request_errors_;
  std::uint64_t begun_ = 0, ended_ = 0;
  std::chrono::steady_clock::time_point began_at_;
  double duration_sum_ = 0, last_duration_ = 0;
  std::optional<std::chrono::nanoseconds> ping_;
  std::map<std::string, std::uint64_t> commands_, unpaid_;
  double server_seconds_ = 0;
  std::map<std::string_view, bool> success_;
};

}  // namespace midst::sources::redis_info
