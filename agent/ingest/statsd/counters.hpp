// What the StatsD side counts of itself and how that appears on the page. One set per Statsd.
#pragma once

#include "agent/ingest/statsd/line.hpp"
#include "agent/ingest/statsd/table.hpp"
#include "lib/metrics/snapshot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

/// How lines come.
enum class Protocol : std::uint8_t { datagram, stream, udp };
inline constexpr std::size_t protocol_count = 3;

/// Why a tag is not a label, or not as it was sent.
enum class TagFault : std::uint8_t { malformed, duplicate, bare };
inline constexpr std::size_t tag_fault_count = 3;

/// Why a stream connection was ended by us.
enum class StreamEnd : std::uint8_t { closed, too_many_clients, frame_too_long };
inline constexpr std::size_t stream_end_count = 3;

inline constexpr std::array<std::string_view, 4> alert_types{"info", "success", "warning", "error"};

/// Loop thread only.
struct Counters {
  struct OfProtocol {
    std::uint64_t lines = 0, packets = 0, bytes = 0, truncated = 0;
  };
  std::array<OfProtocol, protocol_count> protocols{};
  std::array<std::uint64_t, fault_count> line_faults{};
  std::array<std::uint64_t, tag_fault_count> tag_faults{};
  std::array<std::uint64_t, overflow_count> overflowed{};
  std::array<std::uint64_t, stream_end_count> stream_ends{};
  std::array<std::uint64_t, alert_types.size()> events{};
  std::uint64_t skipped_sections = 0, timestamps = 0, dropped_by_rule = 0;
  std::size_t stream_clients = 0;  ///< At this moment.

  [[nodiscard]] OfProtocol& of(Protocol protocol) noexcept { return protocols[static_cast<std::size_t>(protocol)]; }
  void count(Fault fault) noexcept { ++line_faults[static_cast<std::size_t>(fault)]; }
};

/// Appends the families; every reason is there from the start, at 0.
void write(metrics::SnapshotBuilder& builder, const Counters& counters, const Table& table, std::size_t memo_bytes);

/// @return the catalogue rows of what write() appends, and of what service checks and clients' own reports become.
[[nodiscard]] std::vector<metrics::MetricSpec> own_specs();

inline constexpr metrics::MetricSpec service_check{
    "midst_service_check", metrics::MetricType::gauge, "",
    "Last status of a DogStatsD service check: 0 ok, 1 warning, 2 critical, 3 unknown.", "name"};

/// A count that DogStatsD clients keep of themselves and send along.
struct ClientReport {
  std::string_view sent_name;  ///< Behind "datadog.dogstatsd.client.".
  metrics::MetricSpec spec;
};
inline constexpr std::string_view client_report_prefix = "datadog.dogstatsd.client.";
/// @return the row of such a name without its prefix, or nullptr.
[[nodiscard]] const ClientReport* find_client_report(std::string_view sent_name) noexcept;

}  // namespace midst::ingest::statsd
