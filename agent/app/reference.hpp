// The settings as people read about them: every table, key, default and meaning. Made from the commented file that is
// shipped (configs/midst-agent.toml), which is the one place where they are written down.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

struct ReferenceKey {
  std::string key;
  std::string value;  ///< As TOML has it: the default, or an example where there is none.
  std::string meaning;
};

struct ReferenceTable {
  std::string name;         ///< "redis.tls"
  bool is_list = false;     ///< Written [[NAME]].
  bool is_example = false;  ///< Commented out: it is not there unless somebody writes it.
  std::string meaning;
  std::vector<ReferenceKey> keys;
};

/// @return the shipped file: `config example`.
[[nodiscard]] std::string_view example_config() noexcept;

/// @return its tables, in its order.
[[nodiscard]] const std::vector<ReferenceTable>& reference();

/// @return the same of another text. Pure; exposed for tests.
[[nodiscard]] std::vector<ReferenceTable> read_reference(std::string_view text);

}  // namespace midst::app
