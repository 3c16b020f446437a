// The push client: counters, gauges and histograms of an instrumented program, sent to midst-agent over its Unix
// socket as cumulative snapshots. The one installed public header. Never blocks, never throws after construction:
// without an agent it keeps counting and reconnects for ever; nothing counted is lost by that.
#pragma once

#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
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

/// What the three series types touch at every call; not for use by others.
namespace detail {
class Parts;
/// 64 bits of a whole number or of a double; who allocated it knows which.
using Cell = std::atomic<std::uint64_t>;
inline constexpr std::uint32_t chunk_cells = 1024;

/// The cells of the calling thread in the client it used last. Each cell has one writer, its thread; the flush thread
/// reads. Trivial on purpose: it can be read at any time of a thread's life.
struct ThreadCells {
  std::uint32_t client = std::numeric_limits<std::uint32_t>::max();
  const std::atomic<Cell*>* chunks = nullptr;
};
extern constinit thread_local ThreadCells this_thread;

/// The way when `this_thread` is of another client or has no such chunk yet. @return the first of the cells, or nullptr
/// when the client is gone or the thread is ending.
Cell* touch(std::uint32_t client, std::uint32_t cell) noexcept;
/// Add under a lock, for threads in which touch() finds nothing.
void add_locked(std::uint32_t client, std::uint32_t cell, std::uint64_t amount) noexcept;
void add_locked(std::uint32_t client, std::uint32_t cell, double amount) noexcept;

inline Cell* find(std::uint32_t client, std::uint32_t cell) noexcept {
  if (this_thread.client == client) [[likely]]
    if (auto* chunk = this_thread.chunks[cell / chunk_cells].load(std::memory_order_relaxed)) [[likely]]
      return chunk + cell % chunk_cells;
  return touch(client, cell);
}
inline void add(Cell& cell, std::uint64_t amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}
inline void add(Cell& cell, double amount) noexcept {
  const auto before = std::bit_cast<double>(cell.load(std::memory_order_relaxed));
  cell.store(std::bit_cast<std::uint64_t>(before + amount), std::memory_order_relaxed);
}
template <class Amount>
void add(std::uint32_t client, std::uint32_t first, std::uint32_t offset, Amount amount) noexcept {
  if (auto* cells = find(client, first)) return add(cells[offset], amount);
  add_locked(client, first + offset, amount);
}
}  // namespace detail

/// A counter series. Cheap to copy; valid as long as its Client. add() is one relaxed load and store in memory of the
/// calling thread: no lock, no allocation after a thread's first touch, no clock, no syscall.
class Counter {
 public:
  Counter() = default;
  /// @param amount  not negative and finite; anything else is ignored.
  void add(double amount = 1) const noexcept {
    // Whole amounts have a cell of their own: adding integers takes half the time, and they stay exact.
    if (amount >= 0 && amount <= 4294967295.0 && amount == static_cast<double>(static_cast<std::uint64_t>(amount)))
      return detail::add(client_, cell_, 0, static_cast<std::uint64_t>(amount));
    if (amount > 0 && amount <= std::numeric_limits<double>::max()) detail::add(client_, cell_, 1, amount);
  }

 private:
  friend class Client;
  std::uint32_t client_ = 0, cell_ = 0;  ///< First of two cells: the whole amounts, then the rest.
};

/// A gauge series; set() replaces, add() changes. Shared between threads by one atomic.
class Gauge {
 public:
  Gauge() = default;
  void set(double value) const noexcept;
  void add(double amount) const noexcept;

 private:
  friend class Client;
  std::atomic<double>* value_ = nullptr;
};

/// A histogram series with fixed bounds; observe() touches memory of the calling thread only.
class Histogram {
 public:
  Histogram() = default;
  /// @param value  finite; anything else is ignored, for one infinity would spoil the sum for ever.
  void observe(double value) const noexcept;

 private:
  friend class Client;
  std::uint32_t client_ = 0, cell_ = 0;  ///< First of bounds + 2 cells: the buckets, then the sum.
  std::span<const double> bounds_;
};

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
