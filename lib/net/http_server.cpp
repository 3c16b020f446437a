#include "lib/net/http_server.hpp"

#include "lib/base/log.hpp"
#include "lib/net/http_sessions.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

namespace midst::net {
namespace {

using Acceptor = asio::basic_socket_acceptor<StreamProtocol>;

constexpr std::chrono::milliseconds accept_pause{100};  // after ENOMEM and its kin

struct Listening {
  Listening(asio::any_io_executor executor, Listener listener, const sockaddr_storage& local)
      : file(std::move(listener.file)),
        address(std::move(listener.address)),
        reach(reach_of(local)),
        acceptor(std::move(executor)) {
    acceptor.assign(StreamProtocol(local.ss_family, 0), listener.descriptor.release());
  }

  static Reach reach_of(const sockaddr_storage& local) {
    if (local.ss_family == AF_UNIX) return Reach::socket_file;
    if (local.ss_family == AF_INET) {
      const auto& address = reinterpret_cast<const sockaddr_in&>(local);
      return ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET ? Reach::loopback : Reach::network;
    }
    const auto& address = reinterpret_cast<const sockaddr_in6&>(local).sin6_addr;
    const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&address) || is_mapped ? Reach::loopback : Reach::network;
  }

  SocketPath file;
  std::string address;
  Reach reach;
  Acceptor acceptor;
};

void log_ended(std::exception_ptr thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    log::error("an http listener ended by an exception", {{"message", error.what()}});
  }
}

}  // namespace

/// What accepts; the connections themselves are with Sessions.
class HttpServer::Listeners : public std::enable_shared_from_this<Listeners> {
 public:
  Listeners(asio::any_io_executor executor, Handler handler, ServerLimits limits)
      : executor_(executor), sessions_(std::make_shared<Sessions>(std::move(executor), std::move(handler), limits)) {}

  Result<std::string> start(Result<Listener> opened) {
    if (!opened) return opened.error();
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    ::getsockname(opened->descriptor.get(), reinterpret_cast<sockaddr*>(&local), &size);
    auto listening = std::make_shared<Listening>(executor_, std::move(*opened), local);
    listening_.push_back(listening);
    asio::co_spawn(executor_, accept_loop(shared_from_this(), listening), log_ended);
    return listening->address;
  }

  void stop_accepting() {
    error_code ignored;
    for (const auto& listening : listening_) {
      listening->file = SocketPath();  // at once: the accept loop keeps `listening` until it has seen the close
      listening->acceptor.close(ignored);
    }
    listening_.clear();
  }

  static asio::awaitable<void> drain(std::shared_ptr<Listeners> self, Deadline deadline) {
    self->stop_accepting();
    self->sessions_->begin_drain();
    auto emptying = Sessions::wait_until_empty(self->sessions_);
    auto waiting = with_deadline(std::move(emptying), deadline);
    const auto outcome = co_await std::move(waiting);
    if (outcome) co_return;
    log::warn("http connections were cut at shutdown", {{"connections", self->sessions_->open()}});
    self->sessions_->close_all();
  }

  /// The end without drain(): connections are cut.
  void abandon() {
    stop_accepting();
    sessions_->begin_drain();
    sessions_->close_all();
    sessions_->join();
  }

  [[nodiscard]] Sessions& sessions() const noexcept { return *sessions_; }

 private:
  static asio::awaitable<void> accept_loop(std::shared_ptr<Listeners> self, std::shared_ptr<Listening> listening) {
    bool is_failing = false;
    while (listening->acceptor.is_open()) {
      auto [ec, socket] = co_await listening->acceptor.async_accept(as_result);
      if (!ec) {
        is_failing = false;
        self->sessions_->welcome(std::move(socket), listening->reach);
        continue;
      }
      if (!listening->acceptor.is_open()) co_return;
      if (ec == asio::error::connection_aborted || ec == asio::error::try_again) continue;
      if (!is_failing)
        log::warn("cannot accept connections", {{"listener", listening->address}, {"message", ec.message()}});
      is_failing = true;
      if (ec == asio::error::no_descriptors && self->sessions_->displace()) continue;
      asio::steady_timer pause(self->executor_, accept_pause);
      co_await pause.async_wait(as_result);
    }
  }

  asio::any_io_executor executor_;
  std::shared_ptr<Sessions> sessions_;
  std::vector<std::shared_ptr<Listening>> listening_;
};

HttpServer::HttpServer(asio::any_io_executor executor, Handler handler, ServerLimits limits)
    : listeners_(std::make_shared<Listeners>(std::move(executor), std::move(handler), limits)) {
}

HttpServer::~HttpServer() {
  listeners_->abandon();
}

Result<std::string> HttpServer::listen(std::string_view address) {
  const auto parsed = parse_listen_address(address);
  if (!parsed) return parsed.error();
  return listeners_->start(open_listener(*parsed, SocketFile{}));
}

Result<std::string> HttpServer::adopt(int listening_descriptor) {
  return listeners_->start(adopt_listener(Descriptor(listening_descriptor)));
}

void HttpServer::stop_accepting() {
  listeners_->stop_accepting();
}

asio::awaitable<void> HttpServer::drain(Deadline deadline) {
  auto draining = Listeners::drain(listeners_, deadline);
  co_await std::move(draining);
}

void HttpServer::set_tls(std::shared_ptr<ServerTls> tls) {
  listeners_->sessions().set_tls(std::move(tls));
}

void HttpServer::set_handler(Handler handler) {
  listeners_->sessions().set_handler(std::move(handler));
}

void HttpServer::set_limits(ServerLimits limits) {
  listeners_->sessions().set_limits(limits);
}

ServerCounters HttpServer::counters() const noexcept {
  return listeners_->sessions().counters();
}

}  // namespace midst::net
