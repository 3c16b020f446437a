#include "lib/net/http_sessions.hpp"

#include "lib/base/log.hpp"
#include "lib/net/gzip.hpp"
#include "lib/net/http_message.hpp"
#include "lib/net/server_tls.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace midst::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t pool_gzip_from_bytes = 64 * 1024;  // below that, level 1 takes less than a millisecond
constexpr std::size_t lingering_refusals = 64;           // refused connections that may wait for their client's FIN
constexpr std::chrono::seconds linger_time{1};
constexpr std::size_t linger_bytes = 4 * 1024 * 1024;
constexpr unsigned char handshake_record = 22;  // RFC 8446, 5.1: how every TLS connection begins

asio::awaitable<Result<std::string>> compress(std::string bytes) {
  co_return gzip(bytes);
}

Response refusal_answer(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.body = std::string(refusal.reason) + '\n';
  return response;
}

/// @return an answer after which the connection is closed, as bytes.
std::string last_words(const Response& response, std::string_view date) {
  HeadFacts facts;
  facts.content_length = response.body.size();
  facts.keeps_alive = false;
  facts.date = date;
  return response_head(response, facts) + response.body;
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

/// Half of the descriptors stay for everything else: targets, push clients, the control socket.
std::size_t affordable_connections(std::size_t wanted) {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0 || descriptors.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min<std::size_t>(wanted, std::max<rlim_t>(descriptors.rlim_cur / 2, 1));
}

}  // namespace

/// One connection. Alive as long as its coroutine.
class Session {
 public:
  Session(std::shared_ptr<Sessions> host, Socket socket, Reach reach)
      : host_(std::move(host)),
        limits_(host_->limits_),
        tls_(reach == Reach::socket_file ? nullptr : host_->tls_),
        reach_(reach),
        channel_(std::move(socket)),
        list_(&host_->reading_),
        place_(host_->reading_.insert(host_->reading_.end(), this)) {}
  ~Session() {
    release_unsent();
    list_->erase(place_);
    if (host_->open() == 0) host_->emptied_.cancel();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  static asio::awaitable<void> run(std::shared_ptr<Session> self);

  /// Wakes a connection that waits for a request; one that is being answered is left alone.
  void close_if_idle() {
    if (is_idle_) channel_.wake();
  }
  void close() {
    release_unsent();
    channel_.close();
  }
  /// Goes to the end of a list.
  void join(Sessions::List& list) {
    list.splice(list.end(), *list_, place_);
    list_ = &list;
  }

 private:
  asio::awaitable<bool> greet(Deadline deadline);
  asio::awaitable<bool> shake_hands(Deadline deadline);
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
  void begin_to_wait_for_reader(std::size_t bytes);
  void release_unsent() { host_->unsent_bytes_ -= std::exchange(unsent_bytes_, 0); }

  std::shared_ptr<Sessions> host_;
  const ServerLimits limits_;
  std::shared_ptr<const Handler> handler_;
  std::shared_ptr<ServerTls> tls_;  ///< Set: the connection has to begin with a handshake.
  const Reach reach_;
  Channel channel_;
  Sessions::List* list_;
  Sessions::List::iterator place_;
  std::string unread_;            ///< Received, not yet part of a request: at most header_bytes and one chunk.
  std::size_t unsent_bytes_ = 0;  ///< What host_ has counted of this one.
  bool is_idle_ = false;
};

asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
  const auto accepted = Clock::now();
  if (self->tls_) {
    const bool is_welcome = co_await self->greet(accepted + self->limits_.header_timeout);
    if (!is_welcome) co_return;
  }
  for (bool is_first = true;; is_first = false) {
    self->join(self->host_->reading_);
    const bool has_request = co_await self->wait_for_request(is_first);
    if (!has_request) co_return;
    RequestReader reader(self->limits_.header_bytes, self->limits_.body_bytes);
    const auto begun = is_first ? accepted : Clock::now();
    const bool is_complete = co_await self->read(&reader, begun + self->limits_.header_timeout);
    if (!is_complete) co_return;
    self->join(self->host_->busy_);
    const bool is_kept = co_await self->serve(&reader);
    if (!is_kept) co_return;
    // A client that pipelines without pause must not keep the loop to itself.
    co_await asio::post(self->host_->executor_, asio::use_awaitable);
  }
}

