// Rows from text: COPY's text format with a header line, as `\copy (…) TO file WITH (HEADER)` writes it.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::test {

class RecordedRows {
 public:
  explicit RecordedRows(std::string_view text);
  RecordedRows(std::vector<std::string> columns, std::vector<std::vector<std::optional<std::string>>> rows)
      : columns_(std::move(columns)), rows_(std::move(rows)) {}

  /// Borrows this object.
  [[nodiscard]] sources::TableView view() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::optional<std::string>>> rows_;
};

}  // namespace midst::test
