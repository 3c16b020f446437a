#include "agent/scrape/scraper.hpp"

#include "lib/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace midst::scrape {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using Clock = std::chrono::steady_clock;

constexpr MetricSpec target_up{"midst_agent_target_up", MetricType::gauge, "",
                               "1 if the last attempt to collect the target delivered its data, 0 if it did not."};
constexpr MetricSpec collect_duration{"midst_agent_collect_duration_seconds", MetricType::gauge, "seconds",
                                      "How long the last finished attempt to collect the target took."};
constexpr MetricSpec collect_age{"midst_agent_last_success_age_seconds", MetricType::gauge, "seconds",
                                 "Time since the target was last collected successfully; absent until it was."};
constexpr MetricSpec collect_errors{"midst_agent_collect_errors_total", MetricType::counter, "",
                                    "Failed attempts to collect the target, by the kind of the failure."};
constexpr MetricSpec collects{"midst_agent_collects_total", MetricType::counter, "",
                              "Attempts to collect the target that were begun."};
constexpr MetricSpec target_samples{"midst_agent_target_samples", MetricType::gauge, "",
                                    "Samples that the last finished attempt brought."};
constexpr MetricSpec dropped_series{
    "midst_agent_dropped_series_total", MetricType::counter, "",
    "Samples left out of pages, by reason: duplicate within a source or across sources."};
constexpr MetricSpec family_conflicts{
    "midst_agent_family_conflicts_total", MetricType::counter, "",
    "Families left out of pages because an earlier one has the name with another type."};
constexpr MetricSpec own_specs[] = {target_up, collect_duration, collect_age,    collect_errors,
                                    collects,  target_samples,   dropped_series, family_conflicts};

/// Every kind of failure a collect can end in; its error series start at 0 so that rate() sees the first one.
constexpr Errc failure_kinds[] = {Errc::connect_refused, Errc::dns,    Errc::tls,     Errc::auth,     Errc::noperm,
                                  Errc::timeout,         Errc::closed, Errc::loading, Errc::protocol, Errc::limit,
                                  Errc::unsupported,     Errc::server, Errc::config,  Errc::internal};

/// A reminder for a target that stays down is logged this often.
constexpr auto reminder_interval = std::chrono::minutes(10);

std::string display_name(const SourceId& id) {
  return id.target.empty() ? id.kind : id.kind + "." + id.target;
}

bool is_listed(const std::vector<std::string>& list, std::string_view item) {
  return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
}

template <class Duration>
double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// One source and what is known of it. Lives as long as any coroutine that works on it.
struct Slot {
  Slot(const asio::any_io_executor& executor, std::unique_ptr<Source> owned)
      : source(std::move(owned)), finished(executor, Clock::time_point::max()) {}

  std::unique_ptr<Source> source;
  bool is_collecting = false;
  Clock::time_point began{};
  asio::steady_timer finished;  ///< Never expires; cancelled when an attempt ends, which wakes all who wait.

  std::shared_ptr<const metrics::Snapshot> served;  ///< Of the last finished attempt: data, or down().
  std::optional<Error> failure;                     ///< Of the last finished attempt.
  std::optional<Error> last_error;
  Clock::time_point last_error_at{}, last_success_at{}, last_logged_at{}, state_since{};
  bool has_succeeded = false;
  Clock::duration last_duration{};
  std::uint64_t attempts = 0, failures = 0;
  std::uint64_t failures_by_kind[std::size(failure_kinds)] = {};

  /// Its source takes the place of another one: counters go on.
  void count_on_from(const Slot& before) {
    attempts = before.attempts;
    failures = before.failures;
    std::copy(std::begin(before.failures_by_kind), std::end(before.failures_by_kind), std::begin(failures_by_kind));
  }

  void record_failure(const Error& error, Clock::time_point now) {
    ++failures;
    for (std::size_t i = 0; i < std::size(failure_kinds); ++i)
      if (failure_kinds[i] == error.code) ++failures_by_kind[i];
    last_error = error;
    last_error_at = now;
  }
};

void log_outcome(Slot& slot, bool was_up, bool is_first, Clock::time_point now) {
  const auto name = display_name(slot.source->id());
  if (!slot.failure) {
    if (is_first && !slot.source->id().target.empty()) log::info("target is up", {{"target", name}});
    if (!is_first && !was_up) log::info("target is up again", {{"target", name}});
    return;
  }
  if (!was_up && !is_first && now - slot.last_logged_at < reminder_interval) return;
  slot.last_logged_at = now;
  log::warn(was_up || is_first ? "target is down" : "target is still down",
            {{"target", name}, {"reason", word(slot.failure->code)}, {"error", slot.failure->message}});
}

