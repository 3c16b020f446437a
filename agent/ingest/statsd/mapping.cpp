#include "agent/ingest/statsd/mapping.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <utility>

#include <re2/re2.h>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t most_parts = 64;
/// RE2 gives up on a pattern that needs more; its time is linear in the name whatever the pattern.
constexpr std::int64_t expression_bytes = 1 << 20;
constexpr std::uint32_t no_rule = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t only_count = 5;

MappingRule::Only only_of(Type type) noexcept {
  switch (type) {
    case Type::counter:
      return MappingRule::Only::counter;
    case Type::gauge:
      return MappingRule::Only::gauge;
    case Type::set:
      return MappingRule::Only::set;
    case Type::timing:
    case Type::histogram:
      break;
  }
  return MappingRule::Only::observer;
}

std::vector<std::string_view> parts_of(std::string_view name) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto dot = name.find('.');
    parts.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    name.remove_prefix(dot + 1);
  }
}

/// What "$1" and "${name}" stand for.
struct Captures {
  std::vector<std::string_view> numbered;  ///< [0] is the whole name.
  const std::map<std::string, int>* named = nullptr;
};

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// @return how many characters behind the "$" of `rest` belong to the place, and its name; 0 when it is none.
std::size_t place_length(std::string_view rest, std::string_view& name) noexcept {
  if (rest.starts_with('{')) {
    const auto close = rest.find('}');
    if (close == std::string_view::npos || close == 1) return 0;
    name = rest.substr(1, close - 1);
    return close + 1;
  }
  const bool is_number = !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
  std::size_t size = 0;
  while (size < rest.size() && is_word(rest[size]) && (!is_number || (rest[size] >= '0' && rest[size] <= '9'))) ++size;
  name = rest.substr(0, size);
  return size;
}

std::string_view value_of(std::string_view place, const Captures& captures) {
  if (const auto number = text::parse_integer(place)) {
    const auto index = static_cast<std::size_t>(*number);
    return *number >= 0 && index < captures.numbered.size() ? captures.numbered[index] : std::string_view();
  }
  if (captures.named == nullptr) return {};
  const auto found = captures.named->find(std::string(place));
  return found == captures.named->end() ? std::string_view()
                                        : captures.numbered[static_cast<std::size_t>(found->second)];
}

std::string filled(std::string_view pattern, const Captures& captures) {
  std::string out;
  while (!pattern.empty()) {
    const auto dollar = pattern.find('$');
    out.append(pattern.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    pattern.remove_prefix(dollar + 1);
    std::string_view name;
    const auto size = place_length(pattern, name);
    if (size == 0)
      out += '$';
    else
      out.append(value_of(name, captures));
    pattern.remove_prefix(size);
  }
  return out;
}

Result<Done> check_places(std::string_view pattern, std::size_t count, const std::map<std::string, int>& named) {
  for (auto dollar = pattern.find('$'); dollar != std::string_view::npos; dollar = pattern.find('$')) {
    pattern.remove_prefix(dollar + 1);
    std::string_view name;
    const auto size = place_length(pattern, name);
    pattern.remove_prefix(size);
    if (size == 0) continue;
    const auto number = text::parse_integer(name);
    const bool is_there =
        number ? *number >= 0 && static_cast<std::size_t>(*number) <= count : named.contains(std::string(name));
    if (!is_there)
      return Error{Errc::config, fmt::format("${} stands for nothing: the match has {} such place{}", name, count,
                                             count == 1 ? "" : "s")};
  }
  return Done{};
}

Result<Done> check_glob(std::string_view pattern) {
  const auto parts = parts_of(pattern);
  if (parts.size() > most_parts) return Error{Errc::config, fmt::format("match has more than {} parts", most_parts)};
  for (const auto part : parts)
    if (part.empty() || (part != "*" && part.find('*') != std::string_view::npos))
      return Error{Errc::config, fmt::format("match \"{}\": \"*\" stands for one whole part between dots, and no part "
                                             "is empty; use match_type = \"regex\" for more",
                                             pattern)};
  return Done{};
}

RE2::Options expression_options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(expression_bytes);
  return options;
}

}  // namespace

Result<Done> check(const MappingRule& rule) {
  if (rule.pattern.empty()) return Error{Errc::config, "match is missing"};
  std::size_t count = 0;
  std::map<std::string, int> named;
  if (rule.match == MappingRule::Match::regex) {
    const RE2 expression(rule.pattern, expression_options());
    if (!expression.ok()) return Error{Errc::config, fmt::format("match \"{}\": {}", rule.pattern, expression.error())};
    count = static_cast<std::size_t>(expression.NumberOfCapturingGroups());
    named = expression.NamedCapturingGroups();
  } else {
    if (const auto done = check_glob(rule.pattern); !done) return done.error();
    count = static_cast<std::size_t>(std::count(rule.pattern.begin(), rule.pattern.end(), '*'));
  }
  if (rule.action == MappingRule::Action::map && rule.name.empty()) return Error{Errc::config, "name is missing"};
  if (const auto done = check_places(rule.name, count, named); !done) return done.error();
  for (const auto& [name, value] : rule.labels)
    if (const auto done = check_places(value, count, named); !done) return done.error();
  if (!std::isfinite(rule.scale) || rule.scale == 0) return Error{Errc::config, "scale is neither 0 nor infinite"};
  for (std::size_t i = 0; i < rule.bounds.size(); ++i)
    if (!std::isfinite(rule.bounds[i]) || (i > 0 && rule.bounds[i] <= rule.bounds[i - 1]))
      return Error{Errc::config, "buckets have to ascend"};
  return Done{};
}

