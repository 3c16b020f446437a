// StatsD and DogStatsD: packets in, families out. Knows no sockets; the listener brings the packets, the Store's
// snapshot takes the families. Loop thread only.
#pragma once

#include "agent/ingest/contributor.hpp"
#include "agent/ingest/statsd/counters.hpp"
#include "agent/ingest/statsd/memo.hpp"
#include "agent/ingest/statsd/resolve.hpp"
#include "agent/ingest/statsd/table.hpp"
#include "lib/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

/// What a sign before a gauge's value means. DogStatsD: "+" a change, "-" a negative value; StatsD: both a change.
/// By socket: StatsD's meaning on UDP, DogStatsD's on the others.
enum class GaugeSign : std::uint8_t { by_socket, statsd, dogstatsd };

struct StatsdOptions {
  GaugeSign gauge_sign = GaugeSign::by_socket;
  ResolveOptions resolve;
  TableLimits limits;                             ///< Its max_bytes is for series; …
  std::size_t max_memo_bytes = 64 * 1024 * 1024;  ///< … this for the known forms of lines.
  /// Names that begin like this belong to the agent's own sources, unless they begin like one of the others.
  std::vector<std::string> reserved_prefixes, unreserved_prefixes;
  /// Whether native clients have a family of that name.
  std::function<bool(std::string_view name)> is_taken;
};

class Statsd final : public Contributor {
 public:
  explicit Statsd(StatsdOptions options);

  /// Has other rules from now on; series that are there keep their kind, buckets and values.
  void set_rules(GaugeSign gauge_sign, ResolveOptions rules);

  /// Takes the lines of one packet: a datagram, a frame, or whole lines of a stream.
  void feed(std::string_view packet, Protocol protocol, SteadyTime now);

  void write(metrics::SnapshotBuilder& builder, SteadyTime now) override;
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override { return own_specs(); }
  [[nodiscard]] bool has_family(std::string_view name) const override { return table_.has_family(name); }

  /// What the listener adds to.
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  /// @return the totals of counters and histograms, in a form of its own.
  [[nodiscard]] std::string state() const override { return table_.state(); }
  /// Takes what state() once returned, before the first packet. Bytes are checked: all of them count or none.
  /// @return Errc::protocol when they are not of that form, Errc::limit when the limits have no room for them.
  Result<Done> restore(std::string_view state) override { return table_.restore(state); }

 private:
  enum class MinusIs : std::uint8_t { change, number };
  /// Where and how the lines of a packet count.
  struct Context {
    MinusIs minus;
    std::uint32_t now_seconds;
    SteadyTime now;
  };
  struct Line {
    std::string_view text, values;
    LineForm form;
    Target target;  ///< When the form is known.
    bool is_known = false;
  };

  [[nodiscard]] Fault owner_of(std::string_view name) const;
  [[nodiscard]] std::size_t cut(std::string_view& packet, std::span<Line> lines) const noexcept;
  void look_up(std::span<Line> lines) const noexcept;
  void take_known(const Line& line, const Context& context);
  void take_new(const Line& line, const Context& context);
  void take_metric(const Line& line, const Context& context);
  [[nodiscard]] bool find_target(const Metric& metric, Target& target, const Context& context);
  void take_event(std::string_view text, SteadyTime now);
  void log_drops(SteadyTime now);
  void take_check(std::string_view text, std::uint32_t now_seconds);
  void apply(const Target& target, std::string_view values, const Context& context);
  [[nodiscard]] Fault apply_one(const Target& target, Kind kind, const char* text, double value,
                                const Context& context) noexcept;

  StatsdOptions options_;
  std::unique_ptr<Resolver> resolver_;
  Table table_;
  Memo memo_;
  std::uint32_t memo_generation_ = 0;  ///< Of the table, whose series the memo names.
  Counters counters_;
  std::vector<metrics::Label> labels_;
  SteadyTime next_event_log_{};
  SteadyTime next_drop_log_{};
  std::uint64_t unlogged_events_ = 0, logged_drops_ = 0;
};

}  // namespace midst::ingest::statsd
