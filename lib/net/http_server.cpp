#include "lib/net/http_server.hpp"

#include "lib/base/log.hpp"
#include "lib/net/gzip.hpp"
#include "lib/net/http_message.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <sys/socket.h>

#include <array>
#include <ctime>
#include <unordered_set>

namespace midst::net {
namespace {

using StreamProtocol = asio::generic::stream_protocol;  // TCP and Unix sockets by one code path
using Socket = asio::basic_stream_socket<StreamProtocol>;
using Acceptor = asio::basic_socket_acceptor<StreamProtocol>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_chunk_bytes = 16 * 1024;
constexpr std::size_t pool_gzip_from_bytes = 64 * 1024;  // below that, level 1 takes less than a millisecond
constexpr std::size_t lingering_refusals = 64;           // refused connections that may wait for their client's FIN
constexpr std::chrono::seconds linger_time{1};
constexpr std::chrono::milliseconds accept_pause{100};  // after EMFILE and its kin

struct Listening {
  Listening(asio::any_io_executor executor, Listener listener, StreamProtocol protocol)
      : file(std::move(listener.file)), address(std::move(listener.address)), acceptor(std::move(executor)) {
    acceptor.assign(protocol, listener.descriptor.release());
  }
  SocketPath file;
  std::string address;
  Acceptor acceptor;
};

asio::awaitable<Result<Done>> wait_for(Socket* socket, asio::socket_base::wait_type what) {
  const auto [ec] = co_await socket->async_wait(what, as_result);
  if (ec) co_return Error{Errc::closed, ec.message()};
  co_return Done{};
}

asio::awaitable<Result<std::string>> compress(std::string bytes) {
  co_return gzip(bytes);
}

Response refusal_answer(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.body = std::string(refusal.reason) + '\n';
  return response;
}

void log_failed_request(const std::string& path, const Error& error) {
  log::error("http handler failed", {{"path", path}, {"reason", word(error.code)}, {"message", error.message}});
}

void log_ended(std::exception_ptr thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    log::error("http connection ended by an exception", {{"message", error.what()}});
  }
}

}  // namespace

class Session;

/// What the connections of one HttpServer share. Alive until the last of them has ended.
class Server : public std::enable_shared_from_this<Server> {
 public:
  Server(asio::any_io_executor executor, Handler handler, ServerLimits limits)
      : executor_(std::move(executor)), handler_(std::move(handler)), limits_(limits), emptied_(executor_) {}

  Result<std::string> start(Result<Listener> opened);
  void stop_accepting();
  void close_all();
  [[nodiscard]] static asio::awaitable<void> drain(std::shared_ptr<Server> self, Deadline deadline);
  void abandon();
  [[nodiscard]] const ServerCounters& counters() const noexcept { return counters_; }

 private:
  friend class Session;

  static asio::awaitable<void> accept_loop(std::shared_ptr<Server> self, std::shared_ptr<Listening> listening);
  static asio::awaitable<void> refuse(std::shared_ptr<Server> self, Socket socket);
  static asio::awaitable<Result<Done>> wait_until_empty(std::shared_ptr<Server> self);
  void welcome(Socket socket);
  asio::thread_pool& pool();
  std::string_view date();

  asio::any_io_executor executor_;
  Handler handler_;
  ServerLimits limits_;
  ServerCounters counters_;
  std::vector<std::shared_ptr<Listening>> listening_;
  std::unordered_set<Session*> sessions_;
  asio::steady_timer emptied_;  ///< Cancelled when the last session ends; what drain() waits for.
  std::unique_ptr<asio::thread_pool> pool_;
  std::array<char, read_chunk_bytes> chunk_{};  ///< Filled and emptied between two suspensions.
  std::string date_;
  std::time_t date_second_ = 0;
  std::size_t refusing_ = 0;
  bool is_draining_ = false;
};

