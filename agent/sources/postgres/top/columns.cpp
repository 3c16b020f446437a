#include "agent/sources/postgres/top/columns.hpp"

#include <algorithm>

namespace midst::sources {

std::optional<std::size_t> find_column(const TableView& rows, std::string_view name) noexcept {
  const auto found = std::find(rows.columns.begin(), rows.columns.end(), name);
  if (found == rows.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - rows.columns.begin());
}

}  // namespace midst::sources
