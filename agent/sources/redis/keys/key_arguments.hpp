// The lists of keys and patterns that an operator writes: "db3=cart:*,session%3Acount". Pure.
// The grammar is the one that existing settings are written in; docs/configuration.md shows it.
#pragma once

#include "lib/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// One key or pattern of one database.
struct KeyArgument {
  int database = 0;
  std::string key;          ///< As the server knows it, escapes resolved; may be any bytes, never empty.
  bool is_pattern = false;  ///< Whether it has one of `? * [ ] ^` and so stands for the keys that match.
};

/// One entry, `key` or `dbN=key` (also `N=key`); the key is escaped as in the query of a URL, so that `%2C` is a
/// comma, `%3D` an equals sign, and `+` a blank. A comma that stands for itself is part of the key here.
/// @return nothing for an entry without a key or with an empty database; Errc::config, naming the entry, when it has
/// two equals signs, a broken escape, or a database that is no number from 0 on.
[[nodiscard]] Result<std::optional<KeyArgument>> parse_key_argument(std::string_view entry);

/// Entries with commas between them; those that say nothing are left out (",,,k" is one key).
[[nodiscard]] Result<std::vector<KeyArgument>> parse_key_arguments(std::string_view list);

}  // namespace midst::sources::redis_info
