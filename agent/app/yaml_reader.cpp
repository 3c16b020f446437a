#include "agent/app/yaml_reader.hpp"

#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <set>

namespace midst::app {
namespace {

/// A file whose aliases stand for each other can say much more than it holds: pairs and items that are read of one.
constexpr std::size_t most_steps = 100'000;
constexpr std::size_t most_problems = 100;

}  // namespace

const YamlNode* YamlReader::root(std::string_view what) {
  if (tree_.problem()) {
    report(tree_.problem()->place, tree_.problem()->message);
    return nullptr;
  }
  if (tree_.root().kind == YamlNode::Kind::null) {
    warn(tree_.root().place, fmt::format("the file has no {}", what));
    return nullptr;
  }
  if (tree_.has_more()) warn(tree_.root().place, "only the first document of the file is read");
  return &tree_.root();
}

void YamlReader::say(const YamlPlace& place, std::string message, bool is_error) {
  problems_.push_back({place_text(place), std::move(message), is_error});
}

std::string YamlReader::place_text(const YamlPlace& place) const {
  return fmt::format("{}:{}:{}", file_, place.line, place.column);
}

bool YamlReader::may_go_on(const YamlPlace& place) {
  if (steps_ > most_steps) return false;
  if (problems_.size() >= most_problems) {
    report(place, "too much is wrong with the file to say it all");
    steps_ = most_steps;
  } else if (steps_ == most_steps) {
    report(place, "the aliases of the file make too much of it; write it out");
  }
  return ++steps_ <= most_steps;
}

void YamlReader::each_pair(const YamlNode& map, std::string_view what, const TakePair& take) {
  if (map.kind != YamlNode::Kind::map) return report(map.place, fmt::format("{} has to be a map", what));
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i + 1 < map.items.size() && may_go_on(map.place); i += 2) {
    const auto& key = tree_.at(map.items[i]);
    if (key.kind != YamlNode::Kind::scalar)
      report(key.place, fmt::format("a key of {} has to be a text", what));
    else if (key.text == "<<")
      report(key.place, "merging maps with << is not known here; write them out");
    else if (!seen.insert(key.text).second)
      report(key.place, fmt::format("\"{}\" stands twice in {}", key.text, what));
    else
      take(key, tree_.at(map.items[i + 1]));
  }
}

void YamlReader::each_item(const YamlNode& list, std::string_view what, const Take& take) {
  if (list.kind == YamlNode::Kind::null) return;
  if (list.kind != YamlNode::Kind::list) return report(list.place, fmt::format("{} has to be a list", what));
  for (const auto index : list.items) {
    if (!may_go_on(list.place)) return;
    take(tree_.at(index));
  }
}

void YamlReader::read_fields(const YamlNode& map, std::string_view what, Unknown unknown, const Fields& fields) {
  each_pair(map, what, [&](const YamlNode& key, const YamlNode& value) {
    std::vector<std::string_view> names;
    for (const auto& [name, read_field] : fields) {
      if (name == key.text) return read_field(value);
      names.push_back(name);
    }
    auto message = fmt::format("unknown key {} in {}", key.text, what);
    if (const auto near = text::closest(key.text, names); !near.empty())
      message += fmt::format("; did you mean {}?", near);
    say(key.place, std::move(message), unknown == Unknown::refused);
  });
}

const std::string* YamlReader::text_of(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::scalar) return &node.text;
  report(node.place, fmt::format("{} has to be a text", what));
  return nullptr;
}

}  // namespace midst::app
