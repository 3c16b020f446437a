// CLUSTER NODES: one node's view of its whole cluster → samples, and the targets of a service discovery.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// One line of CLUSTER NODES.
struct ClusterNode {
  enum class Role : std::uint8_t { master, replica, unknown };

  std::string id;
  std::string host;           ///< An address; empty while the node does not know its own.
  std::string hostname;       ///< Announced by the node, or empty.
  std::string master_id;      ///< Of a replica.
  std::uint16_t port = 0;     ///< For clients; 0 with an address that is not known.
  Role role = Role::unknown;  ///< Unknown during the handshake.
  bool is_myself = false, is_failed = false, is_suspected = false, is_handshake = false, has_address = true;
  bool is_linked = false;            ///< Whether the asked node has a cluster link to it.
  std::optional<double> pong_unix;   ///< Unix seconds of its last pong by the asked node's clock; unset: never.
  int slots = 0;                     ///< Hash slots it serves.
  int migrating = 0, importing = 0;  ///< Slots on their way; a node tells only its own.
};

/// Reads the lines that are whole; one without client and bus port, as before Redis 4.0, is left out.
/// @param text  LF or CRLF; more than 10 000 nodes are cut.
[[nodiscard]] std::vector<ClusterNode> parse_cluster_nodes(std::string_view text);

/// What a discovered target is called by.
enum class HostForm : std::uint8_t { address, hostname };

/// @param scheme  "redis" or "rediss".
/// @param form  hostname: where a node has one, else its address.
/// @return "redis://10.0.0.5:6379", "redis://[::1]:6379" for each node that can be connected to, in order.
[[nodiscard]] std::vector<std::string> discovery_targets(const std::vector<ClusterNode>& nodes, std::string_view scheme,
                                                         HostForm form);

/// How often the view is taken, and how much of it is shown.
struct ClusterNodesOptions {
  std::chrono::seconds interval{30};  ///< How old it may be; the server writes a line for each node.
  std::size_t max_nodes = 200;        ///< Nodes with series of their own, itself and failing ones first. 1 … 10000.
};

/// Collector "cluster_nodes"; silent outside a cluster.
[[nodiscard]] std::unique_ptr<Collector> make_cluster_nodes(ClusterNodesOptions options);

}  // namespace midst::sources::redis_info
