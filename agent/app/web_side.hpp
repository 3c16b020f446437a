// Everything that answers HTTP: the listeners of [web], those of [[web.listener]], and the control socket. A reload
// opens what is new first, then swaps; a listener that stays keeps its socket and its connections.
#pragma once

#include "agent/app/config.hpp"
#include "agent/app/self_metrics.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace midst::app {

/// What one listener serves: a view of /metrics, or the control socket.
struct WebRole {
  std::string view;  ///< Empty: everything.
  bool is_control = false;

  [[nodiscard]] bool operator==(const WebRole&) const = default;
};

/// Loop thread only.
class WebSide {
 public:
  /// Makes the handler of a role under a configuration; called again at each reload.
  using MakeHandler = std::function<net::Handler(const Config& config, const WebRole& role)>;

  WebSide(asio::any_io_executor executor, MakeHandler make_handler);
  ~WebSide();

  /// Opens every listener. The control socket's default path may be impossible to open: that is a warning.
  /// @param inherited  from systemd: those named web are taken out and win over web.listen.
  /// @return the error with the setting's name.
  Result<Done> start(const Config& config, std::vector<net::NamedDescriptor>& inherited);

  /// Opens what the next configuration has in addition. Until commit() nothing else has changed.
  /// @return the error with the setting's name; then everything is as it was.
  Result<Done> prepare(const Config& next);
  /// Has the prepared configuration answer from now on; listeners that are not in it stop accepting, and their
  /// connections end with the answers that are under way.
  void commit(const Config& next);

  /// Stops accepting and answers what is under way; by `deadline` at the latest.
  asio::awaitable<void> stop(Deadline deadline);

  /// @return addresses as bound, without the control socket's.
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] WebCounters counters() const;

 private:
  struct Listener;

  Result<Done> open(const Config& config, const std::string& address, const WebRole& role, std::string_view setting,
                    std::vector<std::unique_ptr<Listener>>& opened);
  Result<Done> open_all(const Config& config, std::vector<std::unique_ptr<Listener>>& opened);
  Result<Done> open_in_place_of_others(const Config& next, std::vector<std::unique_ptr<Listener>>& opened);
  [[nodiscard]] bool has_sockets_of_systemd() const;
  void drain(std::unique_ptr<Listener> listener);

  asio::any_io_executor executor_;
  MakeHandler make_handler_;
  std::vector<std::unique_ptr<Listener>> listeners_, prepared_;
  WebCounters of_the_gone_;  ///< What listeners have counted that are no more.
};

}  // namespace midst::app
