#include "agent/app/reference.hpp"

#include "embedded/app.hpp"
#include "lib/base/text.hpp"

#include <cctype>
#include <optional>
#include <utility>

namespace midst::app {
namespace {

/// A line as it would be if nothing were commented out.
struct Line {
  std::string_view text;
  bool is_commented = false;
};

Line line_of(std::string_view raw) {
  if (raw.starts_with("# ")) return {raw.substr(2), true};
  return {raw, false};
}

/// @return where the value ends: before a comment, which no string or list hides.
std::size_t end_of_value(std::string_view text) {
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && is_in_string)
      ++i;
    else if (text[i] == '"')
      is_in_string = !is_in_string;
    else if (text[i] == '#' && !is_in_string)
      return i;
  }
  return text.size();
}

std::string comment_behind(std::string_view text, std::size_t at) {
  return at < text.size() ? std::string(text::trim(text.substr(at + 1))) : std::string();
}

std::optional<ReferenceTable> table_of(const Line& line) {
  const bool is_list = line.text.starts_with("[[");
  const auto close = line.text.find(is_list ? "]]" : "]");
  if (!line.text.starts_with('[') || close == std::string_view::npos) return std::nullopt;
  const auto begin = is_list ? 2U : 1U;
  ReferenceTable table;
  table.name = line.text.substr(begin, close - begin);
  table.is_list = is_list;
  table.is_example = line.is_commented;
  table.meaning = comment_behind(line.text, line.text.find('#', close));
  return table;
}

std::optional<ReferenceKey> key_of(const Line& line) {
  const auto equals = line.text.find(" = ");
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  for (const unsigned char c : line.text.substr(0, equals))
    if (std::islower(c) == 0 && std::isdigit(c) == 0 && c != '_') return std::nullopt;
  const auto rest = line.text.substr(equals + 3);
  const auto end = end_of_value(rest);
  return ReferenceKey{std::string(line.text.substr(0, equals)), std::string(text::trim(rest.substr(0, end))),
                      comment_behind(rest, end)};
}

}  // namespace

std::vector<ReferenceTable> read_reference(std::string_view text) {
  std::vector<ReferenceTable> tables;
  std::string prose;  // above a table
  for (const auto raw : text::split(text, '\n')) {
    const auto line = line_of(raw);
    if (auto table = table_of(line)) {
      if (!prose.empty()) table->meaning = table->meaning.empty() ? prose : prose + ' ' + table->meaning;
      prose.clear();
      tables.push_back(std::move(*table));
    } else if (auto key = key_of(line); key && !tables.empty()) {
      tables.back().keys.push_back(std::move(*key));
    } else if (text::trim(raw).empty()) {
      prose.clear();
    } else if (line.is_commented) {
      prose.append(prose.empty() ? "" : " ").append(line.text);
    }
  }
  return tables;
}

const std::vector<ReferenceTable>& reference() {
  static const auto tables = read_reference(example_config());
  return tables;
}

std::string_view example_config() noexcept {
  return embedded::midst_agent_toml;
}

}  // namespace midst::app
