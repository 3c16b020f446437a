#include "agent/sources/redis/keys/key_groups.hpp"

#include "agent/sources/redis/info/keyspace.hpp"
#include "agent/sources/redis/keys/key_batch.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
/// Labels db, key_group.
constexpr MetricSpec group_count{"redis_key_group_count", MetricType::gauge, "", "Keys whose names belong to the group.", "db,key_group"};
constexpr MetricSpec group_memory{"redis_key_group_memory_usage_bytes", MetricType::gauge, "bytes", "Memory that the keys of the group take, as the server estimates it.", "db,key_group"};
/// Label db.
constexpr MetricSpec distinct_groups{"redis_number_of_distinct_key_groups", MetricType::gauge, "", "Groups that the keys of the database belong to, with those in overflow.", "db"};
constexpr MetricSpec pass_duration{"redis_last_key_groups_scrape_duration_milliseconds", MetricType::gauge, "", "How long the agent was busy with the last whole look at all keys; 0 when there was none."};
constexpr MetricSpec groups_age{"redis_exporter_key_groups_age_seconds", MetricType::gauge, "seconds", "Time since the shown look at all keys was complete."};
// clang-format on

/// Keys may be of any length; what is captured of them becomes a label.
constexpr std::size_t max_group_bytes = 256;

/// One look at all keys.
struct Pass {
  std::vector<int> databases;  ///< Still to be walked, the next one last.
  bool has_databases = false;  ///< INFO has told which there are.
  std::optional<KeyWalk> walk;
  std::optional<KeyGroups> groups;  ///< Of the walk's database.
  std::vector<std::string> names;   ///< Whose memory is asked for next: of the last batch.
  std::map<int, KeyGroups::Summary> done;
  std::chrono::steady_clock::duration busy{0};
};

class KeyGroupsCollector final : public Collector {
 public:
  explicit KeyGroupsCollector(KeyGroupsOptions options)
      : options_(std::move(options)), pace_(options_.pace), batch_(options_.database) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "key_groups"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {group_count, group_memory, distinct_groups, pass_duration, groups_age};
  }
  [[nodiscard]] std::vector<std::string> rights() const override {
    return {"+info", "+select", "+scan", "+memory|usage", "%R~*"};
  }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  enum class Part : std::uint32_t { databases, scan };

  void begin_scrape(const Round& round);
  void begin_database();
  void ask_next(const Round& round);
  [[nodiscard]] Result<Done> take_databases(const redis::Reply& reply);
  [[nodiscard]] Result<Done> take_memory(const std::string& name, const redis::Reply& reply);
  [[nodiscard]] Result<Done> take_scan(redis::Reply& reply);
  void finish(const Round& round);

  const KeyGroupsOptions options_;
  KeyPace pace_;
  KeyBatch batch_;
  std::optional<Pass> pass_;
  std::vector<std::string> asked_names_;
  std::chrono::steady_clock::time_point busy_since_;
  std::map<int, KeyGroups::Summary> shown_;
  double shown_at_ = 0, shown_duration_ms_ = 0;
  bool is_asking_ = false, is_whole_ = false, was_cut_ = false;
};

void KeyGroupsCollector::ask(const Round& round, Batch& batch) {
  if (round.index == 0) begin_scrape(round);
  if (!is_asking_) return;
  if (pass_) {
    pass_->busy += round.now - std::exchange(busy_since_, round.now);
    const bool is_done = pass_->has_databases && !pass_->walk && pass_->databases.empty() && pass_->names.empty();
    if (is_done) finish(round);
  }
  if (!pass_) return;
  if (!pace_.has_time(round)) {
    was_cut_ = true;
    return;
  }
  batch_.begin(round);
  ask_next(round);
  batch_.end(batch);
}

