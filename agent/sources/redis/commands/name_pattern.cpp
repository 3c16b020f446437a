#include "agent/sources/redis/commands/name_pattern.hpp"

#include <fmt/core.h>

#include <regex.h>

namespace midst::sources::redis_info {
namespace {

/// With several counted repetitions a short pattern can need much memory; nobody needs a long one.
constexpr std::size_t max_pattern_bytes = 256;
constexpr std::size_t max_repetitions = 1;

/// @return why the pattern would cost too much, or an empty text. Bracket expressions are not looked into: what they
/// hold is refused as well, which costs a rare pattern that can be written another way.
std::string excess_of(const std::string& pattern) {
  if (pattern.size() > max_pattern_bytes) return fmt::format("is longer than {} bytes", max_pattern_bytes);
  std::size_t repetitions = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\0') return "has a zero byte";
    if (pattern[i] == '{' && ++repetitions > max_repetitions) return "has more than one counted repetition";
    if (pattern[i] != '\\' || i + 1 == pattern.size()) continue;
    ++i;
    if (pattern[i] >= '1' && pattern[i] <= '9') return "has a back-reference";
  }
  return {};
}

}  // namespace

struct NamePattern::Compiled {
  regex_t regex{};
  bool is_ready = false;

  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (is_ready) regfree(&regex);
  }
};

Result<NamePattern> NamePattern::parse(const std::string& pattern) {
  if (const auto excess = excess_of(pattern); !excess.empty())
    return Error{Errc::config, fmt::format("the pattern \"{}\" {}", pattern.substr(0, max_pattern_bytes), excess)};
  const auto compiled = std::make_shared<Compiled>();
  if (const int failed = regcomp(&compiled->regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB); failed != 0) {
    char reason[128] = {};
    regerror(failed, &compiled->regex, reason, sizeof reason);
    return Error{Errc::config, fmt::format("the pattern \"{}\" is no regular expression: {}", pattern, reason)};
  }
  compiled->is_ready = true;
  return NamePattern(compiled);
}

bool NamePattern::matches(const std::string& name) const noexcept {
  return regexec(&compiled_->regex, name.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace midst::sources::redis_info
