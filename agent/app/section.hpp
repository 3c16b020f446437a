// A table of a configuration file being read: hands out typed values, remembers which keys are known, reports the rest.
// Used by config.cpp, redis_config.cpp and postgres_config.cpp; toml++ stays in the .cpp files.
#pragma once

#include "agent/app/draft.hpp"
#include "agent/app/secret.hpp"
#include "lib/base/error.hpp"

#include <toml++/impl/forward_declarations.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

/// @return where a node stands, in the form of the compilers: "file:line:col".
[[nodiscard]] std::string place_of(std::string_view file, const toml::source_region& source);

/// One table. Each read() leaves `out` as it is when the key is absent, and reports a value of another kind or out of
/// range at the place of the value.
class Section {
 public:
  /// The root of a file.
  /// @param draft  takes the problems, the names of the known keys and what was given.
  Section(const toml::table& table, std::string_view file, Draft& draft)
      : table_(&table), file_(file), draft_(&draft) {}
  /// The root of no file, whose values are variables: of web.listen MIDST_AGENT_WEB_LISTEN. Lists have commas between.
  /// @param variables  what is not set yet, which find() adds.
  Section(toml::table& variables, const Environment& environment, Draft& draft)
      : table_(&variables), variables_(&variables), environment_(&environment), draft_(&draft) {}

  /// @return whether the key is there; it counts as known from now on.
  bool has(std::string_view key);

  /// @return the names of all keys, in the order of the file; they are not known by that.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// @return whether the key's value is a string; the key is not known by that.
  [[nodiscard]] bool is_text(std::string_view key) const;

  void read(std::string_view key, std::string& out);
  void read(std::string_view key, bool& out);
  void read(std::string_view key, std::size_t& out, std::size_t least, std::size_t most);
  void read(std::string_view key, int& out, int least, int most);
  /// A list of whole numbers.
  void read(std::string_view key, std::vector<int>& out, int least, int most);
  /// A list of numbers.
  void read(std::string_view key, std::vector<double>& out);
  /// A number of bytes: "64MiB", or a whole number.
  void read_size(std::string_view key, std::size_t& out, std::size_t least, std::size_t most);
  /// A whole or broken number.
  void read(std::string_view key, double& out, double least, double most);
  /// A duration such as "9s".
  void read(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds least,
            std::chrono::milliseconds most);
  void read(std::string_view key, std::chrono::seconds& out, std::chrono::seconds least, std::chrono::seconds most);
  void read(std::string_view key, std::vector<std::string>& out);

  /// A string that `parse_text` turns into a value; its error is reported at the place of the string.
  void parse(std::string_view key, const std::function<Result<Done>(const std::string&)>& parse_text);
  /// The same for every string of a list.
  void parse_each(std::string_view key, const std::function<Result<Done>(const std::string&)>& parse_text);

  /// A key of the contract that this version does not act on yet: said, not ignored in silence.
  void not_yet(std::string_view key);

  /// Every [[table]] of that name, or the one [table]; unknown keys in it are reported when `read_table` returns.
  void tables(std::string_view key, const std::function<void(Section&)>& read_table);
  void table(std::string_view key, const std::function<void(Section&)>& read_table);

  /// Reports the keys nobody asked for, and takes note of what the others were given.
  void finish();

  /// @return what differs when the table does, or a file that it names.
  [[nodiscard]] std::size_t fingerprint() const;

  /// Reports at the value of a key, or at the table when the key is absent.
  void report_at(std::string_view key, std::string message);
  /// Takes what is wrong in another file that this table names.
  void report(Problem problem);
  /// @return "file:line:col" of the value of a key, or of the table when the key is absent.
  [[nodiscard]] std::string place(std::string_view key) const;

  /// @return the key with the tables it stands in: "redis.tls.ca_file"; of an empty one, the table itself.
  [[nodiscard]] std::string full(std::string_view key) const;

 private:
  /// A table below another one, or one of a list.
  Section(const Section& above, const toml::table& table, toml::table* variables, std::string path, bool is_of_list);

  const toml::node* find(std::string_view key, std::string_view wanted, toml::node_type type);
  void table_of_variables(std::string_view key, const std::function<void(Section&)>& read_table);
  void note_given();
  /// Puts a variable, when it is set, where its key would stand in a file.
  void look_up(std::string_view key, toml::node_type type, std::string_view wanted = {});
  [[nodiscard]] std::string variable_of(std::string_view key) const;
  void report(const toml::node& node, std::string message);

  const toml::table* table_;
  toml::table* variables_ = nullptr;          ///< The same as table_, when it is made of variables.
  const Environment* environment_ = nullptr;  ///< Nothing: a file.
  std::string last_variable_;                 ///< That was found.
  std::string path_;
  std::string_view file_;
  Draft* draft_;
  bool is_of_list_ = false;  ///< It, or a table above, is one of several.
  std::size_t given_ = 0;    ///< Where in the draft its values are noted; 0: the root, which has none.
  std::set<std::string, std::less<>> known_, idle_;
};

/// label = "auto" | "always" | "never".
void read_label_mode(Section& section, LabelMode& mode);
/// name, of 1 to 128 characters.
void read_name(Section& section, std::string& name);
/// PREFIXpassword | _file | _env | _credential: at most one of them.
[[nodiscard]] Secret read_secret(Section& section, const std::string& prefix = "password");

/// One [[redis]].
void read_redis(Section& section, Draft& draft);
/// One [[postgres]].
void read_postgres(Section& section, Draft& draft);
/// One [[pgbouncer]].
void read_pgbouncer(Section& section, Draft& draft);

}  // namespace midst::app
