#include "agent/app/lifecycle.hpp"

#include "lib/base/log.hpp"

#include <boost/asio/post.hpp>
#include <systemd/sd-daemon.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace midst::app {
namespace {

/// How often a changed state is told when there is no watchdog to feed.
constexpr std::chrono::microseconds state_period{5'000'000};

std::chrono::microseconds monotonic_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

/// Of several lines systemd takes the first as STATUS= and the others as assignments of their own.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Lifecycle::Lifecycle(boost::asio::io_context& loop, LifecycleHooks hooks)
    : loop_(loop),
      signals_(loop, SIGTERM, SIGINT, SIGHUP),
      timer_(loop),
      hooks_(std::move(hooks)),
      period_(state_period) {
  // A peer that goes away while we write is an error code of that write, not a reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  std::uint64_t limit_us = 0;
  has_watchdog_ = sd_watchdog_enabled(0, &limit_us) > 0;
  if (has_watchdog_) period_ = std::min(state_period, std::chrono::microseconds(limit_us / 3));
  wait();
}

void Lifecycle::wait() {
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    wait();
    take(number);
  });
}

void Lifecycle::take(int number) {
  if (number == SIGHUP) {
    // Behind the signals that have come already, so that those are the same reload.
    if (!std::exchange(is_reload_wanted_, true)) boost::asio::post(loop_, [this] { reload(); });
    return;
  }
  if (is_stopping_) {
    log::error("second signal: ending without draining");
    _exit(1);
  }
  is_stopping_ = true;
  log::info("stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}});
  hooks_.stop();
}

void Lifecycle::reload() {
  is_reload_wanted_ = false;
  if (is_stopping_) return;
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading", static_cast<long long>(monotonic_now().count()));
  const auto outcome = hooks_.reload();
  told_ = one_line(outcome ? "reloaded: " + *outcome : "the old configuration stays: " + outcome.error().message);
  sd_notify(0, ("READY=1\nSTATUS=" + told_).c_str());
}

void Lifecycle::ready(std::string_view status) {
  told_ = status;
  sd_notify(0, ("READY=1\nSTATUS=" + told_).c_str());
  tick();
}

void Lifecycle::tick() {
  timer_.expires_after(period_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (has_watchdog_) sd_notify(0, "WATCHDOG=1");
    if (!is_stopping_) tell_state();
    tick();
  });
}

void Lifecycle::tell_state() {
  auto state = one_line(hooks_.state());
  if (state == told_) return;
  told_ = std::move(state);
  sd_notify(0, ("STATUS=" + told_).c_str());
}

void Lifecycle::stopping() {
  sd_notify(0, "STOPPING=1\nSTATUS=draining");
}

}  // namespace midst::app
