// The log facade. Every line is one event with key=value fields; log.cpp is the only file that knows spdlog.
// Thread-safe. Error = someone must act, warn = degraded, info = state change, debug = detail.
#pragma once

#include "lib/base/error.hpp"

#include <fmt/core.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace midst::log {

enum class Level { debug, info, warn, error };

/// How lines look: logfmt and JSON carry a timestamp; journald sends fields to the journal when standard error is one,
/// else lines that carry the priority prefix "<N>".
enum class Format { logfmt, json, journald };

/// One key=value of a line. Never put a secret in a value.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  Field(std::string_view field_key, const char* text) : key(field_key), value(text) {}
  Field(std::string_view field_key, const std::string& text) : key(field_key), value(text) {}
  template <class T>
  Field(std::string_view field_key, const T& number) : key(field_key), value(fmt::format("{}", number)) {}
};

/// @return journald when standard error is the journal, which systemd tells by JOURNAL_STREAM (systemd.exec(5)), else
/// logfmt.
[[nodiscard]] Format default_format();

/// Sets level and format for the whole process. Called at start and after a reload; the default is info, logfmt.
void configure(Level level, Format format);

/// @return whether a line of this level would be written; guards costly fields.
[[nodiscard]] bool enabled(Level level) noexcept;

/// Writes one line to standard error: `message` is a fixed sentence, what varies goes into fields.
void write(Level level, std::string_view message, std::initializer_list<Field> fields);

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, message, fields);
}

/// @return a line as the journal takes it, with fields of its own: MESSAGE, PRIORITY, MIDST_TARGET and so on. Pure;
/// exposed for tests.
[[nodiscard]] std::vector<std::string> journal_fields(Level level, std::string_view message,
                                                      std::initializer_list<Field> fields);

/// @return the line as `format` has it, without timestamp and newline. Pure; exposed for tests.
[[nodiscard]] std::string render(Format format, Level level, std::string_view message,
                                 std::initializer_list<Field> fields);

/// @return the level or format named by a config value ("info", "json"), or Errc::config.
[[nodiscard]] Result<Level> parse_level(std::string_view text);
[[nodiscard]] Result<Format> parse_format(std::string_view text);

}  // namespace midst::log
