// Asks every Source for its Snapshot within one deadline and merges what came: single flight per source, one page.
#pragma once

#include "agent/scrape/source.hpp"
#include "lib/base/deadline.hpp"
#include "lib/metrics/snapshot.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace midst::scrape {

/// Which sources a scrape asks. Both lists empty: all of them.
struct Selection {
  std::vector<std::string> kinds;    ///< A source whose kind is listed, …
  std::vector<std::string> targets;  ///< … and whose target name is listed; an empty list lets all through.

  [[nodiscard]] bool includes(const SourceId& id) const noexcept;
  /// @return whether the scraper's own families (midst_agent_target_up, …) are part of the page: they count as kind
  /// "agent", so the drop-in views go without them.
  [[nodiscard]] bool includes_own_families() const noexcept;
};

struct ScraperOptions {
  /// Attempts that began less than this ago are shared instead of repeated.
  std::chrono::milliseconds min_interval{1000};
};

/// What is known of one source, for the status page and the control socket.
struct SourceStatus {
  SourceId id;
  bool is_up = false;                             ///< Of the last finished attempt.
  bool was_collected = false;                     ///< Whether any attempt has finished.
  std::optional<Error> last_error;                ///< Of the last failed attempt; stays after recovery.
  std::optional<std::chrono::seconds> error_age;  ///< Since that failure.
  std::optional<std::chrono::seconds> success_age;
  std::chrono::microseconds last_duration{0};
  std::optional<std::chrono::seconds> state_age;  ///< Since it came up or went down; nothing: never collected.
  Whereabouts whereabouts;
  std::size_t samples = 0, bytes = 0;  ///< Of the snapshot served last.
  std::uint64_t attempts = 0, failures = 0;
};

/// A target of a new configuration: a source made for it, or nothing when the one that is there stays.
struct TargetChange {
  SourceId id;
  std::unique_ptr<Source> source;
};

/// Loop thread only.
class Scraper {
 public:
  Scraper(asio::any_io_executor executor, ScraperOptions options);
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  void add(std::unique_ptr<Source> source);

  /// Has these targets and no others from now on, in this order, before what is no target (push, agent). Attempts that
  /// are under way go on: the scrapes that wait for them get their answer. What was counted of a target stays with its
  /// id, also when its source is another one now.
  void set_targets(std::vector<TargetChange> targets, ScraperOptions options);

  /// @return whether the selection names only known targets; the first unknown one otherwise.
  [[nodiscard]] std::optional<std::string> unknown_target(const Selection& selection) const;

  /// Collects the selected sources, joining attempts that are under way, and returns by `deadline` at the latest:
  /// a source that is late then appears as down() with Errc::timeout, the others are complete.
  [[nodiscard]] asio::awaitable<std::shared_ptr<const metrics::Exposition>> scrape(Selection selection,
                                                                                   Deadline deadline);

  [[nodiscard]] std::vector<SourceStatus> status() const;
  /// @return explain() of the selected sources, each below its kind and name.
  [[nodiscard]] std::string explain(const Selection& selection) const;
  /// @return the sources' specs, in the order they were added, and the scraper's own.
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midst::scrape
