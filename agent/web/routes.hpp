// One table: path → answer. Everything the agent says over HTTP; the bytes are moved by lib/net/http_server.
#pragma once

#include "agent/scrape/scraper.hpp"
#include "agent/web/status.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::web {

/// What one listener offers.
struct WebOptions {
  std::chrono::milliseconds scrape_timeout{9000};  ///< Upper bound of a scrape, `[scrape] timeout`.
  bool lifecycle = false;                          ///< `[web] lifecycle`: whether /-/reload works.
  bool probe = false;                              ///< `[web] probe`: whether /probe and /scrape work.
  bool discovery = false;                          ///< `[web] discovery`: whether /discover-cluster-nodes works.
  bool queries = false;                            ///< `[web] queries`: whether /queries works.
  std::string view;                                ///< What /metrics shows: one of views(), or empty for everything.
};

/// One request for a target of the caller's choice, as redis_exporter's /scrape takes it.
struct ProbeRequest {
  std::string target;                                       ///< Its name, or its address as a URL or host:port.
  std::vector<std::pair<std::string, std::string>> checks;  ///< "check-keys" and its likes, in the order of the query.
  Deadline deadline;
};

/// What the routes ask of the rest of the agent. Called on the loop thread; an empty one has its default.
struct Hooks {
  std::function<Result<std::string>()>
      reload;                      ///< /-/reload; its words, or its error's, are the answer. Empty: refused.
  std::function<bool()> is_ready;  ///< Empty: ready.
  /// /scrape: a page made for this request. Errc::config is the caller's mistake. Empty: there is no such page.
  std::function<asio::awaitable<Result<std::shared_ptr<const metrics::Exposition>>>(ProbeRequest)> scrape_once;
  /// /discover-cluster-nodes: the addresses of a target's cluster. Empty: there is no such page.
  std::function<asio::awaitable<Result<std::vector<std::string>>>(std::string target, Deadline)> discover;
  /// /queries: (target, JSON array of its statements' texts) of each Postgres target. Empty: there is no such page.
  std::function<std::vector<std::pair<std::string, std::string>>()> statement_texts;
  std::function<ReloadState()> reload_state;            ///< For /api/v1/status.
  std::function<PushFacts()> push;                      ///< The same.
  std::function<std::vector<Counter>()> counters;       ///< For /api/v1/live. Empty: none.
  Deadline started = std::chrono::steady_clock::now();  ///< Of the process; for the uptime.
};

/// @return the handler of one listener.
/// @param scraper  must outlive every request, so that the server is drained first.
[[nodiscard]] net::Handler make_handler(scrape::Scraper& scraper, WebOptions options, Hooks hooks);

/// @return the names a listener's view may have: "redis", "postgres", "pgbouncer", "api".
[[nodiscard]] const std::vector<std::string_view>& views();

/// How long a scrape may take: `limit`, or what X-Prometheus-Scrape-Timeout-Seconds leaves when that is less. Half a
/// second of it is kept for the way back; of a value below one second, half. A value that is no positive number is
/// as if it were not there.
[[nodiscard]] std::chrono::milliseconds scrape_budget(std::string_view header, std::chrono::milliseconds limit);

}  // namespace midst::web
