// What a Conversation asks and why, for people who want to know what the agent does to their server. Pure.
#pragma once

#include "agent/sources/postgres/conversation.hpp"

#include <string>
#include <string_view>

namespace midst::sources {

/// @param database  its name, for the heading.
/// @return each collector's statements as psql takes them, below a comment that says how often they are asked, what the
/// last time took, and what stands in the way; after the first ask() only.
[[nodiscard]] std::string explain(const Conversation& conversation, std::string_view database);

}  // namespace midst::sources