/// Until the client has sent a byte there is no TLS session, so that silent connections cost no more than plain ones.
asio::awaitable<bool> Session::greet(Deadline deadline) {
  for (;;) {
    const auto first = channel_.peek();
    if (!first) co_return false;
    if (*first && **first == handshake_record) break;
    if (*first) {
      co_await refuse(Refusal{400, "an HTTP request was sent to an HTTPS port; write https:// in front"});
      co_return false;
    }
    is_idle_ = true;
    auto waiting = channel_.wait(asio::socket_base::wait_read, deadline);
    const auto outcome = co_await std::move(waiting);
    is_idle_ = false;
    if (!outcome) co_return false;
  }
  auto shaking = shake_hands(deadline);
  const bool is_safe = co_await std::move(shaking);
  if (!is_safe) ++host_->counters_.failed_handshakes;
  co_return is_safe;
}

asio::awaitable<bool> Session::shake_hands(Deadline deadline) {
  if (!channel_.encrypt(tls_->current())) co_return false;
  for (;;) {
    const auto progress = channel_.shake_hands();
    if (!progress) {
      log::debug("TLS handshake failed", {{"reason", progress.error().message}});
      co_return false;
    }
    if (!progress->wants) co_return true;
    auto waiting = channel_.wait(*progress->wants, deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) co_return false;
  }
}

/// A connection on which nothing was ever sent is closed without a word, as browsers open some in advance.
asio::awaitable<bool> Session::wait_for_request(bool is_first) {
  if (!unread_.empty()) co_return true;
  if (host_->is_draining_) co_return false;
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
    auto& chunk = host_->chunk_;
    const auto progress = channel_.read_some(chunk);
    if (!progress) co_return progress.error();
    if (!progress->wants) {
      unread_.append(chunk.data(), progress->size);
      co_return Done{};
    }
    auto waiting = channel_.wait(*progress->wants, deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) co_return outcome.error();
  }
}

