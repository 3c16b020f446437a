// Signals in, systemd notifications out.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <functional>
#include <string_view>

namespace midst::app {

/// Owns the process's signals for as long as it lives. Construct it before anything is announced.
class Lifecycle {
 public:
  /// @param on_stop  called on the loop thread at the first SIGTERM or SIGINT. A second one ends the process at once
  /// with status 1, for operators who lost patience.
  Lifecycle(boost::asio::io_context& loop, std::function<void()> on_stop);
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  /// Tells systemd, when it started us, that the daemon serves; `status` is what `systemctl status` shows.
  void ready(std::string_view status) const;
  /// Tells systemd that the daemon has begun to stop.
  void stopping() const;

  /// Lets go of the signals, so that the loop can run out of work.
  void release();

 private:
  void wait();

  boost::asio::signal_set signals_;
  std::function<void()> on_stop_;
  bool is_stopping_ = false;
};

}  // namespace midst::app
