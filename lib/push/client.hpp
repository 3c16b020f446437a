// The push client: counters, gauges and histograms of an instrumented program, sent to midst-agent over its Unix
// socket as cumulative snapshots. Never blocks, never throws after construction:
// without an agent it keeps counting and reconnects for ever; nothing counted is lost by that.
#pragma once

#include "lib/push/instruments.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::push {

/// How the agent merges a gauge that several client instances report.
enum class GaugeMerge : std::uint8_t { last = 0, sum = 1, min = 2, max = 3 };

struct ClientOptions {
  std::string socket_path = "/run/midst-agent/push.sock";
  std::chrono::milliseconds flush_interval{1000};  ///< 100 ms … 10 s; clamped.
  std::size_t max_series = 10'000;                 ///< Of this client; one more gets the family's overflow series.
  bool shared_memory = true;  ///< Counters and histograms outlive SIGKILL of this process, where the system has memfd.
  std::string resource;       ///< Free text for the agent's status page ("midst-api 0.1.0").
  /// Told of refused declarations, throwing callbacks and an agent that refuses something; `detail` is its name or the
  /// reason. Called on any thread; must not throw, and not call the client. Unset: a line on standard error.
  std::function<void(std::string_view what, std::string_view detail)> on_problem;
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

/// A declaration that says more than name, help and label names.
struct FamilyOptions {
  std::string name, help;
  std::vector<std::string> label_names;
  /// OpenMetrics' unit, which the name ends in; empty: seconds, bytes or ratio where the name says so.
  std::string unit;
  std::vector<std::pair<std::string, std::string>> constant_labels;  ///< On every series; with() is not given them.
};

/// A family: its name, help and label names; series come from it by label values.
/// A thread remembers its last 128 look-ups: one of them takes a hash and a comparison, any other a lock. Where even
/// that is much, keep the handle.
template <class Series>
class Family {
 public:
  Family() = default;
  /// @return the series of these label values (as many as the family has label names), made at first use.
  [[nodiscard]] Series with(std::initializer_list<std::string_view> label_values) const {
    return with(std::span<const std::string_view>(label_values.begin(), label_values.size()));
  }
  [[nodiscard]] Series with(std::span<const std::string_view> label_values) const;
  /// @return whether its declaration was accepted.
  [[nodiscard]] bool is_valid() const noexcept { return client_ != nullptr; }
  /// Takes a gauge off the page until it is set again. What counters and histograms have counted stays in the totals,
  /// as if their process had ended, hence they have no such call.
  void remove(std::initializer_list<std::string_view> label_values) const requires std::same_as<Series, Gauge> {
    remove_series(std::span<const std::string_view>(label_values.begin(), label_values.size()));
  }
  void remove(std::span<const std::string_view> label_values) const requires std::same_as<Series, Gauge> {
    remove_series(label_values);
  }

 private:
  friend class Client;
  void remove_series(std::span<const std::string_view> label_values) const;
  Client* client_ = nullptr;
  std::uint32_t family_ = 0;
};

/// When this signal ends the process, sends the last totals of its clients first, within 60 ms; for programs that do
/// not handle SIGTERM themselves. Without it, as after SIGKILL, shared memory saves counters and histograms alone.
/// @return whether it will; a signal that has a handler or is ignored, and one that ends no process, stays as it is.
bool deliver_at_signal(int number) noexcept;

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

  /// The same with a unit and constant labels.
  [[nodiscard]] Family<Counter> counter(FamilyOptions options);
  [[nodiscard]] Family<Gauge> gauge(FamilyOptions options, GaugeMerge merge);
  [[nodiscard]] Family<Histogram> histogram(FamilyOptions options, std::vector<double> bounds);

  /// Declares a gauge without labels that is read rather than set: `function` is called as in before_flush().
  void gauge_callback(std::string_view name, std::string_view help, std::function<double()> function,
                      GaugeMerge merge = GaugeMerge::sum);
  /// Called on the flush thread before each snapshot, the last one included: what it uses must outlive the client. One
  /// that throws is reported and called again next time.
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
  void remove(std::uint32_t family, std::span<const std::string_view> label_values);
  Counter series(const Counter*, std::uint32_t family, std::span<const std::string_view> label_values);
  Gauge series(const Gauge*, std::uint32_t family, std::span<const std::string_view> label_values);
  Histogram series(const Histogram*, std::uint32_t family, std::span<const std::string_view> label_values);
  std::unique_ptr<detail::Parts> parts_;
};

}  // namespace midst::push
