// CLIENT LIST → who is connected, counted by name, user, library, network, type and state; and, where it is asked for,
// a few series for each client. One reply serves both. Wired by redis_source.cpp.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace midst::sources::redis_info {

/// The two halves are switched apart: `has_groups` is the collector "clients", `has_series` is "client_list".
struct ClientsOptions {
  bool has_groups = true;             ///< Whether clients are counted by what they have in common.
  std::chrono::seconds interval{60};  ///< How old those counts may be; CLIENT LIST costs the server time per client.
  std::size_t max_groups = 50;        ///< Series of one count; the smaller groups are summed up in "other". 1 … 1000.
  int network_bits_ipv4 = 32;         ///< Clients of one network are one group: 24 for "10.0.0.0/24". 0 … 32.
  int network_bits_ipv6 = 128;        ///< The same for IPv6. 0 … 128.
  bool has_series = false;            ///< Whether each client gets series of its own.
  std::chrono::seconds series_age{0};  ///< How old those may be; 0: as fresh as the scrape.
  bool export_port = false;            ///< Whether the client's port is a label of redis_connected_client_info.
  std::size_t max_clients = 1000;  ///< Clients with series of their own, those connected longest first. 1 … 100000.
};

/// One line of CLIENT LIST; what the server does not say is empty. The texts point into the line.
struct Client {
  std::string_view id, address, name, user, flags, db, resp, library, library_version;
  double age_seconds = 0, idle_seconds = 0;
  /// A number the server gives in a form that is none counts as 0.
  std::optional<double> channels, patterns, shard_channels, watched_keys, query_bytes, query_free_bytes, output_bytes,
      output_list, output_memory_bytes, memory_bytes;

  /// @return the address without the port, as the server writes it: "10.0.0.5", "[::1]", "/run/redis.sock".
  [[nodiscard]] std::string_view host() const noexcept;
  [[nodiscard]] std::string_view port() const noexcept;
};

/// @param line  "id=3 addr=127.0.0.1:55320 name= age=0 idle=0 flags=N …"; fields in any order, unknown ones skipped.
/// @return nothing when id, age or idle is no whole number or there is no address.
[[nodiscard]] std::optional<Client> parse_client(std::string_view line) noexcept;

/// @return the network of a host as the label shows it: "10.0.0.0/24", "10.0.0.5" at all 32 bits, "unix" for a path,
/// and a text that is no address as it stands.
[[nodiscard]] std::string network_of(std::string_view host, int bits_ipv4, int bits_ipv6);

[[nodiscard]] std::unique_ptr<Collector> make_clients(ClientsOptions options);

}  // namespace midst::sources::redis_info
