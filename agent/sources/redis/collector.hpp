// What every part of the Redis source is: the commands it adds to a scrape's writes, and what it makes of the replies.
// redis_source.cpp runs them; each part is one file pair of this folder.
#pragma once

#include "agent/sources/redis/info/info.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/reply.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {

/// What INFO tells of the server process that answers; decides what is asked of it. Until the first INFO of a target
/// has been read nothing but INFO is asked, so every collector may trust it.
struct ServerFacts {
  std::string run_id;
  int version = 0;         ///< redis_version: 70015 for "7.0.15"; 0 when the server does not say.
  int valkey_version = 0;  ///< 80100 for Valkey 8.1.0; 0 elsewhere.
  bool has_cluster = false, is_sentinel = false, is_replica = false, is_loading = false, is_saving = false;
  double start_seconds = 0;  ///< Unix time of the process's start, latched; 0 when not known.
};

/// One turn of a scrape. A collector is asked at least once a scrape; those that added commands are asked again when
/// the replies are there, until none adds any or the time is up.
struct Round {
  const ServerFacts& facts;
  int index = 0;                 ///< In how many rounds of this scrape the collector has added commands before.
  std::uint64_t connection = 0;  ///< Another number than last time: a fresh connection, whose state is the default.
  std::chrono::steady_clock::time_point now;
  double unix_now = 0;  ///< Seconds; for what is compared with the server's times.
  Deadline deadline;    ///< When the scrape stops asking.
  /// Where it answers, for collectors with a connection of their own; another place than last time when Sentinels have
  /// named another master. Null: where the options say.
  const redis::Uri* server = nullptr;
};

/// The commands of one collector in one round.
class Batch {
 public:
  void add(redis::Command command) { commands_.push_back(std::move(command)); }
  [[nodiscard]] std::size_t size() const noexcept { return commands_.size(); }
  [[nodiscard]] std::vector<redis::Command> take() { return std::move(commands_); }

 private:
  std::vector<redis::Command> commands_;
};

/// What the page is built with.
struct Page {
  const ServerFacts& facts;
  const Commands& commands;  ///< Of the INFO of this scrape, with labels of `builder`.
  double unix_now = 0;
  metrics::SnapshotBuilder& builder;
};

/// One feature. Its name is the key under [redis.collectors], and the label of redis_exporter_collector_success.
/// A command that the server refuses (NOPERM, unknown) is remembered by the source, not sent again for an hour, and
/// its error is handed to read() in the place of a reply meanwhile: a collector need not care.
class Collector {
 public:
  Collector() = default;
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  virtual ~Collector() = default;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Every family that add() can deliver under a fixed name.
  [[nodiscard]] virtual std::vector<metrics::MetricSpec> specs() const = 0;
  /// What an ACL user needs for this collector: "+slowlog|get", "%R~*"; for `check --connect` and the documentation.
  [[nodiscard]] virtual std::vector<std::string> rights() const = 0;

  /// Adds the commands it wants in this round. At index 0 a scrape begins: replies of the last one that are not meant
  /// to be kept must go. Adding nothing ends the collector's part in the scrape.
  virtual void ask(const Round& round, Batch& batch) = 0;

  /// Takes the replies to what ask() of this round added, one each, in order. Not called in a round without any.
  /// @return the first error among them; other replies count all the same.
  [[nodiscard]] virtual Result<Done> read(std::vector<redis::Reply> replies, const Round& round) = 0;

  /// Adds what it knows to the page, of this scrape or kept from an earlier one within its interval.
  virtual void add(const Page& page) = 0;

  /// Another server process answers now: what was learned of the last one is void. Counters of the agent go on.
  virtual void forget() {}
};

/// When something that is not asked at every scrape is to be asked again.
class Due {
 public:
  explicit Due(std::chrono::milliseconds interval) noexcept : interval_(interval) {}
  [[nodiscard]] bool is_due(std::chrono::steady_clock::time_point now) const noexcept {
    return !last_ || now - *last_ >= interval_;
  }
  void done(std::chrono::steady_clock::time_point now) noexcept { last_ = now; }
  void reset() noexcept { last_.reset(); }

 private:
  std::chrono::milliseconds interval_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

/// @return Errc::protocol that names the command whose reply nobody can read.
[[nodiscard]] Error misshapen(std::string_view command);
/// @return Done when `reply` is an array, else the server's error or misshapen().
[[nodiscard]] Result<Done> expect_array(const redis::Reply& reply, std::string_view command);

/// redis_exporter_folded_series{metric}: how many series of a family were folded or left out at their limit.
void add_folded(const metrics::MetricSpec& spec, std::size_t count, metrics::SnapshotBuilder& builder);

}  // namespace midst::sources::redis_info
