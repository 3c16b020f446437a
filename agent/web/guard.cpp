#include "agent/web/guard.hpp"

#include "lib/base/text.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace midst::web {
namespace {

using net::Request;
using net::Response;
using Clock = std::chrono::steady_clock;

Response refusal(unsigned status, std::string sentence) {
  Response response;
  response.status = status;
  response.body = std::move(sentence) + '\n';
  return response;
}

Response try_again(unsigned status, std::string sentence) {
  auto response = refusal(status, std::move(sentence));
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_numeric_address(const std::string& host) {
  error_code no_address;
  boost::asio::ip::make_address(host, no_address);
  return !no_address;
}

/// Browsers say which page a request that may change something comes from (Fetch standard, "Origin").
bool is_from_another_site(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return false;
  auto origin = request.header("Origin");
  if (origin.empty()) return false;
  const auto scheme = origin.find("://");
  if (scheme != std::string_view::npos) origin.remove_prefix(scheme + 3);
  return !text::equal_ignoring_case(origin, request.header("Host"));
}

/// Liveness is not a question of load.
bool is_probe_of_health(const Request& request) {
  return request.path == "/-/healthy" || request.path == "/-/ready";
}

}  // namespace

/// What the handlers share.
class Guard::Gate {
 public:
  explicit Gate(GuardOptions options) : options_(std::move(options)) {
    if (!options_.accounts.empty()) accounts_ = std::make_shared<Accounts>(options_.accounts, options_.max_logins);
  }

  static asio::awaitable<Response> answer(std::shared_ptr<Gate> self, std::shared_ptr<const net::Handler> inner,
                                          Request request) {
    auto admission = admit(self, std::move(request));
    auto admitted = co_await std::move(admission);
    Response response;
    if (!admitted) {
      response = std::move(admitted.error());
    } else if (self->is_full(*admitted)) {
      ++self->counters_.busy;
      response = try_again(503, "too many requests at the same time; web.max_requests is the limit");
    } else {
      const Place place(self);
      auto answering = (*inner)(std::move(*admitted));
      response = co_await std::move(answering);
    }
    self->put_headers(response);
    co_return response;
  }

  void close() {
    if (accounts_) accounts_->close();
  }
  [[nodiscard]] const GuardCounters& counters() const noexcept { return counters_; }

 private:
  using Admitted = boost::system::result<Request, Response>;

  /// A request that is being answered, for as long as the object is there.
  class Place {
   public:
    explicit Place(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) { ++gate_->inside_; }
    ~Place() { --gate_->inside_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    std::shared_ptr<Gate> gate_;
  };

  [[nodiscard]] bool is_full(const Request& request) const {
    return options_.max_requests > 0 && inside_ >= options_.max_requests && !is_probe_of_health(request);
  }

  /// @return the request without its password, or why it is turned away.
  static asio::awaitable<Admitted> admit(std::shared_ptr<Gate> self, Request request) {
    if (self->has_strange_host(request)) {
      ++self->counters_.host;
      co_return refusal(421, "this Host is not served here; use localhost, an address, or a name of web.allowed_hosts");
    }
    if (request.reach != net::Reach::socket_file && is_from_another_site(request)) {
      ++self->counters_.origin;
      co_return refusal(403, "a page of another site may not do this");
    }
    if (self->is_too_fast(Clock::now())) {
      ++self->counters_.rate;
      co_return try_again(429, "too many requests; web.rate_limit is the limit");
    }
    if (!self->accounts_) co_return request;
    auto checking = log_in(self, take_credentials(request));
    auto failed = co_await std::move(checking);
    if (failed) co_return std::move(*failed);
    co_return request;
  }

  [[nodiscard]] bool has_strange_host(const Request& request) const {
    if (request.reach == net::Reach::socket_file) return false;
    if (request.reach == net::Reach::network && options_.allowed_hosts.empty()) return false;
    return !is_allowed_host(request.header("Host"), options_);
  }

  /// A bucket of `burst` requests that fills by one each interval, kept as the time at which it will be full.
  [[nodiscard]] bool is_too_fast(Deadline now) {
    if (options_.rate_interval.count() == 0) return false;
    const auto full = std::max(full_at_, now) + options_.rate_interval;
    if (full - now > options_.rate_interval * static_cast<int>(options_.rate_burst)) return true;
    full_at_ = full;
    return false;
  }

  static std::optional<Credentials> take_credentials(Request& request) {
    const auto is_login = [](const auto& header) { return text::equal_ignoring_case(header.first, "Authorization"); };
    auto credentials = parse_basic(request.header("Authorization"));
    std::erase_if(request.headers, is_login);
    return credentials;
  }

  /// @return nothing when the login is right.
  static asio::awaitable<std::optional<Response>> log_in(std::shared_ptr<Gate> self,
                                                         std::optional<Credentials> credentials) {
    auto verdict = Accounts::Verdict::unknown;
    if (credentials) {
      auto checking = Accounts::check(self->accounts_, std::move(*credentials));
      verdict = co_await std::move(checking);
    }
    if (verdict == Accounts::Verdict::welcome) co_return std::nullopt;
    if (verdict == Accounts::Verdict::busy) {
      ++self->counters_.busy;
      co_return try_again(503, "too many logins are being checked");
    }
    ++self->counters_.credentials;
    auto response = refusal(401, "a name and a password are needed");
    response.headers.emplace_back("WWW-Authenticate", R"(Basic realm="midst-agent", charset="UTF-8")");
    co_return response;
  }

  void put_headers(Response& response) const {
    for (const auto& [name, value] : options_.headers) {
      const auto is_same = [&, wanted = std::string_view(name)](const auto& header) {
        return text::equal_ignoring_case(header.first, wanted);
      };
      std::erase_if(response.headers, is_same);
      response.headers.emplace_back(name, value);
    }
  }

  GuardOptions options_;
  GuardCounters counters_;
  std::shared_ptr<Accounts> accounts_;  ///< Empty: no login is asked for.
  std::size_t inside_ = 0;
  Deadline full_at_;
};

std::string host_name(std::string_view host_header) {
  auto host = text::trim(host_header);
  if (host.starts_with('[')) {
    host.remove_prefix(1);
    return text::lower(host.substr(0, host.find(']')));
  }
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return text::lower(host);
}

bool is_allowed_host(std::string_view host_header, const GuardOptions& options) {
  // HTTP/1.0 may leave it out, which no browser does.
  if (host_header.empty() || contains(options.allowed_hosts, "*")) return true;
  const auto host = host_name(host_header);
  return host == "localhost" || contains(options.own_hosts, host) || contains(options.allowed_hosts, host) ||
         is_numeric_address(host);
}

Guard::Guard(GuardOptions options) : gate_(std::make_shared<Gate>(std::move(options))) {
}

Guard::~Guard() {
  gate_->close();
}

net::Handler Guard::protect(net::Handler inner) const {
  auto shared = std::make_shared<const net::Handler>(std::move(inner));
  return [gate = gate_, shared](Request request) { return Gate::answer(gate, shared, std::move(request)); };
}

GuardCounters Guard::counters() const noexcept {
  return gate_->counters();
}

}  // namespace midst::web
