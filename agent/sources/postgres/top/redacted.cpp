#include "agent/sources/postgres/top/redacted.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>

namespace midst::sources {
namespace {

constexpr std::string_view shown[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES"};

/// No command of PostgreSQL has a longer first word.
constexpr std::size_t longest_word = 16;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What an identifier goes on with; other bytes of UTF-8 are letters (PostgreSQL 18 docs, 4.1.1).
bool is_part_of_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

class Redactor {
 public:
  explicit Redactor(std::string_view text) : text_(text) {}

  std::string run() {
    const auto word = first_word();
    if (std::find(std::begin(shown), std::end(shown), word) == std::end(shown)) return word;
    at_ = 0;
    while (at_ < text_.size()) step();
    while (!out_.empty() && out_.back() == ' ') out_.pop_back();
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool is_at(std::string_view mark) const { return text_.substr(at_).starts_with(mark); }

  std::string first_word() {
    while (at_ < text_.size()) {
      if (is_at("--") || is_at("/*"))
        skip_comment();
      else if (is_space(peek()) || peek() == '(' || peek() == ';')
        ++at_;
      else
        break;
    }
    std::string word;
    for (; is_letter(peek()) && word.size() < longest_word; ++at_)
      word += static_cast<char>(std::toupper(static_cast<unsigned char>(peek())));
    return is_part_of_word(peek()) ? std::string() : word;
  }

  void step() {
    const char c = peek();
    if (is_at("--") || is_at("/*")) {
      skip_comment();
      space();
    } else if (is_space(c) || c == '\0') {
      ++at_;
      space();
    } else if (c == '\'') {
      skip_string(false);
    } else if (c == '"') {
      copy_quoted_name();
    } else if (c == '$') {
      dollar();
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      skip_number();
    } else if (is_part_of_word(c)) {
      word();
    } else {
      out_ += c;
      ++at_;
    }
  }

  void space() {
    if (!out_.empty() && out_.back() != ' ') out_ += ' ';
  }

  /// Comments nest (PostgreSQL 18 docs, 4.1.5); one that does not end takes the rest along.
  void skip_comment() {
    if (is_at("--")) {
      at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
      return;
    }
    int depth = 0;
    do {
      if (is_at("/*")) {
        ++depth;
        at_ += 2;
      } else if (is_at("*/")) {
        --depth;
        at_ += 2;
      } else {
        ++at_;
      }
    } while (depth > 0 && at_ < text_.size());
  }

  /// From the quote on.
  void skip_string(bool has_escapes) {
    out_ += '?';
    for (++at_; at_ < text_.size(); ++at_) {
      if (peek() == '\\' && has_escapes) {
        ++at_;
      } else if (peek() == '\\' && peek(1) == '\'') {
        break;  // Where it ends depends on standard_conforming_strings.
      } else if (peek() == '\'' && peek(1) == '\'') {
        ++at_;
      } else if (peek() == '\'') {
        ++at_;
        return;
      }
    }
    at_ = text_.size();
  }

  void copy_quoted_name() {
    const auto from = at_;
    for (++at_; at_ < text_.size(); ++at_) {
      if (peek() != '"') continue;
      if (peek(1) != '"') break;
      ++at_;
    }
    if (at_ >= text_.size()) {
      out_ += '?';  // Cut off, or no name at all.
      return;
    }
    ++at_;
    for (const char c : text_.substr(from, at_ - from)) out_ += is_space(c) || c == '\0' ? ' ' : c;
  }

  /// A parameter ($1), a string ($tag$ … $tag$) or a stray sign.
  void dollar() {
    auto end = at_ + 1;
    if (is_digit(peek(1))) {
      while (end < text_.size() && is_digit(text_[end])) ++end;
      out_.append(text_.substr(at_, end - at_));
      at_ = end;
      return;
    }
    while (end < text_.size() && is_part_of_word(text_[end]) && text_[end] != '$') ++end;
    if (end >= text_.size() || text_[end] != '$') {
      out_ += '?';  // Perhaps the beginning of a tag that is cut off.
      at_ = end >= text_.size() ? end : at_ + 1;
      return;
    }
    const auto tag = text_.substr(at_, end + 1 - at_);
    const auto close = text_.find(tag, end + 1);
    out_ += '?';
    at_ = close == std::string_view::npos ? text_.size() : close + tag.size();
  }

  /// Decimal, hexadecimal, with exponent and underscores; whatever sticks to it goes along.
  void skip_number() {
    out_ += '?';
    while (at_ < text_.size()) {
      const bool is_exponent =
          (peek() == 'e' || peek() == 'E') && (peek(1) == '+' || peek(1) == '-') && is_digit(peek(2));
      if (is_exponent)
        at_ += 2;
      else if (is_part_of_word(peek()) || peek() == '.')
        ++at_;
      else
        break;
    }
  }

  /// A name, a keyword, or the letter in front of a string: E'', B'', X'', N'', U&''.
  void word() {
    const auto from = at_;
    while (at_ < text_.size() && is_part_of_word(peek())) ++at_;
    const auto name = text_.substr(from, at_ - from);
    if (name.size() == 1 && peek() == '\'') {
      skip_string(name == "e" || name == "E");
      return;
    }
    out_.append(name);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string redacted(std::string_view statement) {
  return Redactor(statement).run();
}

}  // namespace midst::sources
