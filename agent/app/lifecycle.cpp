#include "agent/app/lifecycle.hpp"

#include "lib/base/log.hpp"

#include <systemd/sd-daemon.h>

#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

namespace midst::app {

Lifecycle::Lifecycle(boost::asio::io_context& loop, std::function<void()> on_stop)
    : signals_(loop, SIGTERM, SIGINT), on_stop_(std::move(on_stop)) {
  // A peer that goes away while we write is an error code of that write, not a reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  signals_.add(SIGHUP);
  wait();
}

void Lifecycle::wait() {
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    wait();
    if (number == SIGHUP) {
      log::warn("SIGHUP ignored: this version takes a changed configuration at a restart only");
      return;
    }
    if (is_stopping_) {
      log::error("second signal: ending without draining");
      _exit(1);
    }
    is_stopping_ = true;
    log::info("stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}});
    on_stop_();
  });
}

void Lifecycle::ready(std::string_view status) const {
  sd_notify(0, ("READY=1\nSTATUS=" + std::string(status)).c_str());
}

void Lifecycle::stopping() const {
  sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

void Lifecycle::release() {
  signals_.cancel();
}

}  // namespace midst::app
