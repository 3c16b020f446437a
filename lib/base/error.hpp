// Errors as values: what every floor returns instead of throwing. A failure is an Errc, which is bounded and
// becomes a log field and a metric label, plus a message for a person, which never becomes a label.
#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace midst {

/// The kind of a failure. Each has one stable word, see word(); words are never renamed.
enum class Errc {
  connect_refused,  ///< Nobody listens there, or the network has no way to it.
  dns,              ///< The host name has no address.
  tls,              ///< The TLS handshake or the certificate was refused.
  auth,             ///< The login was refused, or one is needed and none is set.
  noperm,           ///< Logged in, but this command or object is denied.
  timeout,          ///< The deadline passed.
  closed,           ///< The peer closed the connection.
  loading,          ///< The server is up but still loading its data.
  protocol,         ///< The peer's bytes are not what its protocol allows.
  limit,            ///< One of our own limits was reached.
  unsupported,      ///< The server does not know this command, object or version.
  config,           ///< A setting is wrong; the message names it.
  not_found,        ///< No such thing.
  conflict,         ///< It exists already.
  server,           ///< The server answered with an error of another kind.
  internal,         ///< A bug or an exhausted resource on our side.
};

/// @return the stable word of a kind, e.g. "connect_refused".
[[nodiscard]] std::string_view word(Errc code) noexcept;

/// A failure: its kind and a message that says what to look at or which setting to change.
struct Error {
  Errc code = Errc::internal;
  std::string message;

  /// @return the same failure with "context: " before the message; each floor adds its own once.
  [[nodiscard]] Error with_context(std::string_view context) const;
};

/// @return "word: message", for logs and terminals.
[[nodiscard]] std::string describe(const Error& error);

/// Found by boost::system::result when value() is called on a failure: a broken invariant, so it throws
/// std::logic_error rather than inventing a value.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

/// A value or an Error. Test it before use; value() on an Error is a bug.
template <class T>
using Result = boost::system::result<T, Error>;

/// What a function that has nothing to return but success yields: Result<Done>.
struct Done {};

}  // namespace midst
