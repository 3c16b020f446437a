#include "agent/sources/redis/info/info_extra.hpp"

#include "agent/sources/redis/info/info.hpp"
#include "lib/base/text.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
void ExtraReader::read(std::string_view section, std::string_view field, std::string_view value) {
  if (patterns_.empty()) return;
  const auto name = text::lower(section);
  if (!is_wanted(name, field)) return;
  const auto number = parse_value(value);
  if (!number) return;
  if (fields_ == max_fields_) {
    ++folded_;
    return;
  }
  ++fields_;
  builder_.add(info_field, {{"section", name}, {"field", field}}, *number);
}

bool ExtraReader::is_wanted(std::string_view section, std::string_view field) const noexcept {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](std::string_view pattern) {
    const auto colon = pattern.find(':');
    if (colon == std::string_view::npos) return text::matches_glob(pattern, field);
    return text::matches_glob(pattern.substr(0, colon), section) && text::matches_glob(pattern.substr(colon + 1), field);
  });
}

}  // namespace midst::sources::redis_info
