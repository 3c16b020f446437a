#include "lib/pq/connection.hpp"

#include "lib/base/backoff.hpp"
#include "lib/base/log.hpp"
#include "lib/pq/session.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace midst::pq {
namespace {

using Clock = std::chrono::steady_clock;

/// The protocol counts a statement's parameters in 16 bits.
constexpr std::size_t max_parameters = std::numeric_limits<std::uint16_t>::max();

/// libpq takes C strings: what stands behind a zero byte would be lost without a word.
bool has_zero_byte(const Statement& statement) noexcept {
  if (statement.sql.find('\0') != std::string::npos) return true;
  return std::any_of(statement.parameters.begin(), statement.parameters.end(),
                     [](const auto& value) { return value && value->find('\0') != std::string::npos; });
}

/// @return why these statements cannot be sent, whatever the server.
std::optional<Error> find_fault(const std::vector<Statement>& statements) {
  std::map<std::string_view, std::string_view> prepared;
  for (const auto& statement : statements) {
    if (has_zero_byte(statement)) return Error{Errc::unsupported, "Postgres text cannot hold a zero byte"};
    if (statement.parameters.size() > max_parameters)
      return Error{Errc::limit, "more than 65535 parameters in one statement"};
    if (statement.prepared_name.empty()) continue;
    const auto known = prepared.emplace(statement.prepared_name, statement.sql).first;
    if (known->second != statement.sql)
      return Error{Errc::internal, "two SQL texts under the prepared name " + statement.prepared_name};
  }
  return std::nullopt;
}

}  // namespace

class Connection::Impl {
 public:
  using Answer = Result<std::vector<Rows>>;

  Impl(asio::any_io_executor executor, Conninfo target, ConnectionOptions options, PasswordProvider password)
      : conninfo(std::move(target)),
        executor_(std::move(executor)),
        options_(std::move(options)),
        password_(std::move(password)),
        backoff_(options_.backoff_first, options_.backoff_max) {}

  /// Runs a verb's `work`, which belongs to `self`, within the deadline, and drops the session when it did not end
  /// well. `self` keeps the Impl alive until the coroutine has ended, also when the Connection goes first.
  static asio::awaitable<Answer> run(std::shared_ptr<Impl> self, asio::awaitable<Answer> work, Deadline deadline);

  asio::awaitable<Answer> pipeline(std::vector<Statement> statements);
  asio::awaitable<Answer> simple(std::string sql);
  asio::awaitable<Answer> connect();

  void close() noexcept;
  [[nodiscard]] std::chrono::milliseconds retry_in() const noexcept { return backoff_.remaining(Clock::now()); }
  [[nodiscard]] const Session* session() const noexcept { return session_.get(); }

  const Conninfo conninfo;
  std::uint64_t connect_count = 0;
  int server_version = 0;

 private:
  enum class Stage { free, connecting, talking };

  /// Ends a verb: a session whose conversation did not end well would answer the next verb with this one's rest.
  class Turn {
   public:
    explicit Turn(Impl& impl) : impl_(impl) { impl_.stage_ = Stage::connecting; }
    ~Turn() {
      if ((impl_.stage_ == Stage::talking && !is_done_) || impl_.is_closing_) impl_.session_.reset();
      impl_.stage_ = Stage::free;
      impl_.is_closing_ = false;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    void done() noexcept { is_done_ = true; }

   private:
    Impl& impl_;
    bool is_done_ = false;
  };

  asio::awaitable<Result<Done>> ensure_session();
  asio::awaitable<Result<Done>> log_in();
  [[nodiscard]] bool may_send_again(const Error& error) const;

