// Any text as a list of keys: what is accepted has a key and a database, and says the same when written out again.
#include "agent/sources/redis/keys/key_arguments.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

/// An entry that means the same, every byte escaped.
std::string written(const midst::sources::redis_info::KeyArgument& argument) {
  constexpr char digits[] = "0123456789abcdef";
  std::string entry = "db" + std::to_string(argument.database) + "=";
  for (const char c : argument.key) {
    const auto byte = static_cast<unsigned char>(c);
    entry += {'%', digits[byte / 16], digits[byte % 16]};
  }
  return entry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using midst::sources::redis_info::parse_key_arguments;
  const auto arguments = parse_key_arguments({reinterpret_cast<const char*>(bytes), size});
  if (!arguments) {
    if (arguments.error().code != midst::Errc::config || arguments.error().message.empty()) std::abort();
    return 0;
  }
  std::string list;
  for (const auto& argument : *arguments) {
    if (argument.key.empty() || argument.database < 0) std::abort();
    list += written(argument) + ",";
  }
  const auto again = parse_key_arguments(list);
  if (!again || again->size() != arguments->size()) std::abort();
  for (std::size_t i = 0; i < again->size(); ++i)
    if ((*again)[i].key != (*arguments)[i].key || (*again)[i].database != (*arguments)[i].database ||
        (*again)[i].is_pattern != (*arguments)[i].is_pattern)
      std::abort();
  return 0;
}