/// One connection, from accept to close. Alive as long as its coroutine.
class Session {
 public:
  Session(std::shared_ptr<Server> server, Socket socket)
      : server_(std::move(server)), limits_(server_->limits_), socket_(std::move(socket)) {
    server_->sessions_.insert(this);
    ++server_->counters_.open_connections;
  }
  ~Session() {
    server_->sessions_.erase(this);
    --server_->counters_.open_connections;
    if (server_->sessions_.empty()) server_->emptied_.cancel();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static asio::awaitable<void> run(std::shared_ptr<Session> self);

  /// Wakes a connection that waits for a request; one that is being answered is left alone.
  void close_if_idle() {
    error_code ignored;
    if (is_idle_) socket_.cancel(ignored);
  }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  asio::awaitable<bool> wait_for_request(bool is_first);
  asio::awaitable<bool> read(RequestReader* reader, Deadline header_deadline);
  asio::awaitable<Result<Done>> fill(Deadline deadline);
  asio::awaitable<Result<Done>> write(std::string_view head, std::string_view body);
  asio::awaitable<bool> serve(RequestReader* reader);
  asio::awaitable<Response> answer(Request request);
  asio::awaitable<Result<Response>> invoke(Request request);
  asio::awaitable<bool> try_gzip(std::string* body);
  asio::awaitable<void> refuse(Refusal refusal);
  asio::awaitable<void> linger();

  std::shared_ptr<Server> server_;
  const ServerLimits limits_;
  Socket socket_;
  std::string unread_;  ///< Received, not yet part of a request: at most header_bytes and one chunk.
  bool is_idle_ = false;
};

asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
  for (bool is_first = true;; is_first = false) {
    const auto accepted = Clock::now();
    const bool has_request = co_await self->wait_for_request(is_first);
    if (!has_request) co_return;
    RequestReader reader(self->limits_.header_bytes, self->limits_.body_bytes);
    const auto begun = is_first ? accepted : Clock::now();
    const bool is_complete = co_await self->read(&reader, begun + self->limits_.header_timeout);
    if (!is_complete) co_return;
    const bool is_kept = co_await self->serve(&reader);
    if (!is_kept) co_return;
    // A client that pipelines without pause must not keep the loop to itself.
    co_await asio::post(self->server_->executor_, asio::use_awaitable);
  }
}

/// A connection on which nothing was ever sent is closed without a word, as browsers open some in advance.
asio::awaitable<bool> Session::wait_for_request(bool is_first) {
  if (!unread_.empty()) co_return true;
  if (server_->is_draining_) co_return false;
  const auto patience = is_first ? limits_.header_timeout : limits_.idle_timeout;
  is_idle_ = true;
  auto filled = fill(Clock::now() + patience);
  const auto outcome = co_await std::move(filled);
  is_idle_ = false;
  co_return outcome.has_value();
}

/// Reads one request whole. @return false when the connection is at its end: refused, late or left by the client.
asio::awaitable<bool> Session::read(RequestReader* reader, Deadline header_deadline) {
  Deadline deadline = header_deadline;
  bool is_in_body = false;
  for (;;) {
    unread_.erase(0, reader->feed(unread_));
    if (reader->refusal()) {
      co_await refuse(*reader->refusal());
      co_return false;
    }
    if (reader->is_done()) co_return true;
    if (reader->is_header_done() && !is_in_body) {
      is_in_body = true;
      deadline = Clock::now() + limits_.body_timeout;
      if (reader->expects_continue()) co_await write("HTTP/1.1 100 Continue\r\n\r\n", {});
    }
    auto filled = fill(deadline);
    const auto outcome = co_await std::move(filled);
    if (outcome) continue;
    if (outcome.error().code == Errc::timeout) co_await refuse(Refusal{408, "the request did not arrive in time"});
    co_return false;
  }
}

/// Appends what the client sent to unread_, waiting for it if there is nothing yet.
asio::awaitable<Result<Done>> Session::fill(Deadline deadline) {
  for (;;) {
    error_code ec;
    auto& chunk = server_->chunk_;
    const auto size = socket_.read_some(asio::buffer(chunk), ec);
    if (!ec) {
      unread_.append(chunk.data(), size);
      co_return Done{};
    }
    if (ec != asio::error::would_block) co_return Error{Errc::closed, ec.message()};
    auto readable = wait_for(&socket_, asio::socket_base::wait_read);
    auto waiting = with_deadline(std::move(readable), deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) co_return outcome.error();
  }
}

