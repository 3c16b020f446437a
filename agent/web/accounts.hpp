// Who may log in over HTTP: names and crypt(5) hashes, checked one at a time on a thread of their own. Used by guard.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::web {

/// What an Authorization header says.
struct Credentials {
  std::string name, password;
};

/// @return the credentials of "Basic …" (RFC 7617); nothing for another scheme, broken base64 or a missing colon. Pure.
[[nodiscard]] std::optional<Credentials> parse_basic(std::string_view authorization);

/// One line of [web.basic_auth_users].
struct Account {
  std::string name;
  std::string hash;  ///< As crypt(5) has it: bcrypt, yescrypt, SHA-512 and the like.
};

/// @return why a text is no hash that a login can be checked against within about a second; Errc::config without the
/// text itself.
[[nodiscard]] Result<Done> check_hash(const std::string& hash);

/// The accounts in force. Lives on the loop thread; close() before that loop ends.
class Accounts : public std::enable_shared_from_this<Accounts> {
 public:
  enum class Verdict { welcome, unknown, busy };

  /// @param accounts  not empty, each with a hash that check_hash() takes.
  /// @param max_waiting  logins that are hashed or wait for it; one more is busy. Those that were right lately do not
  /// wait.
  Accounts(std::vector<Account> accounts, std::size_t max_waiting);
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  /// A name that does not exist takes as long as one that does.
  [[nodiscard]] static asio::awaitable<Verdict> check(std::shared_ptr<Accounts> self, Credentials credentials);

  /// Waits for the hashes under way; from now on every login is busy.
  void close();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace midst::web
