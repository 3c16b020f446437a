// Looks at the keys that a list of arguments names, over as many scrapes as that takes: keys by their names at every
// pass, patterns expanded by SCAN and resumed at their cursors. What a look asks of one key is a KeyLook.
// Used by keys.cpp and streams.cpp. Pure: commands out, replies in.
#pragma once

#include "agent/sources/redis/keys/key_arguments.hpp"
#include "agent/sources/redis/keys/key_batch.hpp"
#include "agent/sources/redis/keys/key_walk.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// What is asked of one key, step by step, and what is known of it. Kept for as long as the key is looked at.
class KeyLook {
 public:
  KeyLook() = default;
  KeyLook(const KeyLook&) = delete;
  KeyLook& operator=(const KeyLook&) = delete;
  virtual ~KeyLook() = default;

  /// A new look begins, or the last one again whose replies were lost. What is shown stays. It may be done at once.
  virtual void begin() = 0;
  /// @return the commands of the next step. Requires !is_done().
  [[nodiscard]] virtual std::vector<redis::Command> ask(const std::string& key) = 0;
  [[nodiscard]] virtual bool is_done() const noexcept = 0;
  /// Takes the replies to them, in order. @return the first error that says more than "no such key".
  [[nodiscard]] virtual Result<Done> take(std::vector<redis::Reply> replies) = 0;
  /// @return whether the key belongs to another node of the cluster, as of the last look.
  [[nodiscard]] virtual bool is_elsewhere() const noexcept = 0;
  /// Adds what is known; nothing is a possible answer. @param database  "db0".
  virtual void add(std::string_view database, std::string_view key, metrics::SnapshotBuilder& builder) const = 0;
};

/// How a key came to be looked at.
enum class KeyOrigin : std::uint8_t { named, scanned };

/// What KeyChecks looks at; plain data.
struct KeyChecksOptions {
  std::vector<KeyArgument> named;     ///< Keys; is_pattern is not looked at.
  std::vector<KeyArgument> patterns;  ///< Expanded by SCAN.
  std::string type;                   ///< What a pattern's keys are, for servers that can filter by it; empty: all.
  std::size_t batch_size = 1000;      ///< COUNT of SCAN.
  std::size_t max_keys = 10'000;      ///< Keys that come from patterns, together; further ones are counted only.
};

/// Not more commands than this in one write, so that neither side buffers much.
inline constexpr std::size_t max_key_commands_per_round = 4000;

/// The keys and where the work on them stands.
class KeyChecks {
 public:
  using MakeLook = std::function<std::unique_ptr<KeyLook>(KeyOrigin)>;
  KeyChecks(KeyChecksOptions options, MakeLook make_look);

  /// At index 0: what was in flight when a connection broke is asked again; with `has_new_pass`, what is complete
  /// begins anew.
  void begin_scrape(bool has_new_pass, const KeyBatch& batch, const Round& round);
  /// Adds the next commands of everything that is open, until the batch is full.
  void ask(KeyBatch& batch);
  /// Takes the answers that are for parts look and scan. @return the first error among them.
  [[nodiscard]] Result<Done> take(std::vector<KeyAnswer>& answers, const Round& round);
  void add(metrics::SnapshotBuilder& builder) const;

  /// @return whether a pass is under way.
  [[nodiscard]] bool is_open() const noexcept;
  /// @return whether something has not had one whole pass yet.
  [[nodiscard]] bool has_gap() const noexcept;
  /// @return Unix time of the oldest whole result that is shown, if any.
  [[nodiscard]] std::optional<double> oldest_result() const noexcept;
  /// @return keys beyond max_keys, in the last whole pass of each pattern.
  [[nodiscard]] std::size_t folded() const noexcept;
  /// @return named keys that belong to other nodes of the cluster.
  [[nodiscard]] std::size_t elsewhere() const noexcept;
  /// What was learned of the last server process is void.
  void forget();

 private:
  struct Item {
    int database;
    std::size_t lane;
    std::uint64_t pass;
    std::unique_ptr<KeyLook> look;
    const std::string* name;  ///< The key of the map's node that this stands in.
    bool was_seen_whole;      ///< A look has ended.
  };
  /// Lane 0 has the named keys, each other one pattern.
  struct Lane {
    std::optional<KeyWalk> walk;
    std::deque<Item*> pending;
    std::size_t in_flight = 0, folded = 0, shown_folded = 0;
    std::uint64_t pass = 0;
    bool is_open = false, is_whole = false, has_failed = false;
    double whole_at = 0;
    std::optional<Error> refusal;
  };
  using Items = std::map<int, std::map<std::string, Item, std::less<>>>;

  Item* insert(int database, const std::string& key, std::size_t lane);
  void open(std::size_t lane, const KeyBatch& batch, const Round& round);
  void ask_lane(std::size_t lane, KeyBatch& batch);
  [[nodiscard]] Result<Done> take_look(std::uint32_t asked, std::vector<redis::Reply> replies);
  [[nodiscard]] Result<Done> take_scan(std::size_t lane, redis::Reply& reply);
  void found(const std::string& key, std::size_t lane);
  void close_finished(const Round& round);
  void close(std::size_t lane, const Round& round);
  void drop_unseen(std::size_t lane);

  KeyChecksOptions options_;
  MakeLook make_look_;
  Items items_;
  std::size_t scanned_count_ = 0;  ///< Items that came from patterns.
  std::vector<Lane> lanes_;
  std::vector<std::size_t> order_;  ///< Open lanes, the longest open first.
  std::vector<Item*> asked_;        ///< By KeyTicket::index.
};

}  // namespace midst::sources::redis_info
