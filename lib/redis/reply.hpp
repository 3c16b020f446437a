// An owned RESP2 reply tree with typed getters. hiredis stays behind it.
#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::redis {

/// One reply. Plain value; copying copies the tree.
struct Reply {
  enum class Type { nil, string, status, integer, error, array };

  Type type = Type::nil;
  std::string text;             ///< string, status and error.
  std::int64_t number = 0;      ///< integer.
  std::vector<Reply> elements;  ///< array.

  [[nodiscard]] bool is_error() const noexcept { return type == Type::error; }
  [[nodiscard]] bool is_array() const noexcept { return type == Type::array; }

  /// @return the text of a string or status; the server's error as Errc (see classify()); Errc::protocol otherwise.
  [[nodiscard]] Result<std::string_view> as_text() const;
  /// @return an integer reply, or a string reply that is one.
  [[nodiscard]] Result<std::int64_t> as_integer() const;
  /// @return the error this reply is. Requires is_error().
  [[nodiscard]] Error to_error() const;
};

/// @return the Errc of a server error text: NOAUTH/WRONGPASS → auth, NOPERM → noperm, LOADING → loading,
/// "ERR unknown command"/subcommand → unsupported, everything else → server.
[[nodiscard]] Errc classify(std::string_view server_error) noexcept;

}  // namespace midst::redis
