#include "lib/base/log.hpp"

#include "lib/base/text.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>

namespace midst::log {
namespace {

/// @return whether standard error is a stream to the journal: systemd names its device and inode.
bool is_stderr_the_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &facts) == 0 &&
         fmt::format("{}:{}", facts.st_dev, facts.st_ino) == stream;
}

struct Settings {
  std::atomic<Level> level{Level::info};
  std::atomic<Format> format{Format::logfmt};
  std::shared_ptr<spdlog::logger> sink;
  const bool is_journal = is_stderr_the_journal();

  Settings() : sink(std::make_shared<spdlog::logger>("midst", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    sink->set_pattern("%v");
    sink->set_level(spdlog::level::trace);
    sink->flush_on(spdlog::level::trace);
  }
};

Settings& settings() {
  static Settings the_settings;
  return the_settings;
}

constexpr std::string_view level_words[] = {"debug", "info", "warn", "error"};
/// syslog(3) priorities, which journald reads from a "<N>" prefix (sd-daemon(3)).
constexpr int priorities[] = {7, 6, 4, 3};

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", date, milliseconds);
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 127) return true;
  return !text::is_utf8(value);  // a quoted value is mended
}

void append_pair(std::string& line, std::string_view key, std::string_view value) {
  if (!line.empty()) line += ' ';
  line.append(key);
  line += '=';
  if (needs_quotes(value))
    text::append_json_string(line, value);
  else
    line.append(value);
}

std::string render_line(Format format, Level level, std::string_view message, std::initializer_list<Field> fields,
                        std::string_view time) {
  std::string line;
  const auto level_word = level_words[static_cast<std::size_t>(level)];
  if (format == Format::json) {
    line = "{";
    if (!time.empty()) line += fmt::format("\"ts\":\"{}\",", time);
    line += fmt::format("\"level\":\"{}\",\"msg\":", level_word);
    text::append_json_string(line, message);
    for (const auto& field : fields) {
      line += ',';
      text::append_json_string(line, field.key);
      line += ':';
      text::append_json_string(line, field.value);
    }
    line += '}';
    return line;
  }
  if (!time.empty()) append_pair(line, "ts", time);
  if (format == Format::logfmt) append_pair(line, "level", level_word);
  append_pair(line, "msg", message);
  for (const auto& field : fields) append_pair(line, field.key, field.value);
  if (format == Format::journald) line.insert(0, fmt::format("<{}>", priorities[static_cast<std::size_t>(level)]));
  return line;
}

/// @return whether the journal took the line.
bool send_to_journal(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const auto lines = journal_fields(level, message, fields);
  std::vector<iovec> parts;
  for (const auto& line : lines) parts.push_back({const_cast<char*>(line.data()), line.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

std::vector<std::string> journal_fields(Level level, std::string_view message, std::initializer_list<Field> fields) {
  std::vector<std::string> lines;
  // People read MESSAGE alone, so it tells everything; the fields are for who filters by them.
  auto text = std::string(message);
  for (const auto& field : fields) append_pair(text, field.key, field.value);
  lines.push_back("MESSAGE=" + text);
  lines.push_back(fmt::format("PRIORITY={}", priorities[static_cast<std::size_t>(level)]));
  lines.push_back(fmt::format("SYSLOG_IDENTIFIER={}", program_invocation_short_name));
  lines.push_back(fmt::format("MIDST_EVENT={}", message));
  for (const auto& field : fields) {
    std::string name = "MIDST_";
    for (const unsigned char c : field.key) name += static_cast<char>(std::isalnum(c) != 0 ? std::toupper(c) : '_');
    lines.push_back(name + '=' + field.value);
  }
  return lines;
}

Format default_format() {
  return is_stderr_the_journal() ? Format::journald : Format::logfmt;
}

void configure(Level level, Format format) {
  settings().level = level;
  settings().format = format;
}

bool enabled(Level level) noexcept {
  return level >= settings().level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  const auto format = settings().format.load(std::memory_order_relaxed);
  if (format == Format::journald && settings().is_journal && send_to_journal(level, message, fields)) return;
  const auto time = format == Format::journald ? std::string() : timestamp();
  settings().sink->log(spdlog::level::critical, "{}", render_line(format, level, message, fields, time));
}

std::string render(Format format, Level level, std::string_view message, std::initializer_list<Field> fields) {
  return render_line(format, level, message, fields, {});
}

Result<Level> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < std::size(level_words); ++i)
    if (text == level_words[i]) return static_cast<Level>(i);
  return Error{Errc::config, fmt::format("unknown level \"{}\"; one of debug, info, warn, error", text)};
}

Result<Format> parse_format(std::string_view text) {
  if (text == "logfmt") return Format::logfmt;
  if (text == "json") return Format::json;
  if (text == "journald") return Format::journald;
  return Error{Errc::config, fmt::format("unknown format \"{}\"; one of auto, logfmt, json, journald", text)};
}

}  // namespace midst::log
