// Where a password comes from. The text itself is read when it is needed, so that a rotated file is picked up.
#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace midst::app {

/// A reference to a secret: in the configuration itself, in a file, a variable or a systemd credential.
class Secret {
 public:
  enum class Kind { none, text, file, variable, credential };

  Secret() = default;
  /// @param value  the secret itself for Kind::text; a path, a variable's name or a credential's name otherwise.
  Secret(Kind kind, std::string value);

  [[nodiscard]] bool is_empty() const noexcept { return kind_ == Kind::none; }

  /// @return the secret, without the newline that ends a file; Errc::config with a message that names the place to
  /// look at, never the content.
  [[nodiscard]] Result<std::string> read() const;

 private:
  Kind kind_ = Kind::none;
  std::string value_;
};

}  // namespace midst::app
