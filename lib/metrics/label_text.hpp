// How a LabelSet's text is taken apart again. Used inside lib/metrics only: decode(), the protobuf writer, the builder.
#pragma once

#include "lib/metrics/family.hpp"

#include <string>
#include <string_view>

namespace midst::metrics {

/// Calls visit(name, escaped_value) for each pair of a stored label set, in order. Allocates nothing.
template <class Visit>
void for_each_label(LabelSet labels, Visit visit) {
  auto text = labels.text;
  while (!text.empty()) {
    const auto name = text.substr(0, text.find('='));
    text.remove_prefix(name.size() + 2);
    std::size_t end = text.find_first_of("\\\"");
    while (text[end] == '\\') end = text.find_first_of("\\\"", end + 2);
    visit(name, text.substr(0, end));
    text.remove_prefix(end + 1);
    if (!text.empty()) text.remove_prefix(1);
  }
}

/// Appends a stored value without its escapes.
inline void append_unescaped(std::string& out, std::string_view escaped) {
  for (;;) {
    const auto slash = escaped.find('\\');
    out.append(escaped.substr(0, slash));
    if (slash == std::string_view::npos) return;
    out += escaped[slash + 1] == 'n' ? '\n' : escaped[slash + 1];
    escaped.remove_prefix(slash + 2);
  }
}

}  // namespace midst::metrics