void KeyGroupsCollector::begin_scrape(const Round& round) {
  is_asking_ = !options_.patterns.empty() && pace_.begin_scrape(round);
  if (!pace_.is_wanted(round.facts)) forget();
  if (!is_asking_) return;
  busy_since_ = round.now;
  // What was in flight when a connection broke is asked again.
  if (pass_ && !asked_names_.empty()) pass_->names = std::move(asked_names_);
  asked_names_.clear();
  if (!pass_ && pace_.begins_pass(round)) pass_.emplace();
}

void KeyGroupsCollector::ask_next(const Round& round) {
  if (!pass_->has_databases) {
    batch_.add(options_.database, {"INFO", "keyspace"},
               {KeyTicket::Part::other, static_cast<std::uint32_t>(Part::databases)});
    return;
  }
  while (!pass_->walk && !pass_->databases.empty()) {
    if (batch_.refusal(pass_->databases.back(), round.now) != nullptr)
      pass_->databases.pop_back();
    else
      begin_database();
  }
  if (!pass_->walk) return;
  const int database = pass_->walk->database();
  asked_names_ = std::exchange(pass_->names, {});
  for (std::size_t i = 0; i < asked_names_.size(); ++i)
    batch_.add(database, {"MEMORY", "USAGE", asked_names_[i]}, {KeyTicket::Part::look, static_cast<std::uint32_t>(i)});
  if (!pass_->walk->is_done())
    batch_.add(database, pass_->walk->command(), {KeyTicket::Part::scan, static_cast<std::uint32_t>(Part::scan)});
}

void KeyGroupsCollector::begin_database() {
  pass_->walk.emplace(pass_->databases.back(), "", options_.batch_size);
  pass_->groups.emplace(options_.max_kept_groups);
  pass_->databases.pop_back();
}

Result<Done> KeyGroupsCollector::read(std::vector<redis::Reply> replies, const Round& round) {
  auto answers = batch_.take(std::move(replies), round);
  Result<Done> first = Done{};
  for (auto& answer : answers) {
    Result<Done> taken = Done{};
    if (answer.ticket.part == KeyTicket::Part::look && answer.ticket.index < asked_names_.size())
      taken = take_memory(asked_names_[answer.ticket.index], answer.reply);
    else if (answer.ticket.part == KeyTicket::Part::scan)
      taken = take_scan(answer.reply);
    else
      taken = take_databases(answer.reply);
    if (!taken && first) first = taken;
    if (!pass_) break;
  }
  asked_names_.clear();
  if (pass_ && pass_->walk && pass_->walk->is_done() && pass_->names.empty()) {
    pass_->done.insert_or_assign(pass_->walk->database(), pass_->groups->summary(options_.max_groups));
    pass_->walk.reset();
  }
  const bool is_at_end = pass_ && !pass_->walk && pass_->databases.empty();
  const bool is_cut = was_cut_ || (!is_at_end && !pace_.has_time(round));
  if (first && is_cut && !is_whole_)
    return Error{Errc::timeout, "the first pass over all keys takes longer than one scrape; it goes on in the next"};
  return first;
}

Result<Done> KeyGroupsCollector::take_databases(const redis::Reply& reply) {
  const auto info = reply.as_text();
  if (!info) {
    pass_.reset();
    return info.error().with_context("INFO keyspace");
  }
  for (auto line : text::split(*info, '\n')) {
    line = text::trim(line);
    const auto field = text::take_until(line, ':');
    if (const auto database = parse_database(field, line)) pass_->databases.push_back(database->number);
  }
  std::sort(pass_->databases.rbegin(), pass_->databases.rend());
  pass_->has_databases = true;
  return Done{};
}

Result<Done> KeyGroupsCollector::take_memory(const std::string& name, const redis::Reply& reply) {
  if (reply.type == redis::Reply::Type::nil) return Done{};  // it has gone since SCAN
  const auto bytes = reply.as_integer();
  const auto memory = bytes ? static_cast<std::uint64_t>(std::max<std::int64_t>(*bytes, 0)) : 0;
  // Where the memory is not to be had, the count still is.
  pass_->groups->add(group_of(name, options_.patterns), memory);
  if (!bytes) return bytes.error().with_context("MEMORY USAGE");
  return Done{};
}

