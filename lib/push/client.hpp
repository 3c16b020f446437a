// The push client: counters, gauges and histograms of an instrumented program, sent to midst-agent over its Unix
// socket as cumulative snapshots. Never blocks, never throws after construction:
// without an agent it keeps counting and reconnects for ever; nothing counted is lost by that.
#pragma once

#include "lib/push/instruments.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::push {

/// How the agent merges a gauge that several client instances report.
enum class GaugeMerge : std::uint8_t { last = 0, sum = 1, min = 2, max = 3 };

struct ClientOptions {
  std::string socket_path = "/run/midst-agent/push.sock";
  std::chrono::milliseconds flush_interval{1000};  ///< 100 ms … 10 s; clamped.
  std::size_t max_series = 10'000;                 ///< Of this client; one more gets the family's overflow series.
  std::string resource;                            ///< Free text for the agent's status page ("midst-api 0.1.0").
};

/// What the client has done; most of it is also sent to the agent.
/// skipped_flushes: due, but the agent was away or had not taken the last one; nothing is lost, the next one has it
/// all. overflowed_series: calls of with() beyond max_series, answered with the family's overflow series.
struct ClientStats {
  std::uint64_t flushes = 0, skipped_flushes = 0, reconnects = 0, send_errors = 0, bytes_sent = 0;
  std::uint64_t rejected_series = 0, overflowed_series = 0;
  bool is_connected = false;
};

class Client;

namespace detail {
class Parts;
}

/// A family: its name, help and label names; series come from it by label values.
/// Looking a series up takes a lock and a hash; keep the handle where it is hot.
template <class Series>
class Family {
 public:
  Family() = default;
  /// @return the series of these label values (as many as the family has label names), made at first use.
  [[nodiscard]] Series with(std::initializer_list<std::string_view> label_values) const;

 private:
  friend class Client;
  Client* client_ = nullptr;
  std::uint32_t family_ = 0;
};

class Client {
 public:
  /// Starts the flush thread. Does not need an agent.
  explicit Client(ClientOptions options);
  /// Sends a last snapshot and BYE, within 50 ms, and ends the thread. No other thread may use a handle any more.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Declares a family; the same name again returns the same family. `name` of a counter ends in "_total".
  /// A declaration that contradicts an earlier one (type, labels, bounds) returns a family whose series count nowhere
  /// and is reported in the log once.
  [[nodiscard]] Family<Counter> counter(std::string_view name, std::string_view help,
                                        std::vector<std::string> label_names = {});
  [[nodiscard]] Family<Gauge> gauge(std::string_view name, std::string_view help,
                                    std::vector<std::string> label_names = {}, GaugeMerge merge = GaugeMerge::sum);
  /// @param bounds  ascending upper bounds without +Inf, at most 64.
  [[nodiscard]] Family<Histogram> histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                            std::vector<std::string> label_names = {});

  /// Called on the flush thread before each snapshot; for gauges that are read rather than counted.
  void before_flush(std::function<void()> callback);

  /// Sends a snapshot now and waits until the agent has acknowledged it; for tests and for exit paths.
  /// @return whether it was acknowledged within `timeout`.
  bool flush(std::chrono::milliseconds timeout);

  [[nodiscard]] ClientStats stats() const;

 private:
  template <class Series>
  friend class Family;
  template <class Series>
  Family<Series> family(const std::optional<std::uint32_t>& id);
  Counter series(const Counter*, std::uint32_t family, std::span<const std::string_view> label_values);
  Gauge series(const Gauge*, std::uint32_t family, std::span<const std::string_view> label_values);
  Histogram series(const Histogram*, std::uint32_t family, std::span<const std::string_view> label_values);
  std::unique_ptr<detail::Parts> parts_;
};

}  // namespace midst::push
