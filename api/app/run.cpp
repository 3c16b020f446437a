#include "api/app/service.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/core.h>
#include <systemd/sd-daemon.h>

#include <csignal>
#include <cstdlib>

namespace midst::api {
namespace {

// sysexits(3) and what a shell expects.
constexpr int exit_ok = 0, exit_failure = 1, exit_config = 78;

void tell_systemd(const std::string& state) {
  sd_notify(0, state.c_str());
}

/// What is worth knowing once, before the first request.
void log_start(const Config& config) {
  log::info("starting", {{"version", version()},
                         {"environment", config.environment},
                         {"profiles", config.database_url.empty() ? "memory" : "postgres"},
                         {"cache", config.redis_url.empty() ? "memory" : "redis"},
                         {"push_socket", config.push_socket}});
  log::warn("requests are not authenticated: this version takes no tokens, whatever auth.jwt_secret is");
  if (config.database_url.empty())
    log::warn("no database is configured; profiles are gone with this process; set DATABASE_URL");
}

log::Format log_format(const Config& config) {
  if (config.log_format) return *config.log_format;
  return std::getenv("JOURNAL_STREAM") != nullptr ? log::Format::journald : log::Format::logfmt;
}

/// Runs until a signal or a fatal error; a second signal ends the drain.
class Run {
 public:
  explicit Run(const Config& config) : service_(io_, config), signals_(io_, SIGTERM, SIGINT) {}

  int operator()() {
    const auto address = service_.start([this](Error error) { fail(std::move(error)); });
    if (!address) {
      log::error("cannot start", {{"error", describe(address.error())}});
      return address.error().code == Errc::config ? exit_config : exit_failure;
    }
    log::info("listening", {{"addr", *address}});
    wait_for_signal();
    tell_systemd(fmt::format("READY=1\nSTATUS=serving on {}", *address));
    io_.run();
    log::info("stopped", {});
    return exit_code_;
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code ec, int number) {
      if (ec) return;
      log::info("stopping", {{"signal", number}});
      stop();
    });
  }

  void fail(Error error) {
    log::error("cannot go on", {{"error", describe(error)}});
    exit_code_ = exit_config;
    stop();
  }

  void stop() {
    if (is_stopping_) return io_.stop();
    is_stopping_ = true;
    tell_systemd("STOPPING=1");
    wait_for_signal();
    asio::co_spawn(io_, service_.stop(), [this](std::exception_ptr) { io_.stop(); });
  }

  asio::io_context io_{1};
  Service service_;
  asio::signal_set signals_;
  int exit_code_ = exit_ok;
  bool is_stopping_ = false;
};

}  // namespace

int run_service(const Config& config) {
  log::configure(config.log_level, log_format(config));
  log_start(config);
  return Run(config)();
}

}  // namespace midst::api