/// One attempt. Runs detached from the scrapes that wait for it, so that a source which does not honour its deadline
/// delays nobody.
asio::awaitable<void> attempt(std::shared_ptr<Slot> slot, Deadline deadline) {
  auto result = co_await with_deadline(slot->source->collect(deadline), deadline);
  const auto now = Clock::now();
  const bool is_first = slot->served == nullptr;
  const bool was_up = !is_first && !slot->failure;
  slot->last_duration = now - slot->began;
  if (result) {
    slot->failure.reset();
    slot->has_succeeded = true;
    slot->last_success_at = now;
    slot->served = std::make_shared<const metrics::Snapshot>(std::move(*result));
  } else {
    slot->failure = result.error();
    slot->record_failure(result.error(), now);
    slot->served = std::make_shared<const metrics::Snapshot>(slot->source->down(result.error()));
  }
  if (is_first || was_up == slot->failure.has_value()) slot->state_since = now;
  log_outcome(*slot, was_up, is_first, now);
  slot->is_collecting = false;
  slot->finished.cancel();
}

asio::awaitable<Result<Done>> wait_until_finished(std::shared_ptr<Slot> slot) {
  if (slot->is_collecting) co_await slot->finished.async_wait(as_result);
  co_return Done{};
}

}  // namespace

bool Selection::includes(const SourceId& id) const noexcept {
  return is_listed(kinds, id.kind) && is_listed(targets, id.target);
}

bool Selection::includes_own_families() const noexcept {
  return is_listed(kinds, "agent");
}

class Scraper::Impl {
 public:
  Impl(asio::any_io_executor executor, ScraperOptions options) : executor_(std::move(executor)), options_(options) {}

  void add(std::unique_ptr<Source> source) { slots_.push_back(std::make_shared<Slot>(executor_, std::move(source))); }

  const std::vector<std::shared_ptr<Slot>>& slots() const { return slots_; }

  void set_targets(std::vector<TargetChange> targets, ScraperOptions options) {
    options_ = options;
    std::vector<std::shared_ptr<Slot>> next;
    for (auto& target : targets) {
      const auto old = find(target.id);
      if (!target.source) {
        if (old) next.push_back(old);
        continue;
      }
      next.push_back(std::make_shared<Slot>(executor_, std::move(target.source)));
      if (old) next.back()->count_on_from(*old);
    }
    for (const auto& slot : slots_)
      if (slot->source->id().target.empty()) next.push_back(slot);
    slots_ = std::move(next);
  }

  /// Starts an attempt unless one is under way or began less than min_interval ago.
  void begin(const std::shared_ptr<Slot>& slot, Deadline deadline) {
    const auto now = Clock::now();
    if (slot->is_collecting) return;
    if (slot->served != nullptr && now - slot->began < options_.min_interval) return;
    slot->is_collecting = true;
    slot->began = now;
    ++slot->attempts;
    asio::co_spawn(executor_, attempt(slot, deadline), [slot](std::exception_ptr thrown) {
      if (thrown) log::error("collecting ended by an exception", {{"target", display_name(slot->source->id())}});
    });
  }

  /// @return what the page shows of a slot now: what was collected, or that it is late.
  std::shared_ptr<const metrics::Snapshot> shown(Slot& slot) {
    if (!slot.is_collecting) return slot.served;
    return std::make_shared<const metrics::Snapshot>(slot.source->down(late));
  }

  std::shared_ptr<const metrics::Exposition> page(const Selection& selection,
                                                  const std::vector<std::shared_ptr<Slot>>& selected) {
    std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
    for (const auto& slot : selected) {
      snapshots.push_back(shown(*slot));
      duplicates_within_ += snapshots.back()->duplicate_count();
    }
    if (selection.includes_own_families())
      snapshots.push_back(std::make_shared<const metrics::Snapshot>(own_families()));
    auto merged = std::make_shared<metrics::Exposition>(metrics::merge(std::move(snapshots)));
    duplicates_across_ += merged->duplicate_samples;
    conflicts_ += merged->conflicting.size();
    report_conflicts(*merged);
    return merged;
  }

