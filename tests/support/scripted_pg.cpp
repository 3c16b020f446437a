#include "tests/support/scripted_pg.hpp"

#include "lib/base/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <map>
#include <sstream>
#include <tuple>

namespace midst::test {

using asio::ip::tcp;

struct ScriptedPg::State {
  State(asio::io_context& io, std::vector<std::pair<std::string, std::string>> reported, Answers give)
      : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        parameters(std::move(reported)),
        answers(std::move(give)) {}

  tcp::acceptor acceptor;
  std::vector<std::pair<std::string, std::string>> parameters;
  Answers answers;
  std::vector<std::shared_ptr<tcp::socket>> sockets;
  std::vector<std::string> executed;
  std::string refusal_state, refusal, hanging_database;
  std::size_t logins = 0;
};

namespace {

// PostgreSQL 15 docs, chapter 55.7, "Message Formats".
constexpr std::uint32_t ssl_request = 80877103, gss_request = 80877104;

std::string big_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>((value >> shift) & 0xFFU);
  return text;
}

std::uint32_t number_at(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

std::string message(char type, const std::string& body) {
  return type + big_endian(static_cast<std::uint32_t>(body.size() + 4), 4) + body;
}

std::string text(std::string_view value) {
  return std::string(value) + '\0';
}

std::string error_message(const PgAnswer& answer) {
  const std::string severity = answer.is_fatal ? "FATAL" : "ERROR";
  return message('E', "S" + text(severity) + "V" + text(severity) + "C" + text(answer.sqlstate) + "M" +
                          text(answer.message) + '\0');
}

std::string row_description(const PgAnswer& answer) {
  std::string body = big_endian(static_cast<std::uint32_t>(answer.columns.size()), 2);
  constexpr std::uint32_t text_type = 25;
  for (const auto& column : answer.columns)
    body += text(column) + big_endian(0, 4) + big_endian(0, 2) + big_endian(text_type, 4) + big_endian(0xFFFF, 2) +
            big_endian(0xFFFFFFFF, 4) + big_endian(0, 2);
  return message('T', body);
}

std::string data_rows(const PgAnswer& answer) {
  std::string bytes;
  for (const auto& row : answer.rows) {
    std::string body = big_endian(static_cast<std::uint32_t>(row.size()), 2);
    for (const auto& value : row)
      body += value ? big_endian(static_cast<std::uint32_t>(value->size()), 4) + *value : big_endian(0xFFFFFFFF, 4);
    bytes += message('D', body);
  }
  return bytes + message('C', text("SELECT " + std::to_string(answer.rows.size())));
}

const std::string ready = message('Z', "I");

/// One login: what it has prepared, and the statement that is bound.
class Talk {
 public:
  Talk(std::shared_ptr<ScriptedPg::State> state, std::shared_ptr<tcp::socket> socket)
      : state_(std::move(state)), socket_(std::move(socket)) {}

  static asio::awaitable<void> run(std::shared_ptr<Talk> self) {
    auto logging_in = self->log_in();
    bool goes_on = co_await std::move(logging_in);
    while (goes_on) {
      auto answering = self->answer_one();
      goes_on = co_await std::move(answering);
    }
    error_code ignored;
    self->socket_->close(ignored);
  }

 private:
  asio::awaitable<bool> log_in() {
    for (;;) {
      auto head = co_await read(8);
      if (head.empty()) co_return false;
      const auto rest = co_await read(number_at(head) - 8);
      const auto code = number_at(head.substr(4));
      if (code != ssl_request && code != gss_request) {
        is_hanging_ = !state_->hanging_database.empty() &&
                      rest.find("database" + text("") + text(state_->hanging_database)) != std::string::npos;
        break;
      }
      const bool is_sent = co_await send("N");
      if (!is_sent) co_return false;
    }
    if (is_hanging_) {
      auto hanging = hang();
      co_return co_await std::move(hanging);
    }
    if (!state_->refusal_state.empty()) {
      PgAnswer refused;
      refused.sqlstate = state_->refusal_state;
      refused.message = state_->refusal;
      refused.is_fatal = true;
      std::ignore = co_await send(error_message(refused));
      co_return false;
    }
    ++state_->logins;
    std::string greeting = message('R', big_endian(0, 4));
    for (const auto& [name, value] : state_->parameters) greeting += message('S', text(name) + text(value));
    greeting += message('K', big_endian(4711, 4) + big_endian(1, 4)) + ready;
    co_return co_await send(greeting);
  }

  asio::awaitable<bool> answer_one() {
    auto head = co_await read(5);
    if (head.empty()) co_return false;
    const auto body = co_await read(number_at(std::string_view(head).substr(1)) - 4);
    const auto reply = reply_to(head.front(), body);
    if (!reply) co_return false;
    if (is_hanging_) {
      auto hanging = hang();
      co_return co_await std::move(hanging);
    }
    if (reply->empty()) co_return true;
    auto sending = send(*reply);
    co_return co_await std::move(sending);
  }

  asio::awaitable<bool> hang() {
    for (;;) {
      const auto byte = co_await read(1);
      if (byte.empty()) co_return false;
    }
  }

  /// @return what goes out; nothing: the connection ends.
  std::optional<std::string> reply_to(char type, const std::string& body) {
    if (type == 'X') return std::nullopt;
    if (type == 'S') {
      is_skipping_ = false;
      return ready;
    }
    if (is_skipping_ || type == 'H') return "";
    const auto first = std::string(body.c_str());
    if (type == 'Q') return simple(first);
    const auto second = first.size() < body.size() ? std::string(body.c_str() + first.size() + 1) : std::string();
    if (type == 'P') return parse(first, second);
    if (type == 'B') {
      bound_ = second;
      auto& [sql, answer] = prepared_[bound_];
      answer = state_->answers(sql);
      return answer.hangs ? hanging() : message('2', "");
    }
    if (type == 'D') return row_description(prepared_[bound_].second);
    if (type == 'E') {
      state_->executed.push_back(prepared_[bound_].first);
      return data_rows(prepared_[bound_].second);
    }
    return type == 'C' ? message('3', "") : "";
  }

  std::optional<std::string> simple(const std::string& sql) {
    state_->executed.push_back(sql);
    const auto answer = state_->answers(sql);
    if (answer.hangs) return hanging();
    if (answer.sqlstate.empty()) return row_description(answer) + data_rows(answer) + ready;
    if (answer.is_fatal) return fatal(answer);
    return error_message(answer) + ready;
  }

  std::optional<std::string> parse(const std::string& name, const std::string& sql) {
    auto answer = state_->answers(sql);
    if (answer.hangs) return hanging();
    if (answer.is_fatal) return fatal(answer);
    if (!answer.sqlstate.empty()) {
      state_->executed.push_back(sql);
      is_skipping_ = true;
      return error_message(answer);
    }
    prepared_[name] = {sql, std::move(answer)};
    return message('1', "");
  }

  std::string hanging() {
    is_hanging_ = true;
    return "";
  }

  /// The farewell goes out before the end does.
  std::optional<std::string> fatal(const PgAnswer& answer) {
    error_code ignored;
    asio::write(*socket_, asio::buffer(error_message(answer)), ignored);
    return std::nullopt;
  }

  asio::awaitable<std::string> read(std::size_t count) {
    std::string bytes(count, '\0');
    if (count == 0) co_return bytes;
    auto reading = asio::async_read(*socket_, asio::buffer(bytes), as_result);
    const auto [error, got] = co_await std::move(reading);
    co_return error ? std::string() : bytes;
  }

  asio::awaitable<bool> send(std::string bytes) {
    auto writing = asio::async_write(*socket_, asio::buffer(bytes), as_result);
    const auto [error, sent] = co_await std::move(writing);
    co_return !error;
  }

  std::shared_ptr<ScriptedPg::State> state_;
  std::shared_ptr<tcp::socket> socket_;
  std::map<std::string, std::pair<std::string, PgAnswer>> prepared_;
  std::string bound_;
  bool is_skipping_ = false, is_hanging_ = false;
};

asio::awaitable<void> accept_all(std::shared_ptr<ScriptedPg::State> state) {
  for (;;) {
    auto [error, accepted] = co_await state->acceptor.async_accept(as_result);
    if (error) co_return;
    auto socket = std::make_shared<tcp::socket>(std::move(accepted));
    state->sockets.push_back(socket);
    auto talk = std::make_shared<Talk>(state, std::move(socket));
    asio::co_spawn(state->acceptor.get_executor(), Talk::run(std::move(talk)), asio::detached);
  }
}

std::optional<std::string> unescaped(std::string_view value) {
  if (value == "\\N") return std::nullopt;
  std::string plain;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\' || i + 1 == value.size()) {
      plain += value[i];
      continue;
    }
    const char c = value[++i];
    plain += c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }
  return plain;
}