asio::awaitable<Result<Done>> Session::write(std::string_view head, std::string_view body) {
  const auto deadline = Clock::now() + limits_.body_timeout;
  while (!head.empty() || !body.empty()) {
    error_code ec;
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
    const auto sent = socket_.write_some(parts, ec);
    if (ec && ec != asio::error::would_block) co_return Error{Errc::closed, ec.message()};
    const auto of_head = std::min(sent, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(sent - of_head);
    if (!ec) continue;
    auto writable = wait_for(&socket_, asio::socket_base::wait_write);
    auto waiting = with_deadline(std::move(writable), deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) co_return outcome.error();
  }
  co_return Done{};
}

/// Answers a complete request. @return whether the connection stays open.
asio::awaitable<bool> Session::serve(RequestReader* reader) {
  auto request = reader->take();
  const bool is_head = request.method == "HEAD";
  const bool wants_gzip = accepts_gzip(request.header("Accept-Encoding"));
  ++server_->counters_.requests;
  auto answering = answer(std::move(request));
  auto response = co_await std::move(answering);

  HeadFacts facts;
  facts.is_negotiated = has_body(response.status) && response.body.size() >= limits_.gzip_from_bytes;
  if (facts.is_negotiated && wants_gzip) {
    auto compressing = try_gzip(&response.body);
    facts.is_gzip = co_await std::move(compressing);
  }
  facts.content_length = response.body.size();
  facts.keeps_alive = reader->keeps_alive() && !server_->is_draining_;
  facts.version = reader->version();
  facts.date = server_->date();
  const auto head = response_head(response, facts);
  const bool sends_body = !is_head && has_body(response.status);
  auto writing = write(head, sends_body ? std::string_view(response.body) : std::string_view());
  const auto outcome = co_await std::move(writing);
  co_return outcome.has_value() && facts.keeps_alive;
}

/// The door at which exceptions of the handler end.
asio::awaitable<Response> Session::answer(Request request) {
  const auto path = request.path;
  auto working = no_throw(invoke(std::move(request)));
  auto outcome = co_await std::move(working);
  if (outcome) co_return std::move(*outcome);
  log_failed_request(path, outcome.error());
  co_return refusal_answer(Refusal{500, "internal error"});
}

/// A coroutine of its own, so that a handler that throws before its first suspension is caught too.
asio::awaitable<Result<Response>> Session::invoke(Request request) {
  auto answering = server_->handler_(std::move(request));
  co_return co_await std::move(answering);
}

/// Replaces the body by its gzip form; large ones on the pool, so that other connections are not held up.
asio::awaitable<bool> Session::try_gzip(std::string* body) {
  Result<std::string> small = Error{};
  if (body->size() < pool_gzip_from_bytes) {
    small = gzip(*body);
  } else {
    auto large = compress(*body);
    small = co_await asio::co_spawn(server_->pool().get_executor(), std::move(large), asio::use_awaitable);
  }
  if (!small) co_return false;
  *body = std::move(*small);
  co_return true;
}

asio::awaitable<void> Session::refuse(Refusal refusal) {
  ++server_->counters_.bad_requests;
  const auto response = refusal_answer(refusal);
  HeadFacts facts;
  facts.content_length = response.body.size();
  facts.keeps_alive = false;
  facts.date = server_->date();
  const auto head = response_head(response, facts);
  auto writing = write(head, response.body);
  const auto outcome = co_await std::move(writing);
  if (outcome) co_await linger();
}

/// Closing with unread bytes would reset the connection and could cost the client its answer (RFC 9112, 9.6).
asio::awaitable<void> Session::linger() {
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  const auto deadline = Clock::now() + linger_time;
  is_idle_ = true;
  while (!server_->is_draining_) {
    unread_.clear();
    auto filled = fill(deadline);
    const auto outcome = co_await std::move(filled);
    if (!outcome || Clock::now() >= deadline) co_return;
  }
}

Result<std::string> Server::start(Result<Listener> opened) {
  if (!opened) return opened.error();
  sockaddr local{};
  socklen_t size = sizeof local;
  ::getsockname(opened->descriptor.get(), &local, &size);
  const StreamProtocol protocol(local.sa_family, 0);
  auto listening = std::make_shared<Listening>(executor_, std::move(*opened), protocol);
  listening_.push_back(listening);
  asio::co_spawn(executor_, accept_loop(shared_from_this(), listening), log_ended);
  return listening->address;
}

asio::awaitable<void> Server::accept_loop(std::shared_ptr<Server> self, std::shared_ptr<Listening> listening) {
  bool is_failing = false;
  while (listening->acceptor.is_open()) {
    auto [ec, socket] = co_await listening->acceptor.async_accept(as_result);
    if (!ec) {
      is_failing = false;
      self->welcome(std::move(socket));
      continue;
    }
    if (!listening->acceptor.is_open()) co_return;
    if (ec == asio::error::connection_aborted || ec == asio::error::try_again) continue;
    if (!is_failing)
      log::warn("cannot accept connections", {{"listener", listening->address}, {"message", ec.message()}});
    is_failing = true;
    asio::steady_timer pause(self->executor_, accept_pause);
    co_await pause.async_wait(as_result);
  }
}

void Server::welcome(Socket socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);  // refused by Unix sockets, which have no delay
  if (sessions_.size() < limits_.connections) {
    auto session = std::make_shared<Session>(shared_from_this(), std::move(socket));
    asio::co_spawn(executor_, Session::run(std::move(session)), log_ended);
    return;
  }
  ++counters_.refused_connections;
  if (refusing_ < lingering_refusals)
    asio::co_spawn(executor_, refuse(shared_from_this(), std::move(socket)), log_ended);
}

