// Statement texts without the values that stand in them: what may be shown to whoever may read metrics. Pure.
#pragma once

#include <string>
#include <string_view>

namespace midst::sources {

/// @return the text of a SELECT, INSERT, UPDATE, DELETE, MERGE, WITH or VALUES on one line, with `?` for each string
/// and number, without comments; $1 stays. Of any other statement its first word, in capitals: CREATE ROLE … PASSWORD
/// has its secrets in places that only a parser of all commands knows. A string that is cut off, or whose end depends
/// on the server's settings (a backslash before the quote), takes everything behind it along.
[[nodiscard]] std::string redacted(std::string_view statement);

}  // namespace midst::sources