/// The globs as a tree of their parts: the cost of a name does not grow with the number of rules.
class Mapper::Globs {
 public:
  explicit Globs(const std::vector<MappingRule>& rules) : nodes_(1) {
    for (std::uint32_t i = 0; i < rules.size(); ++i)
      if (rules[i].match == MappingRule::Match::glob) add(rules[i], i);
  }

  /// @return the first rule that takes the name, or no_rule; and what its stars stand for.
  std::uint32_t find(std::string_view name, MappingRule::Only only, std::vector<std::string_view>& stars) const {
    const auto parts = parts_of(name);
    if (parts.size() > most_parts) return no_rule;
    Search search{parts, only, no_rule, {}, {}};
    walk(0, 0, search);
    stars = std::move(search.best_stars);
    return search.best;
  }

 private:
  struct Node {
    std::map<std::string, std::uint32_t, std::less<>> children;
    std::uint32_t star = no_rule;
    std::array<std::uint32_t, only_count> rules{no_rule, no_rule, no_rule, no_rule, no_rule};  ///< By Only.
    std::uint32_t first = no_rule;  ///< The lowest rule from here on down.
  };
  struct Search {
    std::span<const std::string_view> parts;
    MappingRule::Only only;
    std::uint32_t best;
    std::vector<std::string_view> stars, best_stars;
  };

  void add(const MappingRule& rule, std::uint32_t number) {
    std::uint32_t at = 0;
    for (const auto part : parts_of(rule.pattern)) {
      nodes_[at].first = std::min(nodes_[at].first, number);
      auto next = part == "*" ? nodes_[at].star : no_rule;
      if (const auto found = nodes_[at].children.find(part); part != "*" && found != nodes_[at].children.end())
        next = found->second;
      if (next == no_rule) {
        next = static_cast<std::uint32_t>(nodes_.size());
        if (part == "*")
          nodes_[at].star = next;
        else
          nodes_[at].children.emplace(part, next);
        nodes_.emplace_back();
      }
      at = next;
    }
    nodes_[at].first = std::min(nodes_[at].first, number);
    auto& own = nodes_[at].rules[static_cast<std::size_t>(rule.only)];
    own = std::min(own, number);
  }

  void walk(std::uint32_t at, std::size_t depth, Search& search) const {
    const auto& node = nodes_[at];
    if (node.first >= search.best) return;
    if (depth == search.parts.size()) {
      const auto rule = std::min(node.rules[static_cast<std::size_t>(search.only)], node.rules[0]);
      if (rule >= search.best) return;
      search.best = rule;
      search.best_stars = search.stars;
      return;
    }
    const auto part = search.parts[depth];
    if (const auto found = node.children.find(part); found != node.children.end())
      walk(found->second, depth + 1, search);
    if (node.star == no_rule) return;
    search.stars.push_back(part);
    walk(node.star, depth + 1, search);
    search.stars.pop_back();
  }

  std::vector<Node> nodes_;
};

struct Mapper::Expression {
  std::uint32_t rule;
  std::unique_ptr<RE2> expression;
};

Mapper::Mapper(std::vector<MappingRule> rules) : rules_(std::move(rules)), globs_(std::make_unique<Globs>(rules_)) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i)
    if (rules_[i].match == MappingRule::Match::regex)
      expressions_.push_back({i, std::make_unique<RE2>(rules_[i].pattern, expression_options())});
}

Mapper::~Mapper() = default;

bool Mapper::find(std::string_view name, Type type, Match& match) const {
  if (rules_.empty()) return false;
  const auto only = only_of(type);
  Captures captures;
  auto rule = globs_->find(name, only, captures.numbered);
  captures.numbered.insert(captures.numbered.begin(), name);
  for (std::size_t i = 0; rule == no_rule && i < expressions_.size(); ++i) {
    const auto& wanted = rules_[expressions_[i].rule].only;
    if (wanted != MappingRule::Only::any && wanted != only) continue;
    const auto& expression = *expressions_[i].expression;
    std::vector<re2::StringPiece> groups(static_cast<std::size_t>(expression.NumberOfCapturingGroups()) + 1);
    const re2::StringPiece text(name.data(), name.size());
    if (!expression.Match(text, 0, name.size(), RE2::UNANCHORED, groups.data(), static_cast<int>(groups.size())))
      continue;
    rule = expressions_[i].rule;
    captures.numbered.clear();
    for (const auto& group : groups) captures.numbered.emplace_back(group.data(), group.size());
    captures.named = &expression.NamedCapturingGroups();
  }
  if (rule == no_rule) return false;
  match.rule = &rules_[rule];
  match.name = filled(match.rule->name, captures);
  match.labels.clear();
  for (const auto& [label, value] : match.rule->labels) match.labels.emplace_back(label, filled(value, captures));
  return true;
}

}  // namespace midst::ingest::statsd
