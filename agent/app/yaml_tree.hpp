// A YAML document as a tree with places, made from the parser's events so that its depth and size are bounded while it
// is read. yaml-cpp stays in the .cpp; used by yaml_reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

/// A place in the text; both count from 1.
struct YamlPlace {
  int line = 1;
  int column = 1;
};

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;  ///< Of a scalar, unquoted.
  YamlPlace place;
  /// Indexes of a list's items; of a map's keys and values in turns. An alias is the index of what it stands for, so
  /// that a tree may hold itself: walk it to a fixed depth only.
  std::vector<std::size_t> items;
};

/// What a document may hold at most.
struct YamlLimits {
  std::size_t depth = 16;
  std::size_t nodes = 50'000;
};

class YamlTree {
 public:
  struct Problem {
    YamlPlace place;
    std::string message;
  };

  /// Reads the first document of a text; an empty one is a null.
  explicit YamlTree(std::string_view text, const YamlLimits& limits = {});

  /// @return why the text could not be read.
  [[nodiscard]] const std::optional<Problem>& problem() const noexcept { return problem_; }
  /// @return whether another document follows, which nobody reads.
  [[nodiscard]] bool has_more() const noexcept { return has_more_; }

  [[nodiscard]] const YamlNode& root() const noexcept { return nodes_.front(); }
  [[nodiscard]] const YamlNode& at(std::size_t index) const noexcept { return nodes_[index]; }

 private:
  std::vector<YamlNode> nodes_;
  std::optional<Problem> problem_;
  bool has_more_ = false;
};

}  // namespace midst::app
