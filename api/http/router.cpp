#include "api/http/router.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace midst::api {
namespace {

bool is_parameter(std::string_view segment) noexcept {
  return segment.starts_with(':');
}

/// @return the parts between slashes of "/a/b"; the text before the first slash is not one.
std::vector<std::string_view> segments_of(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return text::split(path, '/');
}

/// Orders literal before parameter at the first segment where the two differ in kind.
bool goes_before(const std::vector<std::string>& left, const std::vector<std::string>& right) noexcept {
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i)
    if (is_parameter(left[i]) != is_parameter(right[i])) return is_parameter(right[i]);
  return false;
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path) noexcept {
  return std::equal(pattern.begin(), pattern.end(), path.begin(), path.end(),
                    [](const std::string& expected, std::string_view actual) {
                      return is_parameter(expected) ? !actual.empty() : expected == actual;
                    });
}

}  // namespace

void Router::add(Route route) {
  auto found = std::find_if(patterns_.begin(), patterns_.end(),
                            [&](const Pattern& pattern) { return pattern.template_ == route.template_; });
  if (found == patterns_.end()) {
    Pattern pattern{route.template_, {}, {}};
    for (const auto segment : segments_of(route.template_)) pattern.segments.emplace_back(segment);
    const auto place = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& other) {
      return goes_before(pattern.segments, other.segments);
    });
    found = patterns_.insert(place, std::move(pattern));
  }
  assert(std::none_of(found->endpoints.begin(), found->endpoints.end(),
                      [&](const Endpoint& endpoint) { return endpoint.method == route.method; }));
  found->endpoints.push_back({std::move(route.method), std::move(route.handler)});
}

Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  if (!path.starts_with('/')) return match;
  const auto segments = segments_of(path);
  const auto pattern = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](const Pattern& candidate) { return fits(candidate.segments, segments); });
  if (pattern == patterns_.end()) return match;
  match.label = pattern->template_;
  for (std::size_t i = 0; i < segments.size(); ++i)
    if (is_parameter(pattern->segments[i])) match.arguments.emplace_back(segments[i]);
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const auto& endpoint : pattern->endpoints) {
    if (endpoint.method == wanted) match.handler = &endpoint.handler;
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += endpoint.method == "GET" ? "GET, HEAD" : endpoint.method;
  }
  return match;
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& pattern : patterns_)
    for (const auto& endpoint : pattern.endpoints) all.emplace_back(endpoint.method, pattern.template_);
  return all;
}

}  // namespace midst::api
