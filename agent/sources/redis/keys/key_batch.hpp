// Commands of one round that run in several databases of one connection: SELECTs travel in the same write, and the
// connection's own database is selected again at its end. Used by the collectors that look at keys. Pure.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace midst::sources::redis_info {

/// Whose command it is; comes back with the reply. The numbers mean what the part says.
struct KeyTicket {
  enum class Part : std::uint8_t { look, scan, count, other };
  Part part = Part::other;
  std::uint32_t index = 0;
  friend bool operator==(const KeyTicket&, const KeyTicket&) = default;
};

/// One reply on its way back.
struct KeyAnswer {
  KeyTicket ticket;
  redis::Reply reply;
};

/// Collects a round's commands, orders them by database and sorts the replies out again. On a fresh connection CLIENT
/// NO-TOUCH ON goes first where the server knows it (Redis 7.2, Valkey), so that looking at a key does not make it
/// look used; on a replica in a cluster READONLY, without which it answers nothing but MOVED.
class KeyBatch {
 public:
  /// @param own_database  what the connection's URI selects; other collectors rely on it.
  explicit KeyBatch(int own_database) : own_database_(own_database) {}

  /// Forgets what was added before.
  void begin(const Round& round);
  void add(int database, redis::Command command, KeyTicket ticket);
  /// @return commands added since begin().
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  /// Moves everything into `batch`; nothing when nothing was added.
  void end(Batch& batch);

  /// @return the replies to what add() got, commands of one database in the order they were added. Where SELECT
  /// failed, its error stands in the place of each reply.
  [[nodiscard]] std::vector<KeyAnswer> take(std::vector<redis::Reply> replies, const Round& round);

  /// @return why a database cannot be selected, for an hour after the server said so, or nullptr.
  [[nodiscard]] const Error* refusal(int database, std::chrono::steady_clock::time_point now) const;
  /// Another server process: what the last one refused is void.
  void forget() { refused_.clear(); }

 private:
  struct Entry {
    int database;
    redis::Command command;
    KeyTicket ticket;
  };
  /// What each reply of the write is to: a command of entries_, SELECT of a database, or of no interest.
  struct Expected {
    enum class What : std::uint8_t { entry, select, ignored } what;
    std::size_t entry;
    int database;
  };
  struct Refusal {
    Error error;
    std::chrono::steady_clock::time_point at;
  };

  void add_prelude(Batch& batch);
  void add_select(int database, Batch& batch);

  int own_database_;
  std::uint64_t prepared_connection_ = 0;  ///< Had its prelude.
  bool prepared_as_replica_ = false;
  std::uint64_t connection_ = 0;
  bool wants_no_touch_ = false, wants_readonly_ = false;
  std::vector<Entry> entries_;
  std::vector<Expected> expected_;
  std::map<int, Refusal> refused_;  ///< At most one for each database of the configuration.
};

}  // namespace midst::sources::redis_info
