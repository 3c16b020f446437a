// Signals in, systemd notifications out.
#pragma once

#include "lib/base/error.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace midst::app {

/// What the process does at a signal, and how it goes. Called on the loop thread.
struct LifecycleHooks {
  std::function<void()> stop;                   ///< The first SIGTERM or SIGINT.
  std::function<Result<std::string>()> reload;  ///< SIGHUP; several that come together are one.
  std::function<std::string()> state;           ///< One line for `systemctl status`.
};

/// Owns the process's signals for as long as it lives. Construct it before anything is announced.
class Lifecycle {
 public:
  /// A second SIGTERM or SIGINT ends the process at once with status 1, for operators who lost patience.
  Lifecycle(boost::asio::io_context& loop, LifecycleHooks hooks);
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  /// Tells systemd, when it started us, that the daemon serves. From now on it is told that the loop turns, at least
  /// twice in WatchdogSec= (sd_watchdog_enabled(3)), and how it goes.
  void ready(std::string_view status);
  /// Tells systemd that the daemon has begun to stop.
  void stopping();

 private:
  void wait();
  void take(int number);
  void reload();
  void tick();
  void tell_state();

  boost::asio::io_context& loop_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  LifecycleHooks hooks_;
  std::chrono::microseconds period_;  ///< From one sign of life to the next.
  std::string told_;                  ///< The last STATUS=.
  bool has_watchdog_ = false, is_stopping_ = false, is_reload_wanted_ = false;
};

}  // namespace midst::app
