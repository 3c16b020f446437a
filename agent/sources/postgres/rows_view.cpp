#include "agent/sources/postgres/rows_view.hpp"

namespace midst::sources {
namespace {

std::optional<std::string_view> cell_of(const void* rows, std::size_t row, std::size_t column) {
  const auto& from = *static_cast<const pq::Rows*>(rows);
  if (from.is_null(row, column)) return std::nullopt;
  return from.text(row, column);
}

}  // namespace

TableView view_of(const pq::Rows& rows) {
  TableView view{{}, rows.row_count(), &rows, &cell_of};
  for (std::size_t i = 0; i < rows.column_count(); ++i) {
    view.columns.push_back(rows.column_name(i));
    view.types.push_back(rows.column_type(i));
  }
  return view;
}

}  // namespace midst::sources
