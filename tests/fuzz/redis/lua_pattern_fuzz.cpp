// Any text as a Lua pattern, the rest behind the first line break as what it is matched with: no crash, no endless
// search, and captures no longer than they can be.
#include "agent/sources/redis/keys/lua_pattern.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace midst::sources::redis_info;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto line = text.find('\n');
  const auto subject = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  const auto pattern = LuaPattern::parse(text.substr(0, line));
  if (pattern) {
    const auto captures = pattern->find(subject, 20'000);
    // 32 captures at most, each a part of the subject or a number.
    if (captures && captures->size() > 32 * (subject.size() + 20)) std::abort();
  } else if (pattern.error().code != midst::Errc::config) {
    std::abort();
  }
  const auto list = parse_lua_patterns(text);
  if (!list && list.error().code != midst::Errc::config) std::abort();
  return 0;
}
