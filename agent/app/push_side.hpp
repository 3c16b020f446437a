// Everything that takes pushed metrics: the Store with its state file, the native protocol's socket, StatsD's sockets;
// and which of these sockets come from systemd, or stay with it over a restart.
#pragma once

#include "agent/app/config.hpp"
#include "agent/ingest/listener.hpp"
#include "agent/ingest/statsd/listener.hpp"
#include "agent/ingest/statsd/statsd.hpp"
#include "agent/ingest/store.hpp"
#include "agent/scrape/scraper.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

class PushSide {
 public:
  /// Gives the Store to the scraper, which must go before this. Opens nothing yet.
  PushSide(asio::any_io_executor executor, const IngestConfig& config, scrape::Scraper& scraper);

  /// Takes the state over and opens every socket. A default path that cannot be opened (no /run/midst-agent without
  /// the package) is a warning; one that the operator named is worth failing for.
  /// @param inherited  from systemd: those named push, dogstatsd and dogstatsd-stream are taken out and win over paths.
  /// @return the error with the setting's name.
  Result<Done> start(std::vector<net::NamedDescriptor>& inherited);

  /// Takes over what of a changed [ingest] does not need new sockets or new bounds: rules, and who may push.
  void reload(const IngestConfig& next, ingest::AllowList allowed);

  /// Takes in what has been sent already and saves the state; by `deadline` at the latest.
  asio::awaitable<void> stop(Deadline deadline);

  [[nodiscard]] const std::vector<std::string>& addresses() const noexcept { return addresses_; }
  [[nodiscard]] const ingest::Store& store() const noexcept { return *store_; }

 private:
  using Take = Result<std::string> (PushSide::*)(net::Listener bound);
  struct Socket {
    std::string_view key;   ///< The setting.
    std::string_view name;  ///< Of its descriptor with systemd.
    std::string path;
    bool is_explicit = false;
    Result<net::Listener> (*open)(const net::ListenAddress& address, const net::SocketFile& file);
    net::SocketFile file;
    Take take;
  };

  Result<Done> keep_state();
  Result<Done> listen(const Socket& socket, std::vector<net::NamedDescriptor>& inherited);
  [[nodiscard]] Result<std::string> open(const Socket& socket, std::vector<net::NamedDescriptor>& inherited);
  Result<std::string> take_push(net::Listener bound) { return push_->listen(std::move(bound)); }
  Result<std::string> take_statsd(net::Listener bound) { return statsd_listener_->listen(std::move(bound)); }

  asio::any_io_executor executor_;
  const IngestConfig config_;
  ingest::Store* store_ = nullptr;
  std::unique_ptr<ingest::statsd::Statsd> statsd_;
  std::unique_ptr<ingest::Listener> push_;
  std::unique_ptr<ingest::statsd::Listener> statsd_listener_;
  std::vector<std::string> addresses_;
};

}  // namespace midst::app
