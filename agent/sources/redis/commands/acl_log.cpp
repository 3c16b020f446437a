#include "agent/sources/redis/commands/acl_log.hpp"

#include "agent/sources/redis/commands/bounded_counts.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

// clang-format off
// Labels reason, user.
constexpr MetricSpec denials{"redis_acl_log_denials_total", MetricType::counter, "", "Denials that the ACL log told of since the agent first saw the server, by reason (auth, command, key, channel) and user.", "reason,user"};
constexpr MetricSpec lost{"redis_acl_log_lost_entries_total", MetricType::counter, "", "Entries that left the ACL log before the agent could read them; known since Redis 7.2."};
// clang-format on

/// Reasons are a fixed set in the server: auth, command, key, channel, database; a peer that invents more is cut here.
constexpr std::size_t max_reasons = 8;
constexpr std::size_t max_label_bytes = 128;

/// What the log held at the last look.
struct Seen {
  std::map<std::string, std::vector<double>> counts;  ///< By identity, oldest first.
  std::optional<std::int64_t> last_id;
};

Seen summary_of(const std::vector<AclLogEntry>& entries) {
  Seen seen;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    seen.counts[entry->identity].push_back(entry->count);
    if (entry->id) seen.last_id = std::max(seen.last_id.value_or(-1), *entry->id);
  }
  return seen;
}

class AclLog final : public Collector {
 public:
  explicit AclLog(AclLogOptions options) : options_(options), due_(options.interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "acl_log"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {denials, lost}; }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+acl|log"}; }

  void ask(const Round& round, Batch& batch) override {
    // ACL came with Redis 6.0.
    if (round.index > 0 || round.facts.is_sentinel || round.facts.version < 60000 || !due_.is_due(round.now)) return;
    batch.add({"ACL", "LOG", std::to_string(options_.entries)});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;

  void forget() override {
    due_.reset();
    seen_.reset();
  }

 private:
  [[nodiscard]] bool is_restarted(const ServerFacts& facts) const noexcept;
  void count(const std::vector<AclLogEntry>& entries, const Seen& now);
  void count(const AclLogEntry& entry, double events);

  const AclLogOptions options_;
  Due due_;
  std::optional<Seen> seen_;
  std::optional<double> read_at_;  ///< Unix time of the last look.
  bool has_ids_ = false;
  std::map<std::string, BoundedCounts, std::less<>> by_reason_;
  double lost_ = 0;
};

Result<Done> AclLog::read(std::vector<Reply> replies, const Round& round) {
  const auto entries = read_acl_log(replies.front());
  if (!entries) return entries.error();
  due_.done(round.now);
  auto now = summary_of(*entries);
  if (now.last_id) has_ids_ = true;
  if (!seen_ && is_restarted(round.facts)) seen_.emplace().last_id = -1;
  if (seen_) count(*entries, now);
  // An emptied log says nothing of the numbers that were given; those of the last look go on.
  if (!now.last_id && seen_) now.last_id = seen_->last_id;
  seen_ = std::move(now);
  read_at_ = round.unix_now;
  return Done{};
}

/// @return whether the process has begun since the last look: all that its log holds is new then.
bool AclLog::is_restarted(const ServerFacts& facts) const noexcept {
  return read_at_ && facts.start_seconds >= std::floor(*read_at_);
}

void AclLog::count(const std::vector<AclLogEntry>& entries, const Seen& now) {
  std::set<std::string_view> counted;
  double fresh = 0;
  for (const auto& entry : entries) {
    if (entry.id && seen_->last_id && *entry.id > *seen_->last_id) ++fresh;
    if (!counted.insert(entry.identity).second) continue;
    const auto before = seen_->counts.find(entry.identity);
    const auto had = before == seen_->counts.end() ? std::vector<double>() : before->second;
    count(entry, denials_between(had, now.counts.find(entry.identity)->second));
  }
  if (now.last_id && seen_->last_id)
    lost_ += std::max(0.0, static_cast<double>(*now.last_id) - static_cast<double>(*seen_->last_id) - fresh);
}

void AclLog::count(const AclLogEntry& entry, double events) {
  if (events <= 0) return;
  const bool is_known = by_reason_.contains(entry.reason) || by_reason_.size() < max_reasons;
  const auto reason = is_known ? entry.reason : std::string("other");
  by_reason_.try_emplace(reason, options_.max_users).first->second.add(entry.user, {events, 0});
}

void AclLog::add(const Page& page) {
  std::size_t folded = 0;
  for (const auto& [reason, users] : by_reason_) {
    for (const auto& [user, count] : users.counts())
      page.builder.add(denials, {{"reason", reason}, {"user", user}}, count.events);
    folded += users.folded();
  }
  add_folded(denials, folded, page.builder);
  if (has_ids_) page.builder.add(lost, lost_);
}

std::string label_of(std::string_view text) {
  return text::to_utf8(text.substr(0, max_label_bytes));
}

}  // namespace

Result<std::vector<AclLogEntry>> read_acl_log(const Reply& reply) {
  if (const auto ready = expect_array(reply, "ACL LOG"); !ready) return ready.error();
  std::vector<AclLogEntry> entries;
  entries.reserve(reply.elements.size());
  for (const auto& element : reply.elements) {
    if (!element.is_array()) return misshapen("ACL LOG");
    AclLogEntry entry;
    std::string told;
    const auto& parts = element.elements;
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
      const auto& field = parts[i].text;
      const auto& value = parts[i + 1];
      if (field == "reason") entry.reason = label_of(value.text);
      if (field == "username") entry.user = label_of(value.text);
      if (field == "count") entry.count = static_cast<double>(value.number);
      if (field == "entry-id") entry.id = value.number;
      // The server joins denials that agree in these; each stands behind its length, so that no two texts are alike.
      if (field == "reason" || field == "context" || field == "object" || field == "username")
        told += std::to_string(value.text.size()) + ':' + value.text;
    }
    if (entry.reason.empty() || entry.count < 1) return misshapen("ACL LOG");
    entry.identity = entry.id ? '#' + std::to_string(*entry.id) : std::move(told);
    entries.push_back(std::move(entry));
  }
  return entries;
}

double denials_between(const std::vector<double>& before, const std::vector<double>& now) {
  // `gone` of the oldest have fallen out; the fewest that explain what is left explain it with the fewest denials.
  for (std::size_t gone = 0; gone < before.size(); ++gone) {
    const auto left = before.size() - gone;
    if (left > now.size()) continue;
    const auto same = std::mismatch(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(left - 1),
                                    before.begin() + static_cast<std::ptrdiff_t>(gone));
    const bool agrees = same.second == before.end() - 1 && now[left - 1] >= before.back();
    if (!agrees) continue;
    double fresh = now[left - 1] - before.back();
    for (auto i = left; i < now.size(); ++i) fresh += now[i];
    return fresh;
  }
  double all = 0;
  for (const auto count : now) all += count;
  return all;
}

std::unique_ptr<Collector> make_acl_log(AclLogOptions options) {
  return std::make_unique<AclLog>(options);
}

}  // namespace midst::sources::redis_info
