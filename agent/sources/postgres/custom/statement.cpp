#include "agent/sources/postgres/custom/statement.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

namespace midst::sources {
namespace {

constexpr std::string_view show = "show";

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Walks over SQL as the server's lexer does: quotes, comments, everything else character by character (PostgreSQL 15
/// docs 4.1).
class Walker {
 public:
  explicit Walker(std::string_view sql) : sql_(sql) {}

  /// Moves behind the next thing. @return false at a quote or comment that is not closed.
  bool step() {
    begin_ = at_;
    is_blank_ = false;
    const auto rest = sql_.substr(at_);
    if (rest.starts_with("--")) return blank(sql_.find('\n', at_), 1);
    if (rest.starts_with("/*")) return block_comment();
    if (rest[0] == '\'') return quote('\'', has_escapes_ahead());
    if (rest[0] == '"') return quote('"', false);
    if (rest[0] == '$' && !is_in_word()) {
      if (const auto tag = dollar_tag(); !tag.empty()) return to_end_of(sql_.find(tag, at_ + tag.size()), tag.size());
    }
    is_blank_ = rest[0] == ' ' || (rest[0] >= '\t' && rest[0] <= '\r');
    ++at_;
    return true;
  }

  [[nodiscard]] bool is_at_end() const noexcept { return at_ >= sql_.size(); }
  /// @return whether the thing was space or a comment.
  [[nodiscard]] bool is_blank() const noexcept { return is_blank_; }
  [[nodiscard]] std::string_view thing() const noexcept { return sql_.substr(begin_, at_ - begin_); }
  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }

 private:
  bool to_end_of(std::size_t found, std::size_t length) {
    at_ = found == std::string_view::npos ? sql_.size() : found + length;
    return found != std::string_view::npos;
  }

  /// A line comment may end with the text.
  bool blank(std::size_t found, std::size_t length) {
    is_blank_ = true;
    to_end_of(found, length);
    return true;
  }

  bool block_comment() {
    is_blank_ = true;
    std::size_t depth = 0;
    do {
      const auto rest = sql_.substr(at_, 2);
      if (rest.size() < 2) return false;
      depth += rest == "/*" ? 1 : 0;
      depth -= rest == "*/" ? 1 : 0;
      at_ += rest == "/*" || rest == "*/" ? 2 : 1;
    } while (depth > 0);
    return true;
  }

  bool quote(char mark, bool has_escapes) {
    for (++at_; at_ < sql_.size(); ++at_) {
      if (has_escapes && sql_[at_] == '\\') {
        ++at_;
        continue;
      }
      // A doubled quote is two quotes for us, which ends where one would.
      if (sql_[at_] == mark) {
        ++at_;
        return true;
      }
    }
    at_ = sql_.size();
    return false;
  }

  [[nodiscard]] bool is_in_word() const noexcept { return at_ > 0 && is_word(sql_[at_ - 1]); }

  /// E'…' has backslash escapes.
  [[nodiscard]] bool has_escapes_ahead() const noexcept {
    return at_ > 0 && (sql_[at_ - 1] == 'e' || sql_[at_ - 1] == 'E') && (at_ < 2 || !is_word(sql_[at_ - 2]));
  }

  /// @return "$$" or "$tag$" at this place.
  [[nodiscard]] std::string_view dollar_tag() const {
    auto end = at_ + 1;
    while (end < sql_.size() && is_word(sql_[end]) && sql_[end] != '$') ++end;
    const bool is_parameter = end > at_ + 1 && sql_[at_ + 1] >= '0' && sql_[at_ + 1] <= '9';
    if (end >= sql_.size() || sql_[end] != '$' || is_parameter) return {};
    return sql_.substr(at_, end + 1 - at_);
  }

  std::string_view sql_;
  std::size_t at_ = 0, begin_ = 0;
  bool is_blank_ = false;
};

std::string first_word(std::string_view statement) {
  Walker walker(statement);
  std::string word;
  while (!walker.is_at_end() && walker.step()) {
    const auto thing = walker.thing();
    if (thing.size() == 1 && is_word(thing[0]))
      word += thing;
    else if (!word.empty() || (!walker.is_blank() && thing != "("))
      break;
  }
  return text::lower(word);
}

/// @return begin and end of the one statement.
Result<std::string_view> bounds_of(std::string_view sql) {
  Walker walker(sql);
  std::optional<std::size_t> begin;
  std::size_t end = 0;
  bool is_ended = false;
  while (!walker.is_at_end()) {
    if (!walker.step()) return Error{Errc::config, "a quote or comment of the SQL is not closed"};
    if (walker.is_blank()) continue;
    if (walker.thing() == ";") {
      is_ended = is_ended || begin.has_value();
      continue;
    }
    if (is_ended) return Error{Errc::config, "the SQL has more than one statement; make each a query of its own"};
    if (!begin) begin = walker.begin();
    end = walker.begin() + walker.thing().size();
  }
  if (!begin) return Error{Errc::config, "the SQL is empty"};
  return sql.substr(*begin, end - *begin);
}

}  // namespace

Result<std::string> single_statement(std::string_view sql) {
  if (sql.size() > max_statement_bytes)
    return Error{Errc::config, fmt::format("the SQL has more than {} bytes", max_statement_bytes)};
  if (sql.find('\0') != std::string_view::npos) return Error{Errc::config, "the SQL has a byte 0"};
  const auto statement = bounds_of(sql);
  if (!statement) return statement.error();
  constexpr std::string_view reading[] = {"select", "with", "values", "table", show};
  const auto word = first_word(*statement);
  if (std::find(std::begin(reading), std::end(reading), word) == std::end(reading))
    return Error{Errc::config, "the SQL has to begin with SELECT, WITH, VALUES, TABLE or SHOW: queries only read"};
  return std::string(*statement);
}

std::string limited(std::string_view statement, std::size_t max_rows) {
  // SHOW stands nowhere but alone; its answers are short.
  if (first_word(statement) == show) return std::string(statement);
  return fmt::format("SELECT * FROM (\n{}\n) AS midst_rows LIMIT {}", statement, max_rows);
}

}  // namespace midst::sources
