#include "agent/sources/redis/commands/slowlog.hpp"

#include "agent/sources/redis/commands/bounded_counts.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

// clang-format off
constexpr MetricSpec slowlog_length{"redis_slowlog_length", MetricType::gauge, "", "Entries in the slow log."};
constexpr MetricSpec slowlog_last_id{"redis_slowlog_last_id", MetricType::gauge, "", "Number of the newest entry in the slow log; 0 when it is empty."};
constexpr MetricSpec last_slow_duration{"redis_last_slow_execution_duration_seconds", MetricType::gauge, "seconds", "Duration of the newest entry in the slow log; 0 when it is empty."};
// Label cmd.
constexpr MetricSpec slowlog_entries{"redis_slowlog_entries_total", MetricType::counter, "", "Slow calls by command since the agent first saw the server; \"other\" for what commandstats does not list.", "cmd"};
constexpr MetricSpec slowlog_duration{"redis_slowlog_duration_seconds_total", MetricType::counter, "seconds", "Time the slow calls of a command took since the agent first saw the server.", "cmd"};
constexpr MetricSpec slowlog_lost{"redis_slowlog_lost_entries_total", MetricType::counter, "", "Slow calls that left the log before the agent could read them; they count under no command."};
// clang-format on

constexpr std::size_t max_word_bytes = 64;
/// Entries that may wait for commandstats to tell whether their command exists; a scrape brings at most `max_entries`.
constexpr std::size_t max_waiting = 16384;

std::string lower_word(const Reply& word) {
  auto text = word.text.substr(0, max_word_bytes);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// SLOWLOG LEN and SLOWLOG GET.
class SlowLog final : public Collector {
 public:
  explicit SlowLog(SlowlogOptions options)
      : options_(options), fetch_(options.entries), counters_(options.max_commands) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "slowlog"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {slowlog_length, slowlog_last_id, last_slow_duration, slowlog_entries, slowlog_duration, slowlog_lost};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+slowlog|len", "+slowlog|get"}; }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override { last_id_.reset(); }

 private:
  void place_last_id(const std::vector<SlowlogEntry>& entries, const ServerFacts& facts);
  [[nodiscard]] bool is_new(const SlowlogEntry& entry) const noexcept;
  [[nodiscard]] bool has_gap(const std::vector<SlowlogEntry>& entries) const noexcept;
  void take(std::vector<SlowlogEntry> entries, double unix_now);
  void count_waiting(const Commands& commands);

  const SlowlogOptions options_;
  std::size_t fetch_;
  std::vector<Reply> replies_;                        ///< Of the first round of this scrape.
  std::optional<std::vector<SlowlogEntry>> too_few_;  ///< What came when more was new than was asked for.
  std::optional<std::int64_t> last_id_;               ///< Counted up to here. Unset: only time tells what is new.
  std::optional<double> read_at_;                     ///< Unix time of the last look; unset before the first one.
  std::vector<SlowlogEntry> waiting_;
  BoundedCounts counters_;
  double lost_ = 0;
};

void SlowLog::ask(const Round& round, Batch& batch) {
  if (round.index == 0) {
    replies_.clear();
    too_few_.reset();
    if (round.facts.is_sentinel) return;
    batch.add({"SLOWLOG", "LEN"});
    batch.add({"SLOWLOG", "GET", std::to_string(fetch_)});
  } else if (round.index == 1 && too_few_) {
    batch.add({"SLOWLOG", "GET", std::to_string(options_.max_entries)});
  }
}

Result<Done> SlowLog::read(std::vector<Reply> replies, const Round& round) {
  if (round.index > 0) {
    auto entries = read_slowlog(replies.front());
    take(entries ? std::move(*entries) : std::move(*too_few_), round.unix_now);
    too_few_.reset();
    return entries ? Result<Done>(Done{}) : entries.error();
  }
  replies_ = std::move(replies);
  auto entries = read_slowlog(replies_[1]);
  if (!entries) return entries.error();
  place_last_id(*entries, round.facts);
  if (has_gap(*entries) && fetch_ < options_.max_entries)
    too_few_ = std::move(*entries);
  else
    take(std::move(*entries), round.unix_now);
  if (replies_[0].is_error()) return replies_[0].to_error().with_context("SLOWLOG LEN");
  return Done{};
}

/// Numbers go on through SLOWLOG RESET and begin at 0 with the process. Another process than last time (a failover)
/// may have run for long: only what it logged since our last look is new then.
void SlowLog::place_last_id(const std::vector<SlowlogEntry>& entries, const ServerFacts& facts) {
  if (last_id_ && !entries.empty() && entries.front().id < *last_id_) last_id_.reset();
  const bool is_restarted = !last_id_ && read_at_ && facts.start_seconds >= std::floor(*read_at_);
  if (is_restarted) last_id_ = -1;
}

bool SlowLog::is_new(const SlowlogEntry& entry) const noexcept {
  if (last_id_) return entry.id > *last_id_;
  return read_at_ && entry.unix_seconds >= std::floor(*read_at_);
}

bool SlowLog::has_gap(const std::vector<SlowlogEntry>& entries) const noexcept {
  if (entries.size() < fetch_ || !is_new(entries.back())) return false;
  return !last_id_ || entries.back().id - 1 > *last_id_;
}

void SlowLog::take(std::vector<SlowlogEntry> entries, double unix_now) {
  std::size_t fresh = 0;
  for (auto& entry : entries) {
    if (!is_new(entry)) continue;
    ++fresh;
    if (waiting_.size() < max_waiting)
      waiting_.push_back(entry);
    else
      counters_.add("other", {1, entry.microseconds / 1e6});
  }
  if (last_id_ && fresh > 0)
    lost_ += std::max(
        0.0, static_cast<double>(entries.front().id) - static_cast<double>(*last_id_) - static_cast<double>(fresh));
  if (!entries.empty()) last_id_ = entries.front().id;
  read_at_ = unix_now;
  // A busy log is asked for more at once, until it calms down.
  fetch_ = std::clamp(2 * fresh, options_.entries, options_.max_entries);
}

void SlowLog::count_waiting(const Commands& commands) {
  for (const auto& entry : waiting_) {
    auto name = entry.command + '|' + entry.subcommand;
    if (!commands.contains(name)) name = entry.command;
    counters_.add(commands.contains(name) ? name : "other", {1, entry.microseconds / 1e6});
  }
  waiting_.clear();
}

void SlowLog::add(const Page& page) {
  count_waiting(page.commands);
  if (!replies_.empty()) (void)add_slowlog(replies_[0], replies_[1], page.builder);
  if (!read_at_) return;
  for (const auto& [command, count] : counters_.counts()) {
    page.builder.add(slowlog_entries, {{"cmd", command}}, count.events);
    page.builder.add(slowlog_duration, {{"cmd", command}}, count.amount);
  }
  add_folded(slowlog_entries, counters_.folded(), page.builder);
  page.builder.add(slowlog_lost, lost_);
}

}  // namespace

