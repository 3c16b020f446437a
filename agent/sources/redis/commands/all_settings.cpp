#include "agent/sources/redis/commands/all_settings.hpp"

#include "agent/sources/redis/commands/settings.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

// clang-format off
constexpr MetricSpec config_key_value{"redis_config_key_value", MetricType::gauge, "", "A setting and its value. Always 1.", "key,value"};
constexpr MetricSpec config_value{"redis_config_value", MetricType::gauge, "", "The value of a setting that is a number.", "key"};
// clang-format on

/// Settings that would be secret by a word of their name, but hold none. Redis 7.0 redis.conf.
constexpr std::string_view harmless[] = {"tls-auth-clients", "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush"};

bool contains_ignoring_case(std::string_view text, std::string_view word) noexcept {
  if (word.empty()) return false;
  for (std::size_t i = 0; i + word.size() <= text.size(); ++i)
    if (text::equal_ignoring_case(text.substr(i, word.size()), word)) return true;
  return false;
}

/// CONFIG GET *.
class AllSettings final : public Collector {
 public:
  explicit AllSettings(AllSettingsOptions options) : options_(std::move(options)), due_(options_.interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "config_all"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {config_key_value, config_value}; }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+config|get"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0 || round.facts.is_sentinel || !due_.is_due(round.now)) return;
    batch.add({options_.config_command, "GET", "*"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override {
    Settings fresh;
    if (auto read = read_settings(replies.front(), fresh); !read) return read;
    // Secrets are not even kept.
    std::erase_if(fresh.pairs, [&](const auto& pair) { return is_redacted(pair.first, options_); });
    too_many_ = fresh.pairs.size() - std::min(fresh.pairs.size(), options_.max_settings);
    fresh.pairs.resize(fresh.pairs.size() - too_many_);
    settings_ = std::move(fresh);
    due_.done(round.now);
    return Done{};
  }

  void add(const Page& page) override;

  void forget() override {
    settings_ = {};
    too_many_ = 0;
    due_.reset();
  }

 private:
  const AllSettingsOptions options_;
  Due due_;
  Settings settings_;
  std::size_t too_many_ = 0;
};

void AllSettings::add(const Page& page) {
  std::size_t too_long = 0;
  for (const auto& [name, value] : settings_.pairs) {
    if (value.size() > options_.max_value_bytes)
      ++too_long;
    else
      page.builder.add(config_key_value, {{"key", name}, {"value", value}}, 1);
    if (const auto number = text::parse_number(value)) page.builder.add(config_value, {{"key", name}}, *number);
  }
  add_folded(config_key_value, too_long + too_many_, page.builder);
}

}  // namespace

bool is_secret(std::string_view name) noexcept {
  return contains_ignoring_case(name, "pass") || contains_ignoring_case(name, "secret") ||
         text::equal_ignoring_case(name, "masterauth") || text::equal_ignoring_case(name, "primaryauth");
}

bool is_redacted(std::string_view name, const AllSettingsOptions& options) noexcept {
  if (is_secret(name)) return true;
  if (!options.redact || std::find(std::begin(harmless), std::end(harmless), name) != std::end(harmless)) return false;
  return std::any_of(options.redacted_words.begin(), options.redacted_words.end(),
                     [&](const auto& word) { return contains_ignoring_case(name, word); });
}

std::unique_ptr<Collector> make_all_settings(AllSettingsOptions options) {
  return std::make_unique<AllSettings>(std::move(options));
}

}  // namespace midst::sources::redis_info