asio::awaitable<Result<Done>> Session::write(std::string_view head, std::string_view body) {
  const auto deadline = Clock::now() + limits_.body_timeout;
  const auto size = body.size();
  while (!head.empty() || !body.empty()) {
    const auto progress = channel_.write_some(head, body);
    if (!progress) co_return progress.error();
    const auto of_head = std::min(progress->size, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(progress->size - of_head);
    if (!progress->wants) continue;
    begin_to_wait_for_reader(size);
    auto waiting = channel_.wait(*progress->wants, deadline);
    const auto outcome = co_await std::move(waiting);
    if (!outcome) co_return outcome.error();
  }
  release_unsent();
  co_return Done{};
}

/// A client that does not read holds its answer in memory: there is a limit to what all of them hold together.
void Session::begin_to_wait_for_reader(std::size_t bytes) {
  join(host_->writing_);
  release_unsent();
  unsent_bytes_ = bytes;
  host_->unsent_bytes_ += bytes;
  while (host_->unsent_bytes_ > limits_.unsent_bytes && host_->writing_.size() > 1)
    host_->close_oldest_of(host_->writing_);
}

/// Answers a complete request. @return whether the connection stays open.
asio::awaitable<bool> Session::serve(RequestReader* reader) {
  auto request = reader->take();
  request.reach = reach_;
  const bool is_head = request.method == "HEAD";
  const bool wants_gzip = accepts_gzip(request.header("Accept-Encoding"));
  ++host_->counters_.requests;
  auto answering = answer(std::move(request));
  auto response = co_await std::move(answering);

  HeadFacts facts;
  facts.is_negotiated = has_body(response.status) && response.body.size() >= limits_.gzip_from_bytes;
  if (facts.is_negotiated && wants_gzip) {
    auto compressing = try_gzip(&response.body);
    facts.is_gzip = co_await std::move(compressing);
  }
  facts.content_length = response.body.size();
  facts.keeps_alive = reader->keeps_alive() && !host_->is_draining_;
  facts.version = reader->version();
  facts.date = host_->date();
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
  handler_ = host_->handler_;
  auto answering = (*handler_)(std::move(request));
  co_return co_await std::move(answering);
}

/// Replaces the body by its gzip form; large ones on the pool, so that other connections are not held up.
asio::awaitable<bool> Session::try_gzip(std::string* body) {
  Result<std::string> small = Error{};
  if (body->size() < pool_gzip_from_bytes) {
    small = gzip(*body);
  } else {
    auto large = compress(*body);
    small = co_await asio::co_spawn(host_->pool().get_executor(), std::move(large), asio::use_awaitable);
  }
  if (!small) co_return false;
  *body = std::move(*small);
  co_return true;
}

asio::awaitable<void> Session::refuse(Refusal refusal) {
  ++host_->counters_.bad_requests;
  const auto text = last_words(refusal_answer(refusal), host_->date());
  auto writing = write(text, {});
  const auto outcome = co_await std::move(writing);
  if (outcome) co_await linger();
}

/// Closing with unread bytes would reset the connection and could cost the client its answer (RFC 9112, 9.6).
asio::awaitable<void> Session::linger() {
  channel_.finish();
  const auto deadline = Clock::now() + linger_time;
  is_idle_ = true;
  for (std::size_t taken = 0; taken < linger_bytes && !host_->is_draining_; taken += unread_.size()) {
    unread_.clear();
    auto filled = fill(deadline);
    const auto outcome = co_await std::move(filled);
    if (!outcome || Clock::now() >= deadline) co_return;
    co_await asio::post(host_->executor_, asio::use_awaitable);  // one that never stops must not keep the loop
  }
}

Sessions::Sessions(asio::any_io_executor executor, Handler handler, ServerLimits limits)
    : executor_(std::move(executor)), emptied_(executor_) {
  set_handler(std::move(handler));
  set_limits(limits);
}

Sessions::~Sessions() = default;

void Sessions::set_handler(Handler handler) {
  handler_ = std::make_shared<const Handler>(std::move(handler));
}

void Sessions::set_limits(ServerLimits limits) {
  limits_ = limits;
  limits_.connections = affordable_connections(limits.connections);
}

void Sessions::welcome(Socket socket, Reach reach) {
  const auto staying = reading_.size() + writing_.size() + busy_.size();
  if (staying < limits_.connections || displace()) {
    auto session = std::make_shared<Session>(shared_from_this(), std::move(socket), reach);
    asio::co_spawn(executor_, Session::run(std::move(session)), log_ended);
    return;
  }
  ++counters_.refused_connections;
  const bool speaks_tls = tls_ && reach != Reach::socket_file;  // to whom the answer would be noise
  if (!speaks_tls && refusing_ < lingering_refusals)
    asio::co_spawn(executor_, refuse(shared_from_this(), std::move(socket)), log_ended);
}

bool Sessions::displace() {
  if (reading_.empty() && writing_.empty()) return false;
  close_oldest_of(reading_.empty() ? writing_ : reading_);
  return true;
}

void Sessions::close_oldest_of(List& list) {
  auto* session = list.front();
  ++counters_.displaced_connections;
  session->join(leaving_);
  session->close();
}

/// One short answer, then a moment for the client to read it; never more than one socket buffer, so no wait to write.
asio::awaitable<void> Sessions::refuse(std::shared_ptr<Sessions> self, Socket socket) {
  ++self->refusing_;
  auto response = refusal_answer(Refusal{503, "too many connections"});
  response.headers.emplace_back("Retry-After", "1");
  const auto text = last_words(response, self->date());
  Channel channel(std::move(socket));
  auto outcome = channel.write_some(text, {});
  channel.finish();
  const auto deadline = Clock::now() + linger_time;
  while (outcome && Clock::now() < deadline && !self->is_draining_) {
    auto waiting = channel.wait(asio::socket_base::wait_read, deadline);
    const auto readable = co_await std::move(waiting);
    if (!readable) break;
    outcome = channel.read_some(self->chunk_);
  }
  --self->refusing_;
}

void Sessions::begin_drain() {
  is_draining_ = true;
  for (auto* list : {&reading_, &writing_, &busy_})
    for (auto* session : *list) session->close_if_idle();
}

void Sessions::close_all() {
  for (auto* list : {&reading_, &writing_, &busy_})
    for (auto* session : *list) session->close();
}

asio::awaitable<Result<Done>> Sessions::wait_until_empty(std::shared_ptr<Sessions> self) {
  while (self->open() > 0) {
    self->emptied_.expires_at(Deadline::max());
    co_await self->emptied_.async_wait(as_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return Error{Errc::timeout, "cancelled"};
  }
  co_return Done{};
}

void Sessions::join() {
  if (pool_) pool_->join();
}

std::size_t Sessions::open() const noexcept {
  return reading_.size() + writing_.size() + busy_.size() + leaving_.size();
}

ServerCounters Sessions::counters() const noexcept {
  auto counters = counters_;
  counters.open_connections = open();
  return counters;
}

asio::thread_pool& Sessions::pool() {
  if (!pool_) pool_ = std::make_unique<asio::thread_pool>(1);
  return *pool_;
}

std::string_view Sessions::date() {
  const auto now = std::time(nullptr);
  if (now != date_second_ || date_.empty()) date_ = http_date(now);
  date_second_ = now;
  return date_;
}

}  // namespace midst::net
