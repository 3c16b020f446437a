#include "agent/sources/redis/slowlog.hpp"

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
// clang-format on

/// SLOWLOG LEN and SLOWLOG GET 1.
class SlowLog final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "slowlog"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {slowlog_length, slowlog_last_id, last_slow_duration};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+slowlog|len", "+slowlog|get"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    replies_.clear();
    if (round.facts.is_sentinel) return;
    batch.add({"SLOWLOG", "LEN"});
    batch.add({"SLOWLOG", "GET", "1"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round&) override {
    replies_ = std::move(replies);
    if (replies_[0].is_error()) return replies_[0].to_error().with_context("SLOWLOG LEN");
    return expect_array(replies_[1], "SLOWLOG GET");
  }

  void add(const Page& page) override {
    if (!replies_.empty()) (void)add_slowlog(replies_[0], replies_[1], page.builder);
  }

 private:
  std::vector<Reply> replies_;
};

}  // namespace

Result<Done> add_slowlog(const Reply& length, const Reply& newest, SnapshotBuilder& builder) {
  const auto entries = length.as_integer();
  if (entries) builder.add(slowlog_length, static_cast<double>(*entries));
  if (auto ready = expect_array(newest, "SLOWLOG GET"); !ready) return ready;
  // An entry is [id, unix time, microseconds, arguments, …]; none means that nothing was slow yet.
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

std::unique_ptr<Collector> make_slowlog() {
  return std::make_unique<SlowLog>();
}

}  // namespace midst::sources::redis_info
