// INFO's Replication section → samples: the replicas of a master, the masters of a replica, the role. Pure.
// Used by info.cpp, which hands it the fields that no row of the catalogue has.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// One slaveN line; what it does not say is empty.
struct Replica {
  std::string_view index;  ///< The N: "0".
  std::string_view ip, port, state;
  double offset = 0;
  std::optional<double> lag;
};
/// @param field  "slave0"; @param value "ip=…,port=…,state=online,offset=14,lag=0".
/// @return nothing when the field has no number or offset or lag is none.
[[nodiscard]] std::optional<Replica> parse_replica(std::string_view field, std::string_view value) noexcept;

/// Takes the lines of one INFO; the views must outlive it.
class ReplicationReader {
 public:
  /// @param max_replicas  lines of further replicas are counted only.
  ReplicationReader(std::size_t max_replicas, metrics::SnapshotBuilder& builder);

  /// @return whether the field is one of replication, readable or not.
  bool read(std::string_view field, std::string_view value);
  /// Adds what needs the whole section. @param role  "master", "slave", or empty when the server hides it.
  void finish(std::string_view role, std::string_view read_only, std::optional<double> master_offset);

  /// @return replicas above the limit.
  [[nodiscard]] std::size_t folded() const noexcept { return folded_; }

 private:
  bool read_master(std::string_view field, std::string_view value);
  void add_of_master(const metrics::MetricSpec& spec, double value);
  void add_failover(std::string_view state);
  void add_replicas(std::optional<double> master_offset);
  void add_role(std::string_view role);

  std::size_t max_replicas_;
  metrics::SnapshotBuilder& builder_;
  std::string_view master_host_, master_port_;
  std::vector<Replica> replicas_;
  std::size_t folded_ = 0;
};

/// @return the families of this part that families.hpp does not have.
[[nodiscard]] std::span<const metrics::MetricSpec> replication_specs() noexcept;

}  // namespace midst::sources::redis_info
