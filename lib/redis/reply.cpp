#include "lib/redis/reply.hpp"

#include "lib/base/text.hpp"

namespace midst::redis {
namespace {

/// Error texts that a message repeats are cut here: a script may answer with as much text as it likes.
constexpr std::size_t max_message_bytes = 200;

bool starts_with_ignoring_case(std::string_view text, std::string_view start) noexcept {
  return text.size() >= start.size() && text::equal_ignoring_case(text.substr(0, start.size()), start);
}

}  // namespace

Errc classify(std::string_view server_error) noexcept {
  if (server_error.starts_with("NOAUTH") || server_error.starts_with("WRONGPASS")) return Errc::auth;
  if (server_error.starts_with("NOPERM")) return Errc::noperm;
  if (server_error.starts_with("LOADING")) return Errc::loading;
  // Redis writes "unknown command `x`" and "Unknown subcommand or wrong number of arguments for 'x'".
  if (starts_with_ignoring_case(server_error, "ERR unknown command") ||
      starts_with_ignoring_case(server_error, "ERR unknown subcommand"))
    return Errc::unsupported;
  return Errc::server;
}

Error Reply::to_error() const {
  return Error{classify(text), text.size() <= max_message_bytes ? text::to_utf8(text)
                                                                : text::to_utf8(text.substr(0, max_message_bytes))};
}

Result<std::string_view> Reply::as_text() const {
  if (type == Type::string || type == Type::status) return std::string_view(text);
  if (is_error()) return to_error();
  return Error{Errc::protocol, "the reply is not a string"};
}

Result<std::int64_t> Reply::as_integer() const {
  if (type == Type::integer) return number;
  if (type == Type::string) return text::parse_integer(text);
  if (is_error()) return to_error();
  return Error{Errc::protocol, "the reply is not an integer"};
}

}  // namespace midst::redis