  const asio::any_io_executor executor_;
  const ConnectionOptions options_;
  const PasswordProvider password_;
  Backoff backoff_;
  std::unique_ptr<Session> session_;
  Clock::time_point expires_at_ = Clock::time_point::max();
  Stage stage_ = Stage::free;
  bool is_closing_ = false;  ///< close() was called under a running verb.
};

asio::awaitable<Connection::Impl::Answer> Connection::Impl::run(std::shared_ptr<Impl> self,
                                                                asio::awaitable<Answer> work, Deadline deadline) {
  if (self->stage_ != Stage::free) co_return Error{Errc::internal, "two verbs at a time on one connection"};
  if (deadline <= Clock::now()) co_return Error{Errc::timeout, "deadline passed"};
  Turn turn(*self);
  auto answer = co_await with_deadline(std::move(work), deadline);
  if (answer) {
    turn.done();
    co_return answer;
  }
  auto error = answer.error();
  const auto now = Clock::now();
  if (error.code == Errc::timeout && self->stage_ == Stage::connecting) {
    error = error.with_context("login");
    // A caller who gave up early says nothing about the server.
    if (now >= deadline) self->backoff_.begin(error, now);
  }
  co_return error.with_context(self->conninfo.redacted());
}

asio::awaitable<Connection::Impl::Answer> Connection::Impl::pipeline(std::vector<Statement> statements) {
  for (bool is_first_try = true;; is_first_try = false) {
    const auto logins = connect_count;
    auto ensuring = ensure_session();
    const auto ensured = co_await std::move(ensuring);
    if (!ensured) co_return ensured.error();
    const bool was_kept = connect_count == logins;
    stage_ = Stage::talking;
    auto talking = session_->pipeline(statements);
    auto answer = co_await std::move(talking);
    if (answer || !is_first_try || !was_kept || !may_send_again(answer.error())) co_return answer;
    session_.reset();
    stage_ = Stage::connecting;
  }
}

/// A kept connection may be closed by the server just when we write to it. Whether the statements were run before it
/// was closed cannot be known, so that only a session that cannot write is given a second try.
bool Connection::Impl::may_send_again(const Error& error) const {
  return error.code == Errc::closed && !session_->has_received() && session_->is_read_only() && !is_closing_;
}

asio::awaitable<Connection::Impl::Answer> Connection::Impl::simple(std::string sql) {
  auto ensuring = ensure_session();
  const auto ensured = co_await std::move(ensuring);
  if (!ensured) co_return ensured.error();
  stage_ = Stage::talking;
  if (session_->has_setup()) {
    const std::vector<Statement> none;
    auto setting_up = session_->pipeline(none);
    const auto set_up = co_await std::move(setting_up);
    if (!set_up) co_return set_up.error();
  }
  auto talking = session_->simple(sql);
  auto rows = co_await std::move(talking);
  if (!rows) co_return rows.error();
  std::vector<Rows> answer;
  answer.push_back(std::move(*rows));
  co_return std::move(answer);
}

asio::awaitable<Connection::Impl::Answer> Connection::Impl::connect() {
  auto ensuring = ensure_session();
  const auto ensured = co_await std::move(ensuring);
  if (!ensured) co_return ensured.error();
  co_return std::vector<Rows>{};
}

asio::awaitable<Result<Done>> Connection::Impl::ensure_session() {
  if (session_ && !session_->is_alive()) {
    log::info("the server closed a kept connection", {{"server", conninfo.server_label()}});
    session_.reset();
  }
  const auto now = Clock::now();
  if (session_ && now < expires_at_) co_return Done{};
  const auto* error = backoff_.running(now);
  if (error != nullptr && !session_) co_return *error;
  if (error == nullptr) {
    auto logging_in = log_in();
    const auto logged_in = co_await std::move(logging_in);
    // An old session outlives a failed replacement: a server that is full still answers those who are in.
    if (!logged_in && !session_) co_return logged_in.error();
  }
  co_return Done{};
}

asio::awaitable<Result<Done>> Connection::Impl::log_in() {
  auto target = conninfo;
  if (password_) {
    auto password = password_();
    if (!password) {
      backoff_.begin(password.error(), Clock::now());
      co_return password.error();
    }
    target.set("password", std::move(*password));
  }
  auto opening = Session::open(executor_, std::move(target), options_.session_setup);
  auto opened = co_await std::move(opening);
  const auto now = Clock::now();
  if (!opened) {
    backoff_.begin(opened.error(), now);
    co_return opened.error();
  }
  backoff_.reset();
  session_ = std::move(*opened);
  ++connect_count;
  server_version = session_->server_version();
  expires_at_ = options_.max_lifetime.count() == 0 ? Clock::time_point::max()
                                                   : now + backoff_.jittered(options_.max_lifetime, 0.9, 1.1);
  co_return Done{};
}

void Connection::Impl::close() noexcept {
  if (stage_ == Stage::free) {
    session_.reset();
    return;
  }
  is_closing_ = true;
  if (session_) session_->cut();
}

Connection::Connection(asio::any_io_executor executor, Conninfo conninfo, ConnectionOptions options,
                       PasswordProvider password)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(conninfo), std::move(options), std::move(password))) {
}

Connection::~Connection() {
  impl_->close();
}

asio::awaitable<Result<std::vector<Rows>>> Connection::pipeline(std::vector<Statement> statements, Deadline deadline) {
  const auto self = impl_;
  if (const auto fault = find_fault(statements)) co_return *fault;
  auto work = self->pipeline(std::move(statements));
  auto running = Impl::run(self, std::move(work), deadline);
  co_return co_await std::move(running);
}

asio::awaitable<Result<Rows>> Connection::simple(std::string sql, Deadline deadline) {
  const auto self = impl_;
  if (sql.find('\0') != std::string::npos) co_return Error{Errc::unsupported, "SQL cannot hold a zero byte"};
  auto work = self->simple(std::move(sql));
  auto running = Impl::run(self, std::move(work), deadline);
  auto answer = co_await std::move(running);
  if (!answer) co_return answer.error();
  co_return std::move(answer->front());
}

asio::awaitable<Result<Done>> Connection::connect(Deadline deadline) {
  const auto self = impl_;
  auto work = self->connect();
  auto running = Impl::run(self, std::move(work), deadline);
  const auto answer = co_await std::move(running);
  if (!answer) co_return answer.error();
  co_return Done{};
}

void Connection::close() noexcept {
  impl_->close();
}

std::chrono::milliseconds Connection::retry_in() const noexcept {
  return impl_->retry_in();
}
bool Connection::is_connected() const noexcept {
  return impl_->session() != nullptr && impl_->session()->stands();
}
std::uint64_t Connection::connect_count() const noexcept {
  return impl_->connect_count;
}
int Connection::server_version() const noexcept {
  return impl_->server_version;
}
int Connection::backend_pid() const noexcept {
  return impl_->session() == nullptr ? 0 : impl_->session()->backend_pid();
}
std::string Connection::parameter(const std::string& name) const {
  return impl_->session() == nullptr ? std::string{} : impl_->session()->parameter(name);
}
const Conninfo& Connection::conninfo() const noexcept {
  return impl_->conninfo;
}

}  // namespace midst::pq
