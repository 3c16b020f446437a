#include "agent/sources/redis/commands/commandlog.hpp"

#include "lib/base/text.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

constexpr int first_version = 80100;

struct Row {
  std::string_view word;  ///< Of COMMANDLOG LEN, or the setting.
  MetricSpec spec;
};
// clang-format off
constexpr Row lengths[] = {
    {"slow", {"redis_commandlog_slow_length", MetricType::gauge, "", "Entries in the log of slow commands."}},
    {"large-request", {"redis_commandlog_large_request_length", MetricType::gauge, "", "Entries in the log of large requests."}},
    {"large-reply", {"redis_commandlog_large_reply_length", MetricType::gauge, "", "Entries in the log of large replies."}},
};
constexpr Row thresholds[] = {
    {"commandlog-execution-slower-than", {"redis_commandlog_execution_slower_than", MetricType::gauge, "", "Microseconds above which a command is logged as slow; negative: none is."}},
    {"commandlog-slow-execution-max-len", {"redis_commandlog_slow_execution_max_len", MetricType::gauge, "", "How many slow commands the log keeps."}},
    {"commandlog-request-larger-than", {"redis_commandlog_request_larger_than", MetricType::gauge, "", "Bytes above which a request is logged; negative: none is."}},
    {"commandlog-large-request-max-len", {"redis_commandlog_large_request_max_len", MetricType::gauge, "", "How many large requests the log keeps."}},
    {"commandlog-reply-larger-than", {"redis_commandlog_reply_larger_than", MetricType::gauge, "", "Bytes above which a reply is logged; negative: none is."}},
    {"commandlog-large-reply-max-len", {"redis_commandlog_large_reply_max_len", MetricType::gauge, "", "How many large replies the log keeps."}},
};
// clang-format on

class CommandLog final : public Collector {
 public:
  explicit CommandLog(CommandlogOptions options) : options_(std::move(options)), due_(options_.config_interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "commandlog"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override;
  [[nodiscard]] std::vector<std::string> rights() const override;
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  [[nodiscard]] Result<Done> read_thresholds(const Reply& reply);

  const CommandlogOptions options_;
  Due due_;
  std::array<std::optional<double>, std::size(lengths)> lengths_;
  std::array<std::optional<double>, std::size(thresholds)> thresholds_;
};

std::vector<MetricSpec> CommandLog::specs() const {
  std::vector<MetricSpec> all;
  for (const auto& row : lengths) all.push_back(row.spec);
  for (const auto& row : thresholds) all.push_back(row.spec);
  return all;
}

std::vector<std::string> CommandLog::rights() const {
  if (options_.config_command.empty()) return {"+commandlog|len"};
  return {"+commandlog|len", "+config|get"};
}

void CommandLog::ask(const Round& round, Batch& batch) {
  if (round.index > 0) return;
  lengths_ = {};
  if (round.facts.is_sentinel || round.facts.valkey_version < first_version) return;
  for (const auto& row : lengths) batch.add({"COMMANDLOG", "LEN", std::string(row.word)});
  if (options_.config_command.empty() || !due_.is_due(round.now)) return;
  batch.add({options_.config_command, "GET", "commandlog-*"});
}

Result<Done> CommandLog::read(std::vector<Reply> replies, const Round& round) {
  Result<Done> result = Done{};
  for (std::size_t i = 0; i < replies.size() && i < std::size(lengths); ++i) {
    const auto length = replies[i].as_integer();
    if (length)
      lengths_[i] = static_cast<double>(*length);
    else if (result)
      result = length.error().with_context("COMMANDLOG LEN");
  }
  if (replies.size() <= std::size(lengths)) return result;
  due_.done(round.now);
  const auto read = read_thresholds(replies.back());
  return result ? read : result;
}

Result<Done> CommandLog::read_thresholds(const Reply& reply) {
  thresholds_ = {};
  if (auto ready = expect_array(reply, "CONFIG GET"); !ready) return ready;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    for (std::size_t row = 0; row < std::size(thresholds); ++row) {
      if (thresholds[row].word != reply.elements[i].text) continue;
      if (const auto value = text::parse_number(reply.elements[i + 1].text)) thresholds_[row] = *value;
    }
  }
  return Done{};
}

void CommandLog::add(const Page& page) {
  for (std::size_t i = 0; i < std::size(lengths); ++i)
    if (lengths_[i]) page.builder.add(lengths[i].spec, *lengths_[i]);
  for (std::size_t i = 0; i < std::size(thresholds); ++i)
    if (thresholds_[i]) page.builder.add(thresholds[i].spec, *thresholds_[i]);
}

void CommandLog::forget() {
  due_.reset();
  lengths_ = {};
  thresholds_ = {};
}

}  // namespace

std::unique_ptr<Collector> make_commandlog(CommandlogOptions options) {
  return std::make_unique<CommandLog>(std::move(options));
}

}  // namespace midst::sources::redis_info
