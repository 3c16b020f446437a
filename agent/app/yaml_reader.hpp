// A YAML file being read: what is common to the files of other exporters that the agent takes. Reports what is wrong
// with its place, and bounds the work that aliases can make.
#pragma once

#include "agent/app/config.hpp"
#include "agent/app/yaml_tree.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::app {

class YamlReader {
 public:
  /// @param file_name  what places are called; must outlive the reader.
  YamlReader(std::string_view yaml, std::string_view file_name) : file_(file_name), tree_(yaml) {}

  using Take = std::function<void(const YamlNode& node)>;
  using TakePair = std::function<void(const YamlNode& key, const YamlNode& value)>;
  using Fields = std::vector<std::pair<std::string_view, Take>>;

  /// @return the root, or nullptr when there is nothing to read, which is reported then.
  /// @param what  the file should hold: "queries".
  [[nodiscard]] const YamlNode* root(std::string_view what);

  void report(const YamlPlace& place, std::string message) { say(place, std::move(message), true); }
  void warn(const YamlPlace& place, std::string message) { say(place, std::move(message), false); }

  /// Every pair of a map, whose keys are texts that stand there once.
  void each_pair(const YamlNode& map, std::string_view what, const TakePair& take);
  /// Every item of a list; a null is an empty one.
  void each_item(const YamlNode& list, std::string_view what, const Take& take);
  enum class Unknown { warned, refused };
  /// Hands each pair whose key is known to its reader; the other keys are reported.
  void read_fields(const YamlNode& map, std::string_view what, Unknown unknown, const Fields& fields);

  /// @return the text of a scalar, or nullptr, reported.
  [[nodiscard]] const std::string* text_of(const YamlNode& node, std::string_view what);
  /// @return "file:line:col".
  [[nodiscard]] std::string place_text(const YamlPlace& place) const;
  [[nodiscard]] std::vector<Problem> take_problems() { return std::move(problems_); }

 private:
  void say(const YamlPlace& place, std::string message, bool is_error);
  bool may_go_on(const YamlPlace& place);

  std::string_view file_;
  YamlTree tree_;
  std::vector<Problem> problems_;
  std::size_t steps_ = 0;
};

}  // namespace midst::app
