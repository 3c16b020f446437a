// MPP/1, the frames between a push client and midst-agent: encode and decode side by side, pure, no allocation beyond
// the result, nothing thrown. Used by lib/push/connection and agent/ingest; docs/wire_protocol.md is its prose.
#pragma once

#include "lib/base/error.hpp"
#include "lib/push/snap.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::push::wire {

inline constexpr std::uint32_t major_version = 1, minor_version = 0;
inline constexpr std::string_view magic = "MPP";

/// Sizes, in bytes of payload; a frame is header_bytes longer.
inline constexpr std::size_t header_bytes = 8, default_max_frame = 64 * 1024, smallest_max_frame = 16 * 1024,
                             largest_max_frame = 1024 * 1024;
/// Bounds of a definition. Any FAMILY or SERIES within them fits smallest_max_frame.
inline constexpr std::size_t max_name_bytes = 200, max_unit_bytes = 32, max_help_bytes = 1024, max_labels = 16,
                             max_label_name_bytes = 128, max_label_value_bytes = 512, max_bounds = 64,
                             max_text_bytes = 256;

/// Frame types. A receiver skips what it does not know from 0x80 up and ends the connection below.
enum class Type : std::uint8_t { hello = 1, welcome = 2, family = 3, series = 4, snap = 5, ack = 6, bye = 7, err = 8 };
inline constexpr std::uint8_t first_ignorable_type = 0x80;

/// u32le payload length, u8 type, u8 flags (0), u16le reserved (0); senders write 0, receivers do not look.
struct FrameHeader {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
};

/// @param bytes  header_bytes readable bytes.
[[nodiscard]] FrameHeader decode_header(const char* bytes) noexcept;

/// 128 random bits: one process, until its end or its fork.
using InstanceId = std::array<std::uint8_t, 16>;

/// First frame of a client.
struct Hello {
  std::uint32_t major = major_version, minor = minor_version;
  std::uint64_t features = 0;  ///< Bits, see feature_exemplars.
  InstanceId instance{};
  std::uint64_t start_time_ns = 0;  ///< Unix time when this instance began to count.
  std::string library;              ///< "midst-cpp/0.1"
  std::string resource;             ///< Free text for a status page.
  std::uint32_t flush_interval_ms = 0;
  std::uint64_t agent_epoch = 0;  ///< Of the agent that was sent a SNAP of this instance last; 0: none was.
};

/// The agent's answer to HELLO.
struct Welcome {
  std::uint32_t major = major_version, minor = minor_version;
  std::uint64_t epoch = 0;     ///< Random per agent state, never 0.
  std::uint64_t features = 0;  ///< Those of HELLO that the agent has too.
  std::uint32_t max_frame = default_max_frame;
  std::uint32_t max_series = 0;  ///< Per client.
  std::uint64_t last_seq = 0;    ///< Last SNAP of this instance that was applied whole; 0: none.
  bool wants_full = true;        ///< The agent knows no definitions or values of this instance.
};

enum class MetricKind : std::uint8_t { counter = 0, gauge = 1, histogram = 2 };

/// Declares a family under an id of the client's choice.
struct FamilyDefinition {
  std::uint32_t id = 0;
  std::string name, unit, help;
  MetricKind kind = MetricKind::counter;
  std::uint8_t merge = 0;  ///< GaugeMerge; 0 for others.
  std::vector<std::string> label_names;
  std::vector<double> bounds;  ///< Histogram: ascending finite upper bounds, without +Inf.
};

/// Declares a series; ids are dense from 0.
struct SeriesDefinition {
  std::uint32_t id = 0, family = 0;
  std::vector<std::string> label_values;
  /// In the directory of shared memory only: the first of its cells. A counter has two, whole amounts and the rest as a
  /// double; a histogram its buckets and the sum.
  std::optional<std::uint32_t> cell{};
};

/// Why a series or a family counts nowhere; also the reason label of the agent's metrics. Numbers are on the wire.
enum class Refusal : std::uint8_t {
  none = 0,
  invalid = 1,
  reserved_name = 2,
  type_conflict = 3,
  label_conflict = 4,
  bounds_conflict = 5,
  merge_conflict = 6,
  redefined = 7,
  too_many = 8,
  unknown_family = 9,
  client_limit = 10,
  family_limit = 11,
  total_limit = 12,
};
inline constexpr std::size_t refusal_count = 13;
/// @return the stable word of a reason, e.g. "type_conflict".
[[nodiscard]] std::string_view word(Refusal reason) noexcept;

struct RejectedSeries {
  std::uint32_t id = 0;
  Refusal reason = Refusal::none;
};

/// Everything up to and including SNAP `seq` is applied.
struct Ack {
  std::uint64_t seq = 0;
  std::vector<RejectedSeries> rejected;  ///< Since the last ACK.
  std::uint32_t pause_ms = 0;            ///< Wish: wait that much longer before the next SNAP.
};

enum class ErrorCode : std::uint8_t { protocol = 1, version = 2, family_refused = 3, busy = 4, not_allowed = 5 };

/// Something was refused. Fatal: the agent closes the connection after it.
struct Err {
  ErrorCode code = ErrorCode::protocol;
  bool is_fatal = false;
  std::string text;
  std::uint32_t family = 0;        ///< Of family_refused.
  Refusal reason = Refusal::none;  ///< Of family_refused.
};

/// Each appends one whole frame to `out`. Texts must be within their bounds.
void encode(std::string& out, const Hello& message);
void encode(std::string& out, const Welcome& message);
void encode(std::string& out, const FamilyDefinition& message);
void encode(std::string& out, const SeriesDefinition& message);
void encode(std::string& out, const Ack& message);
void encode(std::string& out, const Err& message);
/// BYE: this instance ends and never comes back.
void encode_bye(std::string& out);

/// Each reads one payload; Errc::protocol names what is wrong, Errc::limit which bound was passed. The checks are those
/// of the wire (sizes, counts, numbers that fit), not of meaning (names, ascending bounds).
[[nodiscard]] Result<Hello> decode_hello(std::string_view payload);
[[nodiscard]] Result<Welcome> decode_welcome(std::string_view payload);
[[nodiscard]] Result<FamilyDefinition> decode_family(std::string_view payload);
[[nodiscard]] Result<SeriesDefinition> decode_series(std::string_view payload);
[[nodiscard]] Result<Ack> decode_ack(std::string_view payload);
[[nodiscard]] Result<Err> decode_err(std::string_view payload);

}  // namespace midst::push::wire
