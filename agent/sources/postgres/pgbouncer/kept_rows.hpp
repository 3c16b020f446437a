// What a console answered, kept beyond the answer, and the choice of whom to show by name when there are very many.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/base/deadline.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Stands for those without a series of their own.
inline constexpr std::string_view the_others = "_other";

/// A table with texts of its own.
class KeptRows {
 public:
  using Row = std::vector<std::optional<std::string>>;

  KeptRows() = default;
  explicit KeptRows(const std::vector<std::string_view>& columns) : columns_(columns.begin(), columns.end()) {}

  /// Adds a row with a cell for each column.
  void add(Row row) { rows_.push_back(std::move(row)); }
  /// @return a view that borrows this.
  [[nodiscard]] TableView view() const;
  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

 private:
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

/// @return the place of a column, or nothing.
[[nodiscard]] std::optional<std::size_t> place_of(const TableView& rows, std::string_view column);
/// @return the text of a cell; empty for NULL and for a column that is not there.
[[nodiscard]] std::string_view text_at(const TableView& rows, std::size_t row, std::optional<std::size_t> column);
/// @return the number of a cell, which may be padded with spaces; nothing for NULL, an empty text or none.
[[nodiscard]] std::optional<double> number_at(const TableView& rows, std::size_t row,
                                              std::optional<std::size_t> column);

/// Chooses the busiest, and keeps whom it chose for a while, so that series do not come and go.
class StableChoice {
 public:
  struct Candidate {
    std::string key;
    bool is_urgent = false;  ///< Goes before those that are merely kept.
    double size = 0;
  };

  /// @param limit  how many at most; zero: all.
  StableChoice(std::size_t limit, std::chrono::milliseconds hold) : limit_(limit), hold_(hold) {}

  /// @return for each candidate whether it is chosen.
  [[nodiscard]] std::vector<bool> choose(const std::vector<Candidate>& candidates, Deadline now);

 private:
  std::size_t limit_;
  std::chrono::milliseconds hold_;
  std::map<std::string, Deadline> chosen_at_;
};

}  // namespace midst::sources
