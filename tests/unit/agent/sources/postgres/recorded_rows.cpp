#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include "lib/base/text.hpp"

namespace midst::test {
namespace {

std::optional<std::string> unescape(std::string_view field) {
  if (field == "\\N") return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 1 == field.size()) {
      text += field[i];
      continue;
    }
    const char escaped = field[++i];
    text += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
  }
  return text;
}

std::optional<std::string_view> cell_of(const void* rows, std::size_t row, std::size_t column) {
  const auto& from = *static_cast<const std::vector<std::vector<std::optional<std::string>>>*>(rows);
  const auto& cell = from.at(row).at(column);
  return cell ? std::optional<std::string_view>(*cell) : std::nullopt;
}

}  // namespace

RecordedRows::RecordedRows(std::string_view text) {
  bool is_header = true;
  while (!text.empty()) {
    auto line = text::take_until(text, '\n');
    std::vector<std::optional<std::string>> fields;
    // Every line has at least one field, an empty one included.
    for (bool is_last = false; !is_last;) {
      is_last = line.find('\t') == std::string_view::npos;
      fields.push_back(unescape(text::take_until(line, '\t')));
    }
    if (is_header)
      for (auto& field : fields) columns_.push_back(field.value_or(""));
    else
      rows_.push_back(std::move(fields));
    is_header = false;
  }
}

sources::TableView RecordedRows::view() const {
  sources::TableView view{{columns_.begin(), columns_.end()}, rows_.size(), &rows_, &cell_of};
  return view;
}

}  // namespace midst::test