Result<Done> KeyGroupsCollector::take_scan(redis::Reply& reply) {
  const int database = pass_->walk->database();
  const auto names = pass_->walk->take(reply);
  if (!names) {
    // This database has no result; the others may.
    pass_->walk.reset();
    pass_->names.clear();
    shown_.erase(database);
    return names.error();
  }
  for (auto& name : *names)
    if (name.type == redis::Reply::Type::string) pass_->names.push_back(std::move(name.text));
  return Done{};
}

void KeyGroupsCollector::finish(const Round& round) {
  shown_ = std::move(pass_->done);
  shown_at_ = round.unix_now;
  shown_duration_ms_ = std::chrono::duration<double, std::milli>(pass_->busy).count();
  is_whole_ = true;
  pass_.reset();
}

void KeyGroupsCollector::add(const Page& page) {
  page.builder.add(pass_duration, shown_duration_ms_);
  if (!is_whole_ || !pace_.is_wanted(page.facts)) return;
  for (const auto& [number, summary] : shown_) {
    const auto database = fmt::format("db{}", number);
    for (const auto& group : summary.groups) {
      const auto labels = page.builder.labels({{"db", database}, {"key_group", group.name}});
      page.builder.family(group_count).add(labels, static_cast<double>(group.count));
      page.builder.family(group_memory).add(labels, static_cast<double>(group.memory_bytes));
    }
    page.builder.add(distinct_groups, {{"db", database}}, static_cast<double>(summary.distinct));
  }
  page.builder.add(groups_age, std::max(0.0, page.unix_now - shown_at_));
}

void KeyGroupsCollector::forget() {
  pace_.forget();
  batch_.forget();
  pass_.reset();
  shown_.clear();
  asked_names_.clear();
  shown_duration_ms_ = 0;
  is_whole_ = was_cut_ = false;
}

}  // namespace

void KeyGroups::add(std::string_view group, std::uint64_t memory_bytes) {
  auto at = groups_.find(group);
  if (at == groups_.end() && groups_.size() < max_kept_) at = groups_.emplace(group, Sums{}).first;
  auto& sums = at == groups_.end() ? beyond_ : at->second;
  ++sums.count;
  sums.memory_bytes += memory_bytes;
}

KeyGroups::Summary KeyGroups::summary(std::size_t limit) const {
  Summary summary;
  for (const auto& [name, sums] : groups_) summary.groups.push_back({name, sums.count, sums.memory_bytes});
  summary.distinct = groups_.size();
  std::sort(summary.groups.begin(), summary.groups.end(), [](const Group& a, const Group& b) {
    return std::tie(b.memory_bytes, a.count, a.name) < std::tie(a.memory_bytes, b.count, b.name);
  });
  if (summary.groups.size() <= limit && beyond_.count == 0) return summary;
  Group overflow{"overflow", beyond_.count, beyond_.memory_bytes};
  for (std::size_t i = limit; i < summary.groups.size(); ++i) {
    overflow.count += summary.groups[i].count;
    overflow.memory_bytes += summary.groups[i].memory_bytes;
  }
  summary.groups.resize(std::min(limit, summary.groups.size()));
  summary.groups.push_back(std::move(overflow));
  summary.has_overflow = true;
  return summary;
}

std::string group_of(std::string_view key, const std::vector<LuaPattern>& patterns) {
  for (const auto& pattern : patterns)
    if (auto captures = pattern.find(key)) {
      if (captures->size() > max_group_bytes) captures->resize(max_group_bytes);
      return std::move(*captures);
    }
  return "unclassified";
}

std::unique_ptr<Collector> make_key_groups(KeyGroupsOptions options) {
  return std::make_unique<KeyGroupsCollector>(std::move(options));
}

}  // namespace midst::sources::redis_info
