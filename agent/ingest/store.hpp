// What push clients have reported, as one Source: who the clients are, what each of them said last, and the totals.
// Sessions bring frames; a scrape takes the snapshot. Loop thread only.
#pragma once

#include "agent/ingest/contributor.hpp"
#include "agent/ingest/counters.hpp"
#include "agent/ingest/limits.hpp"
#include "agent/ingest/series_table.hpp"
#include "agent/ingest/state_file.hpp"
#include "agent/scrape/source.hpp"
#include "lib/push/wire.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::ingest {

/// Who is at the other end of a connection, as the kernel says; pid 0 when it lives in another pid namespace.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// One client instance, for the status page.
struct ClientInfo {
  std::string instance;  ///< Its id in hexadecimal.
  std::string resource, library;
  Peer peer;
  bool is_connected = false;
  std::size_t series = 0;
  std::uint64_t last_seq = 0;
  bool shares_memory = false;
};

class SharedCells;

class Store final : public scrape::Source {
 public:
  explicit Store(StoreLimits limits);
  ~Store() override;

  /// Takes over what an earlier process has left in the state file, and keeps the file up to date from now on: at once
  /// for what clients say, with each page for contributors. After add(), before the first client.
  /// @return why not, with the path. The totals then begin anew, and are lost with this process.
  Result<Done> keep_state(const std::string& path, SteadyTime now);
  /// Brings the file up to date with the contributors; before each page and at the end.
  void save_contributors();

  /// Binds a connection to an instance, new or known. An older connection of the same instance is superseded.
  struct Attachment {
    std::uint64_t key = 0;  ///< Names the connection in the calls below; never 0, never used again.
    wire::Welcome welcome;  ///< max_frame is the session's to set.
  };
  [[nodiscard]] Attachment attach(const wire::Hello& hello, const Peer& peer, SteadyTime now);
  /// @return whether the connection still is the instance's own; the calls below need that.
  [[nodiscard]] bool is_attached(std::uint64_t key) const { return attached_.contains(key); }

  /// Reads the client's totals from the memory that it shares, at each page and when its connection ends.
  void share(std::uint64_t key, std::unique_ptr<SharedCells> cells);

  /// @return why the definition counts nowhere (or, for a series, only in an overflow series), counted by reason.
  Refusal define(std::uint64_t key, const wire::FamilyDefinition& definition);
  Refusal define(std::uint64_t key, const wire::SeriesDefinition& definition);

  /// Applies one SNAP frame. Values that cannot be applied are counted by reason and skipped.
  /// @return Errc::protocol when its columns do not fit each other; what came before the fault stays applied.
  Result<Done> apply(std::uint64_t key, const wire::Snap& snap);

  /// The connection has ended; the instance may come back within the grace period.
  void detach(std::uint64_t key, SteadyTime now);
  /// The instance has said BYE: its counters stay in the totals, its gauges go.
  void retire(std::uint64_t key);

  /// @param contributor  writes into every snapshot from now on; must outlive the last one.
  void add(Contributor& contributor) { contributors_.push_back(&contributor); }
  /// @return whether a native client has defined a family of that name.
  [[nodiscard]] bool has_family(std::string_view name) const { return table_.has_family(name); }

  [[nodiscard]] metrics::Snapshot snapshot(SteadyTime now);
  [[nodiscard]] std::vector<ClientInfo> clients() const;
  [[nodiscard]] Levels levels() const;
  /// What sessions and listeners add to.
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  /// The store's own families and its contributors'; those of clients are not known beforehand.
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  /// Memory cannot be down; only a deadline before the start gets here, and the page then has nothing of push.
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  struct Instance;
  struct ClientSeries;
  struct HashInstance {
    std::size_t operator()(const wire::InstanceId& id) const noexcept;
  };

  [[nodiscard]] Instance& find_or_make(const wire::Hello& hello, wire::Welcome& welcome);
  void attach(Instance& instance, const wire::Hello& hello);
  Refusal define(Instance& instance, const wire::FamilyDefinition& definition);
  Refusal define(Instance& instance, const wire::SeriesDefinition& definition);
  Result<Done> apply(Instance& instance, const wire::Snap& snap);
  void retire(Instance& instance);
  void forget(const wire::InstanceId& id);
  void make_room();
  /// Forgets the instance that has been gone for longest. @return false when all are connected.
  bool forget_oldest();
  /// Gives the instance room for one more series. @return false when max_client_values are remembered already.
  [[nodiscard]] bool grow(Instance& instance, std::size_t series, std::size_t buckets);
  void take_shared(Instance& instance);
  void take_all_shared();
  std::size_t add_shared(const Instance& instance, std::uint32_t id, std::uint32_t cell, wire::SnapEncoder& encoder);
  void sweep(SteadyTime now);
  void forget_the_dead();
  void forget_users_of(std::uint32_t family);
  Refusal count(Refusal reason);
  bool apply_scalars(Instance& instance, std::string_view ids, std::string_view integers, std::string_view doubles);
  void apply_scalar(Instance& instance, std::uint32_t id, double value);
  bool apply_histogram(Instance& instance, std::string_view point);
  bool apply_removed(Instance& instance, std::string_view ids);
  bool apply_exemplar(Instance& instance, std::string_view bytes);
  void add_histogram(Instance& instance, ClientSeries& series, std::span<const std::uint64_t> buckets, double sum);
  void add_report(Instance& instance, const wire::ClientReport& report);
  /// What happened, for the file; see state.cpp for the types.
  void log(char type, const wire::InstanceId& id, std::string_view payload);
  template <class Message>
  void log_message(char type, const wire::InstanceId& id, const Message& message);
  void write_checkpoint();
  void lose_state(const Error& error);
  void start_over();
  [[nodiscard]] Result<Done> restore(const StateContents& contents, SteadyTime now);
  [[nodiscard]] std::string save() const;
  [[nodiscard]] bool load(std::string_view checkpoint, SteadyTime now);
  [[nodiscard]] bool load_instance(std::string_view& rest, const SeriesTable::Restored& table, SteadyTime now);
  [[nodiscard]] bool replay(std::string_view record, SteadyTime now);
  [[nodiscard]] ClientSeries* find_series(Instance& instance, std::uint32_t id);

  const scrape::SourceId id_{"push", ""};
  const StoreLimits limits_;
  std::uint64_t epoch_;
  SeriesTable table_;
  Counters counters_;
  std::vector<Contributor*> contributors_;
  std::unique_ptr<StateFile> file_;              ///< None: nothing is kept.
  std::string record_;                           ///< Scratch of log().
  std::vector<std::size_t> saved_contributors_;  ///< Digests of what is in the file.
  std::unordered_map<wire::InstanceId, std::unique_ptr<Instance>, HashInstance> instances_;
  std::unordered_map<std::uint64_t, Instance*> attached_;
  std::uint64_t last_key_ = 0;
  std::size_t client_values_ = 0;       ///< Elements of all Instance::series and Instance::buckets.
  std::vector<std::uint64_t> buckets_;  ///< Scratch of apply_histogram().
};

}  // namespace midst::ingest