/// One short answer, then a moment for the client to read it; never more than one socket buffer, so no wait to write.
asio::awaitable<void> Server::refuse(std::shared_ptr<Server> self, Socket socket) {
  ++self->refusing_;
  auto response = refusal_answer(Refusal{503, "too many connections"});
  response.headers.emplace_back("Retry-After", "1");
  HeadFacts facts;
  facts.content_length = response.body.size();
  facts.keeps_alive = false;
  facts.date = self->date();
  const auto text = response_head(response, facts) + response.body;
  error_code ec;
  socket.write_some(asio::buffer(text), ec);
  socket.shutdown(asio::socket_base::shutdown_send, ec);
  const auto deadline = Clock::now() + linger_time;
  while (!ec && Clock::now() < deadline && !self->is_draining_) {
    auto readable = wait_for(&socket, asio::socket_base::wait_read);
    auto waiting = with_deadline(std::move(readable), deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) break;
    socket.read_some(asio::buffer(self->chunk_), ec);
  }
  --self->refusing_;
}

void Server::stop_accepting() {
  error_code ignored;
  for (const auto& listening : listening_) {
    listening->file = SocketPath();  // at once: the accept loop keeps `listening` until it has seen the close
    listening->acceptor.close(ignored);
  }
  listening_.clear();
}

void Server::close_all() {
  for (auto* session : sessions_) session->close();
}

asio::awaitable<void> Server::drain(std::shared_ptr<Server> self, Deadline deadline) {
  self->is_draining_ = true;
  self->stop_accepting();
  for (auto* session : self->sessions_) session->close_if_idle();
  auto emptying = wait_until_empty(self);
  auto waiting = with_deadline(std::move(emptying), deadline);
  const auto outcome = co_await std::move(waiting);
  if (outcome) co_return;
  log::warn("http connections were cut at shutdown", {{"connections", self->sessions_.size()}});
  self->close_all();
}

asio::awaitable<Result<Done>> Server::wait_until_empty(std::shared_ptr<Server> self) {
  while (!self->sessions_.empty()) {
    self->emptied_.expires_at(Deadline::max());
    co_await self->emptied_.async_wait(as_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return Error{Errc::timeout, "cancelled"};
  }
  co_return Done{};
}

asio::thread_pool& Server::pool() {
  if (!pool_) pool_ = std::make_unique<asio::thread_pool>(1);
  return *pool_;
}

/// The end without drain(): connections are cut, and what is being compressed is waited for, since it runs on a thread.
void Server::abandon() {
  is_draining_ = true;
  stop_accepting();
  close_all();
  if (pool_) pool_->join();
}

std::string_view Server::date() {
  const auto now = std::time(nullptr);
  if (now != date_second_ || date_.empty()) date_ = http_date(now);
  date_second_ = now;
  return date_;
}

class HttpServer::Impl : public Server {
 public:
  using Server::Server;
};

HttpServer::HttpServer(asio::any_io_executor executor, Handler handler, ServerLimits limits)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(handler), limits)) {
}

HttpServer::~HttpServer() {
  impl_->abandon();
}

Result<std::string> HttpServer::listen(std::string_view address) {
  const auto parsed = parse_listen_address(address);
  if (!parsed) return parsed.error();
  return impl_->start(open_listener(*parsed, SocketFile{}));
}

Result<std::string> HttpServer::adopt(int listening_descriptor) {
  return impl_->start(adopt_listener(Descriptor(listening_descriptor)));
}

void HttpServer::stop_accepting() {
  impl_->stop_accepting();
}

asio::awaitable<void> HttpServer::drain(Deadline deadline) {
  auto draining = Server::drain(impl_, deadline);
  co_await std::move(draining);
}

ServerCounters HttpServer::counters() const noexcept {
  return impl_->counters();
}

}  // namespace midst::net
