#include "agent/sources/redis/info/info_keysizes.hpp"

#include "lib/base/text.hpp"

#include <bit>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec own_specs[] = {
    {"redis_db_key_size_bytes", MetricType::histogram, "bytes", "Keys by size: the length of strings, the memory of other types; the sum is the least that it can be.", "db,type"},
    {"redis_db_key_items", MetricType::histogram, "", "Keys by number of elements; the sum is the least that it can be.", "db,type"},
};
// clang-format on

struct TypeWord {
  std::string_view plural, singular;
};
constexpr TypeWord type_words[] = {{"strings", "string"}, {"lists", "list"},  {"sets", "set"},
                                   {"zsets", "zset"},     {"hashes", "hash"}, {"streams", "stream"}};

constexpr std::string_view suffixes = "KMGTPE";

constexpr auto bounds = [] {
  std::array<double, KeySizes::bound_count> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<double>((std::uint64_t{1} << i) - 1);
  return all;
}();

std::string_view singular(std::string_view plural) noexcept {
  for (const auto& word : type_words)
    if (word.plural == plural) return word.singular;
  return plural;
}

/// "512" → 512, "16K" → 16384.
std::optional<std::uint64_t> parse_lower_bound(std::string_view text) noexcept {
  unsigned shift = 0;
  if (!text.empty())
    if (const auto suffix = suffixes.find(text.back()); suffix != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(suffix) + 1);
      text.remove_suffix(1);
    }
  const auto number = text::parse_integer(text);
  if (!number || *number < 0 || *number >= std::int64_t{1} << (62 - shift)) return std::nullopt;
  return static_cast<std::uint64_t>(*number) << shift;
}

/// Cuts "db0_distrib_strings_sizes" into its parts.
bool read_name(std::string_view field, KeySizes& sizes) noexcept {
  constexpr std::string_view middle = "_distrib_";
  const auto at = field.find(middle);
  if (!field.starts_with("db") || at == std::string_view::npos) return false;
  const auto number = text::parse_integer(field.substr(2, at - 2));
  if (!number || *number < 0) return false;
  sizes.database = field.substr(0, at);
  field.remove_prefix(at + middle.size());
  const auto bar = field.rfind('_');
  if (bar == std::string_view::npos) return false;
  const auto measure = field.substr(bar + 1);
  sizes.type = singular(field.substr(0, bar));
  sizes.is_items = measure == "items";
  return !sizes.type.empty() && (sizes.is_items || measure == "sizes");
}

}  // namespace

std::optional<KeySizes> parse_key_sizes(std::string_view field, std::string_view value) noexcept {
  KeySizes sizes;
  if (!read_name(field, sizes)) return std::nullopt;
  constexpr std::int64_t max_keys = std::int64_t{1} << 53;  // beyond any server; keeps the sums from overflowing
  while (!value.empty()) {
    auto text = text::take_until(value, ',');
    const auto lower = parse_lower_bound(text::take_until(text, '='));
    const auto keys = text::parse_integer(text);
    if (!lower || !keys || *keys < 0 || *keys > max_keys || sizes.count > static_cast<std::uint64_t>(max_keys))
      return std::nullopt;
    const auto added = static_cast<std::uint64_t>(*keys);
    sizes.count += added;
    sizes.least_sum += static_cast<double>(*lower) * static_cast<double>(added);
    for (auto i = static_cast<std::size_t>(std::bit_width(*lower)); i < KeySizes::bound_count; ++i)
      sizes.cumulative[i] += added;
  }
  return sizes;
}

void add_key_sizes(const KeySizes& sizes, metrics::SnapshotBuilder& builder) {
  metrics::Distribution histogram;
  histogram.bounds = bounds;
  histogram.cumulative = sizes.cumulative;
  histogram.sum = sizes.least_sum;
  histogram.count = sizes.count;
  const auto labels = builder.labels({{"db", sizes.database}, {"type", sizes.type}});
  builder.family(own_specs[sizes.is_items ? 1 : 0]).add(labels, histogram);
}

std::span<const MetricSpec> keysizes_specs() noexcept {
  return own_specs;
}

}  // namespace midst::sources::redis_info
