// How the text of a LabelSet is made and taken apart again, and what a name may be. Used inside lib/metrics only: by
// the builder and the protobuf writer.
#pragma once

#include "lib/metrics/family.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace midst::metrics {

/// Appends the text of a label set to an empty `out`; sorts `labels` and mends their names, whose text ends with the
/// call. Names are mended before they are compared ("a.b" and "a_b" are one); of equal names the first stays, so
/// constant labels stand behind the sample's own.
void append_label_text(std::string& out, std::vector<Label>& labels);

/// @return characters, not bytes, of all names and unescaped values.
[[nodiscard]] std::size_t character_count(LabelSet labels);

/// @return whether Prometheus takes this as a family name: [a-zA-Z_:][a-zA-Z0-9_:]*; and the nearest name it does take.
[[nodiscard]] bool is_family_name(std::string_view name) noexcept;
[[nodiscard]] std::string mended_family_name(std::string_view name);

/// @return "exported_NAME", as Prometheus itself renames a label that is taken.
[[nodiscard]] std::string exported(std::string_view name);

/// Calls visit(name, escaped_value) for each pair of a stored label set, in order. Allocates nothing.
template <class Visit>
void for_each_label(LabelSet labels, Visit visit) {
  auto text = labels.text;
  while (!text.empty()) {
    const auto name = text.substr(0, text.find('='));
    text.remove_prefix(name.size() + 2);
    std::size_t end = 0;
    while (text[end] != '"') end += text[end] == '\\' ? 2 : 1;
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
