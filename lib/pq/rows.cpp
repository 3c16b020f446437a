#include "lib/pq/rows.hpp"

#include "lib/base/text.hpp"

#include <libpq-fe.h>

#include <algorithm>

namespace midst::pq {
namespace {

/// SQLSTATE of "current transaction is aborted" (PostgreSQL 15 appendix A): what libpq reports without a code for a
/// statement that the server skipped because an earlier one of its transaction had failed.
constexpr std::string_view skipped_sqlstate = "25P02";

struct SqlstateKind {
  std::string_view begins;
  Errc kind;
};
// PostgreSQL 15 appendix A; a class of two characters stands for all its codes.
constexpr SqlstateKind sqlstate_kinds[] = {
    {"28", Errc::auth},            // invalid authorization, invalid password
    {"42501", Errc::noperm},       // insufficient_privilege
    {"42P01", Errc::unsupported},  // undefined_table: an extension or a newer server's view
    {"42883", Errc::unsupported},  // undefined_function
    {"42703", Errc::unsupported},  // undefined_column
    {"0A000", Errc::unsupported},  // feature_not_supported
    {"55000", Errc::unsupported},  // object_not_in_prerequisite_state: not in shared_preload_libraries
    {"57014", Errc::timeout},      // query_canceled: statement_timeout
    {"55P03", Errc::timeout},      // lock_not_available: lock_timeout
    {"53300", Errc::limit},        // too_many_connections
    {"57P03", Errc::loading},      // cannot_connect_now
    {"23505", Errc::conflict},     // unique_violation
    {"57P01", Errc::closed},       // admin_shutdown
    {"57P02", Errc::closed},       // crash_shutdown
};

bool is_failure(ExecStatusType status) noexcept {
  return status != PGRES_EMPTY_QUERY && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
         status != PGRES_SINGLE_TUPLE;
}

std::string_view field(const PGresult* result, int code) noexcept {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

/// The detail and the hint are left out: a detail quotes rows ("Key (email)=(…) already exists").
std::string message_of(const PGresult* result, std::string_view sqlstate) {
  auto primary = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (primary.empty()) primary = text::trim(PQresultErrorMessage(result));
  if (primary.empty()) primary = PQresStatus(PQresultStatus(result));
  std::string message(primary);
  if (!sqlstate.empty()) message.append(" (SQLSTATE ").append(sqlstate).append(")");
  return message;
}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const noexcept {
  PQclear(result);
}

Rows::Rows(pg_result* result) noexcept : result_(result) {
  if (result == nullptr) {
    error_ = Error{Errc::internal, "libpq has no memory for the result"};
    return;
  }
  const auto status = PQresultStatus(result);
  if (!is_failure(status)) return;
  if (status == PGRES_PIPELINE_ABORTED) {
    sqlstate_ = skipped_sqlstate;
    error_ = Error{Errc::server, "not run: an earlier statement of its transaction failed"};
    return;
  }
  sqlstate_ = field(result, PG_DIAG_SQLSTATE);
  error_ = Error{classify_sqlstate(sqlstate_), message_of(result, sqlstate_)};
}

std::size_t Rows::row_count() const noexcept {
  return static_cast<std::size_t>(PQntuples(result_.get()));
}

std::size_t Rows::column_count() const noexcept {
  return static_cast<std::size_t>(PQnfields(result_.get()));
}

std::string_view Rows::column_name(std::size_t column) const noexcept {
  const char* name = PQfname(result_.get(), static_cast<int>(column));
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

std::uint32_t Rows::column_type(std::size_t column) const noexcept {
  return PQftype(result_.get(), static_cast<int>(column));
}

std::optional<std::size_t> Rows::column(std::string_view name) const noexcept {
  // Not PQfnumber(): it folds case and needs a copy with a final zero.
  for (std::size_t i = 0; i < column_count(); ++i)
    if (column_name(i) == name) return i;
  return std::nullopt;
}

bool Rows::is_null(std::size_t row, std::size_t column) const noexcept {
  if (row >= row_count() || column >= column_count()) return true;
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view Rows::text(std::size_t row, std::size_t column) const noexcept {
  if (is_null(row, column)) return {};
  const auto r = static_cast<int>(row);
  const auto c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<std::size_t>(PQgetlength(result_.get(), r, c))};
}

std::size_t Rows::affected() const noexcept {
  if (!result_) return 0;
  const auto count = text::parse_integer(PQcmdTuples(result_.get()));
  return count ? static_cast<std::size_t>(*count) : 0;
}

Errc classify_sqlstate(std::string_view sqlstate) noexcept {
  const auto* kind = std::find_if(std::begin(sqlstate_kinds), std::end(sqlstate_kinds),
                                  [sqlstate](const auto& row) { return sqlstate.starts_with(row.begins); });
  return kind == std::end(sqlstate_kinds) ? Errc::server : kind->kind;
}

}  // namespace midst::pq
