#include "agent/app/yaml_tree.hpp"

#include <fmt/core.h>

#include <map>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace midst::app {
namespace {

/// Ends the parser from within its events.
struct TooMuch {
  YamlPlace place;
  std::string message;
};

YamlPlace place_of(const YAML::Mark& mark) {
  return mark.is_null() ? YamlPlace() : YamlPlace{mark.line + 1, mark.column + 1};
}

class TreeMaker final : public YAML::EventHandler {
 public:
  TreeMaker(std::vector<YamlNode>& nodes, const YamlLimits& limits) : nodes_(nodes), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(YamlNode::Kind::null, {}, mark, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    add(YamlNode::Kind::scalar, value, mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw TooMuch{place_of(mark), "an alias stands before its anchor"};
    count(mark);
    put(found->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, anchor);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  void count(const YAML::Mark& mark) {
    if (++counted_ > limits_.nodes)
      throw TooMuch{place_of(mark), fmt::format("more than {} values in one document", limits_.nodes)};
  }

  std::size_t add(YamlNode::Kind kind, std::string text, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark);
    const auto index = nodes_.size();
    nodes_.push_back({kind, std::move(text), place_of(mark), {}});
    if (anchor != YAML::NullAnchor) anchors_[anchor] = index;
    put(index);
    return index;
  }

  void put(std::size_t index) {
    if (!open_.empty()) nodes_[open_.back()].items.push_back(index);
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= limits_.depth) throw TooMuch{place_of(mark), fmt::format("more than {} levels", limits_.depth)};
    open_.push_back(add(kind, {}, mark, anchor));
  }

  std::vector<YamlNode>& nodes_;
  const YamlLimits& limits_;
  std::vector<std::size_t> open_;
  std::map<YAML::anchor_t, std::size_t> anchors_;
  std::size_t counted_ = 0;
};

}  // namespace

YamlTree::YamlTree(std::string_view text, const YamlLimits& limits) {
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeMaker maker(nodes_, limits);
    if (parser.HandleNextDocument(maker)) has_more_ = static_cast<bool>(parser);
  } catch (const TooMuch& limit) {
    problem_ = Problem{limit.place, limit.message};
  } catch (const YAML::Exception& error) {
    problem_ = Problem{place_of(error.mark), error.msg};
  }
  if (nodes_.empty()) nodes_.emplace_back();
}

}  // namespace midst::app
