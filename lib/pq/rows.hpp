// An owned result set with typed column access and SQLSTATE. libpq stays behind it.
#pragma once

#include "lib/base/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pg_result;  // libpq's PGresult

namespace midst::pq {

/// The answer to one statement: rows, or the server's error for that statement alone.
class Rows {
 public:
  /// Takes the result over.
  explicit Rows(pg_result* result) noexcept;

  [[nodiscard]] std::size_t row_count() const noexcept;
  [[nodiscard]] std::size_t column_count() const noexcept;
  [[nodiscard]] std::string_view column_name(std::size_t column) const noexcept;
  /// @return the OID of the column's type; 0 when the answer does not say.
  [[nodiscard]] std::uint32_t column_type(std::size_t column) const noexcept;
  /// @return the index of the column of that name, or nothing.
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const noexcept;
  /// @return whether the cell is NULL.
  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const noexcept;
  /// @return the cell's text; empty for NULL.
  [[nodiscard]] std::string_view text(std::size_t row, std::size_t column) const noexcept;
  /// @return rows touched by INSERT/UPDATE/DELETE.
  [[nodiscard]] std::size_t affected() const noexcept;

  /// @return the server's error for this statement, if it failed.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }
  /// @return the five characters of SQLSTATE; empty when there was no error.
  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }
  /// @return when the answer was complete on our side: in a pipeline, the gap to the one before is its share of time.
  [[nodiscard]] std::chrono::steady_clock::time_point received() const noexcept { return received_; }

 private:
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  std::unique_ptr<pg_result, Clear> result_;
  std::optional<Error> error_;
  std::string sqlstate_;
  std::chrono::steady_clock::time_point received_ = std::chrono::steady_clock::now();
};

/// @return the Errc of an SQLSTATE: 28xxx → auth, 42501 → noperm, 42P01/42883/42703/0A000/55000 → unsupported,
/// 57014 → timeout, 55P03 → timeout (lock), 53300 → limit, 57P03 → loading, 23505 → conflict, otherwise server.
[[nodiscard]] Errc classify_sqlstate(std::string_view sqlstate) noexcept;

}  // namespace midst::pq