Result<std::vector<SlowlogEntry>> read_slowlog(const Reply& reply) {
  if (const auto ready = expect_array(reply, "SLOWLOG GET"); !ready) return ready.error();
  std::vector<SlowlogEntry> entries;
  entries.reserve(reply.elements.size());
  // [id, unix time, microseconds, [argument, …], …]
  for (const auto& element : reply.elements) {
    const auto& parts = element.elements;
    if (parts.size() < 4) return misshapen("SLOWLOG GET");
    const auto id = parts[0].as_integer(), time = parts[1].as_integer(), duration = parts[2].as_integer();
    if (!id || !time || !duration || *id < 0 || *duration < 0) return misshapen("SLOWLOG GET");
    // Newest first, numbered without a hole between them: the rest of the reading relies on it.
    if (!entries.empty() && *id >= entries.back().id) return misshapen("SLOWLOG GET");
    SlowlogEntry entry{*id, static_cast<double>(*time), static_cast<double>(*duration), "", ""};
    const auto& words = parts[3].elements;
    if (!words.empty()) entry.command = lower_word(words[0]);
    if (words.size() > 1) entry.subcommand = lower_word(words[1]);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<Done> add_slowlog(const Reply& length, const Reply& newest, SnapshotBuilder& builder) {
  const auto entries = length.as_integer();
  if (entries) builder.add(slowlog_length, static_cast<double>(*entries));
  if (auto ready = expect_array(newest, "SLOWLOG GET"); !ready) return ready;
  // None means that nothing was slow yet.
  double id = 0, microseconds = 0;
  if (!newest.elements.empty()) {
    const auto& entry = newest.elements.front().elements;
    if (entry.size() < 3) return misshapen("SLOWLOG GET");
    id = static_cast<double>(entry[0].number);
    microseconds = static_cast<double>(entry[2].number);
  }
  builder.add(slowlog_last_id, id);
  builder.add(last_slow_duration, microseconds / 1e6);
  if (!entries) return entries.error().with_context("SLOWLOG LEN");
  return Done{};
}

std::unique_ptr<Collector> make_slowlog(SlowlogOptions options) {
  return std::make_unique<SlowLog>(options);
}

}  // namespace midst::sources::redis_info