 private:
  [[nodiscard]] std::shared_ptr<Slot> find(const SourceId& id) const {
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
      return slot->source->id().kind == id.kind && slot->source->id().target == id.target;
    });
    return found == slots_.end() ? nullptr : *found;
  }

  inline static const Error late{Errc::timeout, "still collecting at the deadline of the scrape"};

  /// Of every target that was ever asked, also those this scrape left out: theirs is the last attempt.
  metrics::Snapshot own_families() {
    metrics::SnapshotBuilder builder;
    const auto now = Clock::now();
    for (const auto& each : slots_) {
      const auto& slot = *each;
      const auto& id = slot.source->id();
      if (id.target.empty() || slot.attempts == 0) continue;
      const auto labels = builder.labels({{"kind", id.kind}, {"target", id.target}});
      builder.family(target_up).add(labels, !slot.is_collecting && !slot.failure ? 1 : 0);
      const auto duration = slot.is_collecting ? now - slot.began : slot.last_duration;
      builder.family(collect_duration).add(labels, seconds(duration));
      if (slot.has_succeeded) builder.family(collect_age).add(labels, seconds(now - slot.last_success_at));
      builder.family(collects).add(labels, static_cast<double>(slot.attempts));
      builder.family(target_samples).add(labels, static_cast<double>(slot.served ? slot.served->sample_count() : 0));
      for (std::size_t kind = 0; kind < std::size(failure_kinds); ++kind)
        builder.add(collect_errors, {{"kind", id.kind}, {"target", id.target}, {"reason", word(failure_kinds[kind])}},
                    static_cast<double>(slot.failures_by_kind[kind]));
    }
    builder.add(dropped_series, {{"reason", "duplicate_in_source"}}, static_cast<double>(duplicates_within_));
    builder.add(dropped_series, {{"reason", "duplicate_across_sources"}}, static_cast<double>(duplicates_across_));
    builder.add(family_conflicts, static_cast<double>(conflicts_));
    return builder.freeze();
  }

  /// One line per family, ever: a conflict stays until somebody changes a name.
  void report_conflicts(const metrics::Exposition& merged) {
    for (const auto& name : merged.conflicting) {
      if (std::find(reported_.begin(), reported_.end(), name) != reported_.end() || reported_.size() >= 1000) continue;
      reported_.push_back(name);
      log::warn("family left out: another source has its name with another type", {{"family", name}});
    }
  }

  asio::any_io_executor executor_;
  ScraperOptions options_;
  std::vector<std::shared_ptr<Slot>> slots_;
  std::uint64_t duplicates_within_ = 0, duplicates_across_ = 0, conflicts_ = 0;
  std::vector<std::string> reported_;
};

Scraper::Scraper(asio::any_io_executor executor, ScraperOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), options)) {
}

Scraper::~Scraper() = default;

void Scraper::add(std::unique_ptr<Source> source) {
  impl_->add(std::move(source));
}

void Scraper::set_targets(std::vector<TargetChange> targets, ScraperOptions options) {
  impl_->set_targets(std::move(targets), options);
}

std::optional<std::string> Scraper::unknown_target(const Selection& selection) const {
  for (const auto& target : selection.targets) {
    const auto& slots = impl_->slots();
    const bool known =
        std::any_of(slots.begin(), slots.end(), [&](const auto& slot) { return slot->source->id().target == target; });
    if (!known) return target;
  }
  return std::nullopt;
}

asio::awaitable<std::shared_ptr<const metrics::Exposition>> Scraper::scrape(Selection selection, Deadline deadline) {
  const auto impl = impl_;
  std::vector<std::shared_ptr<Slot>> selected;
  for (const auto& slot : impl->slots())
    if (selection.includes(slot->source->id())) selected.push_back(slot);
  for (const auto& slot : selected) impl->begin(slot, deadline);
  for (const auto& slot : selected) (void)co_await with_deadline(wait_until_finished(slot), deadline);
  co_return impl->page(selection, selected);
}

std::vector<SourceStatus> Scraper::status() const {
  const auto now = Clock::now();
  const auto age = [&](Clock::time_point then) { return std::chrono::duration_cast<std::chrono::seconds>(now - then); };
  std::vector<SourceStatus> all;
  for (const auto& slot : impl_->slots()) {
    SourceStatus status;
    status.id = slot->source->id();
    status.was_collected = slot->served != nullptr;
    status.is_up = status.was_collected && !slot->failure;
    status.last_error = slot->last_error;
    if (slot->last_error) status.error_age = age(slot->last_error_at);
    if (slot->has_succeeded) status.success_age = age(slot->last_success_at);
    if (status.was_collected) status.state_age = age(slot->state_since);
    status.whereabouts = slot->source->whereabouts();
    status.last_duration = std::chrono::duration_cast<std::chrono::microseconds>(slot->last_duration);
    status.samples = slot->served != nullptr ? slot->served->sample_count() : 0;
    status.bytes = slot->served != nullptr ? slot->served->size_bytes() : 0;
    status.attempts = slot->attempts;
    status.failures = slot->failures;
    all.push_back(std::move(status));
  }
  return all;
}

std::string Scraper::explain(const Selection& selection) const {
  std::string all;
  for (const auto& slot : impl_->slots()) {
    const auto& id = slot->source->id();
    if (!selection.includes(id)) continue;
    const auto text = slot->source->explain();
    if (!text.empty()) all.append("-- " + id.kind + ' ' + id.target + '\n').append(text);
  }
  return all;
}

std::vector<MetricSpec> Scraper::specs() const {
  std::vector<MetricSpec> all;
  for (const auto& slot : impl_->slots()) {
    const auto specs = slot->source->specs();
    all.insert(all.end(), specs.begin(), specs.end());
  }
  all.insert(all.end(), std::begin(own_specs), std::end(own_specs));
  return all;
}

}  // namespace midst::scrape
