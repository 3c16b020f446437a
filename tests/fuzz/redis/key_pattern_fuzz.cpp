// Any bytes as the keys of a server (first byte of each: its length): patterns are short valid UTF-8 and the same every
// time, tables stay within their limits, and every key is in exactly one row.
#include "agent/sources/redis/sampler/big_keys.hpp"
#include "agent/sources/redis/sampler/key_fanout.hpp"
#include "agent/sources/redis/sampler/prefix_table.hpp"
#include "lib/base/text.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace midst::sources::redis_info;

void expect(bool claim) {
  if (!claim) std::abort();
}

void check_rows(const PrefixTable& table, std::uint64_t keys) {
  std::uint64_t sum = 0;
  const auto rows = table.current();
  expect(rows.size() <= 3 + 2);
  for (const auto& row : rows) sum += row.totals.keys;
  expect(sum == keys);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  KeyPattern made(KeyPatternOptions{":/.", 4, 12, 32});
  KeyFanout fanout(2, 4);
  PrefixTableOptions options;
  options.max_prefixes = 3;
  options.max_candidates = 2;
  PrefixTable table(options);
  BigKeys big(2);
  std::uint64_t keys = 0;
  while (!rest.empty()) {
    const auto length = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    const auto key = rest.substr(0, length);
    rest.remove_prefix(key.size());
    const std::string pattern(made.of(key));
    expect(pattern == made.of(key));
    expect(!pattern.empty() && pattern.size() <= 32 + 8 && midst::text::is_utf8(pattern));
    for (const auto& part : made.parts()) expect(std::size_t{part.begin} + part.size <= pattern.size());
    const std::string applied(fanout.apply(made.of(key), made));
    expect(applied.size() <= pattern.size() && midst::text::is_utf8(applied));
    for (const auto& prefix : fanout.new_wide()) table.fold(prefix);
    const int database = static_cast<int>(length % 2);
    table.count({database, applied});
    ++keys;
    expect(table.candidate_count() <= 2);
    big.offer({database, std::string(key), applied, KeyType::string, length});
    expect(big.keys().size() <= 2);
    const auto label = key_label(key, KeyNames::shown);
    expect(label.size() <= 128 && midst::text::is_utf8(label));
    check_rows(table, keys);
    if (length != 255) continue;
    table.end_cycle();
    fanout.end_cycle();
    keys = 0;
  }
  return 0;
}