std::vector<std::optional<std::string>> cells_of(const std::string& line) {
  std::vector<std::optional<std::string>> cells;
  std::size_t begin = 0;
  for (;;) {
    const auto end = line.find('\t', begin);
    cells.push_back(unescaped(std::string_view(line).substr(begin, end == std::string::npos ? end : end - begin)));
    if (end == std::string::npos) return cells;
    begin = end + 1;
  }
}

}  // namespace

PgAnswer PgAnswer::error(std::string sqlstate, std::string message) {
  PgAnswer answer;
  answer.sqlstate = std::move(sqlstate);
  answer.message = std::move(message);
  return answer;
}

PgAnswer PgAnswer::recorded(std::string_view text) {
  PgAnswer answer;
  std::istringstream lines{std::string(text)};
  std::string line;
  if (!std::getline(lines, line)) return answer;
  for (auto& name : cells_of(line)) answer.columns.push_back(name.value_or(""));
  while (std::getline(lines, line)) answer.rows.push_back(cells_of(line));
  return answer;
}

ScriptedPg::ScriptedPg(asio::io_context& io, std::vector<std::pair<std::string, std::string>> parameters,
                       Answers answers)
    : state_(std::make_shared<State>(io, std::move(parameters), std::move(answers))) {
  asio::co_spawn(io, accept_all(state_), asio::detached);
}

ScriptedPg::~ScriptedPg() {
  error_code ignored;
  state_->acceptor.close(ignored);
  cut();
}

std::uint16_t ScriptedPg::port() const noexcept {
  error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

std::string ScriptedPg::dsn(std::string_view database) const {
  return "host=127.0.0.1 user=midst sslmode=disable gssencmode=disable dbname=" + std::string(database) +
         " port=" + std::to_string(port());
}

std::size_t ScriptedPg::connection_count() const noexcept {
  return state_->logins;
}

const std::vector<std::string>& ScriptedPg::executed() const noexcept {
  return state_->executed;
}

void ScriptedPg::refuse_logins(std::string sqlstate, std::string message) {
  state_->refusal_state = std::move(sqlstate);
  state_->refusal = std::move(message);
}

void ScriptedPg::hang_logins_to(std::string database) {
  state_->hanging_database = std::move(database);
}

void ScriptedPg::cut() {
  error_code ignored;
  for (const auto& socket : state_->sockets) socket->close(ignored);
  state_->sockets.clear();
}

}  // namespace midst::test
