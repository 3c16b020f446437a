#include "agent/sources/redis/commands/settings.hpp"

#include "lib/base/text.hpp"

#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

// clang-format off
constexpr MetricSpec config_maxmemory{"redis_config_maxmemory", MetricType::gauge, "", "The setting maxmemory in bytes; 0 means that there is no limit."};
constexpr MetricSpec config_maxclients{"redis_config_maxclients", MetricType::gauge, "", "The setting maxclients."};
constexpr MetricSpec config_io_threads{"redis_config_io_threads", MetricType::gauge, "", "The setting io-threads."};
constexpr MetricSpec config_repl_backlog_size{"redis_config_repl_backlog_size", MetricType::gauge, "", "The setting repl-backlog-size in bytes."};
// Labels class, limit.
constexpr MetricSpec config_output_limit{"redis_config_client_output_buffer_limit_bytes", MetricType::gauge, "bytes", "Output buffer at which a client of the class is disconnected: at once (hard) or after a while (soft); 0 means never.", "class,limit"};
constexpr MetricSpec config_output_overcome{"redis_config_client_output_buffer_limit_overcome_seconds", MetricType::gauge, "seconds", "How long a client of the class may stay above its soft limit.", "class,limit"};
// clang-format on

constexpr std::string_view settings_wanted[] = {"maxmemory",         "maxclients", "io-threads",
                                                "repl-backlog-size", "databases",  "client-output-buffer-limit"};

void add_number(const MetricSpec& spec, std::string_view text, SnapshotBuilder& builder) {
  if (const auto number = parse_value(text)) builder.add(spec, *number);
}

/// "normal 0 0 0 slave 268435456 67108864 60": class, hard limit, soft limit, seconds.
void add_output_limits(std::string_view text, SnapshotBuilder& builder) {
  const auto words = text::split(text, ' ');
  for (std::size_t i = 0; i + 3 < words.size(); i += 4) {
    const auto hard = text::parse_number(words[i + 1]);
    const auto soft = text::parse_number(words[i + 2]);
    const auto seconds = text::parse_number(words[i + 3]);
    if (!hard || !soft || !seconds) return;
    builder.add(config_output_limit, {{"class", words[i]}, {"limit", "hard"}}, *hard);
    builder.add(config_output_limit, {{"class", words[i]}, {"limit", "soft"}}, *soft);
    builder.add(config_output_overcome, {{"class", words[i]}, {"limit", "soft"}}, *seconds);
  }
}

}  // namespace

std::string_view Settings::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : pairs)
    if (key == name) return value;
  return {};
}

Result<Done> read_settings(const Reply& reply, Settings& settings) {
  if (auto ready = expect_array(reply, "CONFIG GET"); !ready) return ready;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2)
    settings.pairs.emplace_back(reply.elements[i].text, reply.elements[i + 1].text);
  return Done{};
}

void add_settings(const Settings& settings, SnapshotBuilder& builder) {
  add_number(config_maxmemory, settings.find("maxmemory"), builder);
  add_number(config_maxclients, settings.find("maxclients"), builder);
  add_number(config_io_threads, settings.find("io-threads"), builder);
  add_number(config_repl_backlog_size, settings.find("repl-backlog-size"), builder);
  add_output_limits(settings.find("client-output-buffer-limit"), builder);
}

SettingsCollector::SettingsCollector(SettingsOptions options) : options_(std::move(options)), due_(options_.interval) {
}

std::vector<MetricSpec> SettingsCollector::specs() const {
  return {config_maxmemory,         config_maxclients,   config_io_threads,
          config_repl_backlog_size, config_output_limit, config_output_overcome};
}

std::vector<std::string> SettingsCollector::rights() const {
  return {"+config|get"};
}

void SettingsCollector::ask(const Round& round, Batch& batch) {
  if (round.index > 0 || round.facts.is_sentinel || !due_.is_due(round.now)) return;
  redis::Command command{options_.command, "GET"};
  const bool takes_several = round.facts.version >= 70000;
  for (const auto name : settings_wanted) {
    command.emplace_back(name);
    if (takes_several) continue;
    batch.add(command);
    command.pop_back();
  }
  if (takes_several) batch.add(std::move(command));
}

Result<Done> SettingsCollector::read(std::vector<Reply> replies, const Round& round) {
  Settings fresh;
  Result<Done> result = Done{};
  for (const auto& reply : replies)
    if (auto read = read_settings(reply, fresh); !read) result = read;
  if (fresh.pairs.empty()) return result;
  settings_ = std::move(fresh);
  due_.done(round.now);
  return result;
}

void SettingsCollector::add(const Page& page) {
  add_settings(settings_, page.builder);
}

void SettingsCollector::forget() {
  settings_ = {};
  due_.reset();
}

std::optional<int> SettingsCollector::databases() const noexcept {
  const auto databases = parse_value(settings_.find("databases"));
  if (!databases || *databases < 0 || *databases > 1e6) return std::nullopt;
  return static_cast<int>(*databases);
}

}  // namespace midst::sources::redis_info
