// What stands before every handler of the web side: which host names, which logins, how many requests, and the headers
// of every answer. The control socket has no guard.
#pragma once

#include "agent/web/accounts.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::web {

/// `[web]`, `[web.headers]`, `[web.rate_limit]` and `[web.basic_auth_users]`.
struct GuardOptions {
  std::vector<Account> accounts;  ///< Empty: no login is asked for.
  /// Names that a Host header may have, besides localhost and every numeric address; "*" allows all. Checked on
  /// loopback listeners always, on others once there are any.
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> own_hosts;  ///< Names that listeners are bound to; allowed too.
  /// Of every answer, in the place of the page's own of that name.
  net::Headers headers{{"X-Content-Type-Options", "nosniff"}};
  std::size_t max_requests = 40;               ///< Answered at the same time; one more is 503. 0: no limit.
  std::size_t max_logins = 16;                 ///< Checked or waiting for it; one more is 503.
  std::chrono::milliseconds rate_interval{0};  ///< One request each, on average; more is 429. 0: no limit.
  std::size_t rate_burst = 1;                  ///< Requests that may come at once after a pause.
};

/// What was turned away since the start, by reason.
struct GuardCounters {
  std::uint64_t host = 0;         ///< A Host header of a name that is not ours.
  std::uint64_t origin = 0;       ///< A page of another site that would change something.
  std::uint64_t credentials = 0;  ///< Wrong or missing.
  std::uint64_t busy = 0;         ///< Too many requests or logins at the same time.
  std::uint64_t rate = 0;
};

/// @return the host of a Host header, without port, brackets and the last dot, in lower case. Pure.
[[nodiscard]] std::string host_name(std::string_view host_header);

/// @return whether requests for this host are ours to answer. A numeric address always is: no page of another site can
/// make a browser send one that is not its own (DNS rebinding needs a name). Pure.
[[nodiscard]] bool is_allowed_host(std::string_view host_header, const GuardOptions& options);

/// One for all listeners. On the loop thread; goes before that loop ends, and may outlive the handlers it made or not.
class Guard {
 public:
  explicit Guard(GuardOptions options);
  /// Waits for the password check under way.
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  /// @return a handler that lets through to `inner` what may pass.
  [[nodiscard]] net::Handler protect(net::Handler inner) const;

  [[nodiscard]] GuardCounters counters() const noexcept;

 private:
  class Gate;
  std::shared_ptr<Gate> gate_;
};

}  // namespace midst::web
