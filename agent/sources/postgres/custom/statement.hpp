// What SQL of an operator may be: one statement that reads. Pure.
#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace midst::sources {

/// Bytes that a statement may have.
inline constexpr std::size_t max_statement_bytes = 65'536;

/// @return the statement without what surrounds it: space, comments behind its semicolon. Errc::config, with what to
/// do, for an empty text, a second statement, a quote or comment that is not closed, and for a statement that does not
/// begin with SELECT, WITH, VALUES, TABLE or SHOW: others do not answer with rows, or write, or would end the
/// conversation that all collectors share (COPY).
[[nodiscard]] Result<std::string> single_statement(std::string_view sql);

/// @return the statement as it is asked: never more than `max_rows` rows, so that a mistake in it costs neither side
/// its memory.
/// @param statement  of single_statement().
[[nodiscard]] std::string limited(std::string_view statement, std::size_t max_rows);

}  // namespace midst::sources
