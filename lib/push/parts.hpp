// What a Client is made of, and the list of all clients of the process, which threads and forks need.
// Lock order: list, Requests, Registry, Shards.
#pragma once

#include "lib/push/flusher.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace midst::push::detail {

class Parts {
 public:
  /// Joins the list and starts the flush thread.
  explicit Parts(ClientOptions wished);
  /// Ends the thread, see Flusher::run(), and leaves the list.
  ~Parts();
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  /// Starts the thread that a fork has not taken along; does nothing otherwise.
  void start_if_forked();

  void lock_for_fork();
  void unlock_after_fork();
  /// In the child, locks held: a new instance that has counted nothing and has neither socket nor thread.
  /// @param own  the shard of the thread that forked, or nullptr.
  void start_over(const Shard* own);

  const ClientOptions options;
  const std::shared_ptr<Shards> shards;
  Registry registry;
  Requests requests;

 private:
  void start();

  std::unique_ptr<Flusher> flusher_;
  std::unique_ptr<std::thread> thread_;
  std::atomic<bool> was_forked_{false};
  int place_at_end_ = -1;  ///< See ask_at_end().
};

/// For gauges, which have no slow path: starts the threads that a fork has not taken along.
void start_threads_after_fork() noexcept;

}  // namespace midst::push::detail
