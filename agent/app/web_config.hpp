// [web] of the configuration: where the agent answers HTTP, and who may ask.
#pragma once

#include "agent/web/guard.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"
#include "lib/net/server_tls.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

class Section;
struct Problem;

/// One more HTTP listener that serves a single view on /metrics, for drop-in use behind an exporter's port.
struct ViewListener {
  std::string address;
  std::string view;  ///< "redis", "postgres", "pgbouncer" or "api"; empty: everything.
};

struct WebConfig {
  std::vector<std::string> listen{"127.0.0.1:9464"};
  std::vector<ViewListener> listeners;  ///< [[web.listener]]
  bool lifecycle = false;
  bool probe = false;
  bool discovery = false;
  bool queries = false;
  std::size_t max_connections = 256;  ///< Of each listener.
  net::TlsOptions tls;                ///< has_tls() tells whether it holds.
  std::string tls_place;              ///< "file:line:col" of [web.tls], for what is wrong with its keys together.
  web::GuardOptions guard;
  std::string config_file;  ///< exporter-toolkit's web.yml; settle_web() has read it.
  std::string config_file_place;

  [[nodiscard]] bool has_tls() const noexcept;
  /// @return the bounds of one listener's server. The agent takes no bodies to speak of.
  [[nodiscard]] net::ServerLimits server_limits() const noexcept;
};

/// Reads one file's [web].
void read_web(Section& section, WebConfig& web);

/// What can be said only once all files are read: takes over config_file, tries the certificates, and warns of
/// passwords that go over the network in the clear.
void settle_web(WebConfig& web, std::vector<Problem>& problems);

/// What [web.*] and web.yml have in common. Each takes one value; Errc::config tells what it takes otherwise.
[[nodiscard]] Result<Done> set_account(web::GuardOptions& guard, const std::string& name, const std::string& hash);
[[nodiscard]] Result<Done> set_header(web::GuardOptions& guard, std::string_view name, const std::string& value);

/// @return the headers that may be set.
[[nodiscard]] const std::vector<std::string_view>& header_names();

}  // namespace midst::app
