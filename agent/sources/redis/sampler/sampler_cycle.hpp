// One walk through the key space, step by step: which commands a step has, and what their replies come to. Pure: the
// sampler sends the commands and hands in the replies.
#pragma once

#include "agent/sources/redis/sampler/big_keys.hpp"
#include "agent/sources/redis/sampler/key_fanout.hpp"
#include "agent/sources/redis/sampler/key_pattern.hpp"
#include "agent/sources/redis/sampler/prefix_table.hpp"
#include "agent/sources/redis/sampler/sampler.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace midst::sources::redis_info {

/// A database as INFO keyspace has it.
struct CycleDatabase {
  int number = 0;
  std::uint64_t keys = 0, expires = 0;
};

/// Everything that was counted since the start; never goes back.
struct SamplerCounts {
  std::uint64_t cycles = 0, scanned = 0, looked = 0, vanished = 0;
  std::uint64_t lookups = 0;  ///< Commands that the server counts as keyspace hits or misses.
};

class SamplerCycle {
 public:
  /// @param connected_database  the one a fresh connection is in; while no other is sampled, SELECT is not sent.
  SamplerCycle(const SamplerOptions& options, int connected_database, std::uint32_t seed);

  /// Begins anew; what is published stays until the cycle is complete.
  void begin(std::vector<CycleDatabase> databases);
  /// Notes what INFO says of the databases now: one without expiring keys needs no PTTL.
  void update(const std::vector<CycleDatabase>& databases);
  [[nodiscard]] bool is_running() const noexcept { return is_running_; }

  /// @return the commands of the next step; requires is_running(). Until take() or lost() the step is under way.
  [[nodiscard]] std::vector<redis::Command> next(int count);
  /// Takes the replies of the step that next() gave.
  /// @return the error that keeps the walk from going on, from SELECT or SCAN; errors() has the others.
  [[nodiscard]] Result<Done> take(const std::vector<redis::Reply>& replies);
  /// The step's replies never came: it is done again. With Looks::dropped its single keys are left out.
  enum class Looks { again, dropped };
  void lost(Looks looks);

  /// Ends the cycle without a result.
  void give_up();
  /// Everything learned is void, but for the counts.
  void forget();

  /// @return how long the last step took by the server's own clock; nothing when it does not tell.
  [[nodiscard]] std::optional<std::chrono::microseconds> server_time() const noexcept { return server_time_; }
  /// @return whether the server lets us look at its clock; false once it has refused to.
  [[nodiscard]] bool has_clock() const noexcept { return !is_refused_[clock]; }
  void refuse_clock() noexcept { is_refused_[clock] = true; }
  /// @return errors of single commands of the last take(), by kind.
  [[nodiscard]] const std::vector<Errc>& errors() const noexcept { return errors_; }
  [[nodiscard]] const SamplerCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] const BigKeys& by_memory() const noexcept { return by_memory_; }
  [[nodiscard]] const BigKeys& by_elements() const noexcept { return by_elements_; }

  /// A row and what its keys are to be multiplied by: 1 of a complete cycle.
  struct Row {
    PrefixRow row;
    double scale = 1;
  };
  /// @return the rows of the last complete cycle; until there is one, those of the cycle under way.
  [[nodiscard]] std::vector<Row> rows() const;
  /// @return the share of the cycle that is done, by keys: 1 between cycles, 0 before the first.
  [[nodiscard]] double progress() const noexcept;
  /// @return databases of the last begin() that were left out at their limit.
  [[nodiscard]] std::size_t left_out() const noexcept { return left_out_; }

 private:
  struct Walk {
    CycleDatabase database;
    std::uint64_t scanned = 0;
    std::string cursor = "0";
    bool is_done = false;
  };
  enum class Why { sample, recheck };
  struct Look {
    std::string key;
    Why why = Why::sample;
  };
  /// The single-key commands the server has refused are not sent again; so many kinds there are.
  enum Single : std::size_t { memory, type, ttl, elements, clock, single_count };
  struct Step {
    bool has_clock = false, has_select = false, has_scan = false;
    bool has_memory = false, has_type = false, has_ttl = false, has_no_expires = false;
    std::vector<Look> looks;
    std::vector<BigKey> measures;  ///< Collections whose elements are asked for; size is their memory.
  };
  class Replies;

  [[nodiscard]] Walk& walk() { return walks_[at_]; }
  [[nodiscard]] Result<Done> take_scan(const redis::Reply& reply);
  void take_key(const std::string& key);
  void take_look(const Look& look, const Step& step, Replies& replies);
  [[nodiscard]] std::optional<KeyLook> read_look(const Step& step, Replies& replies);
  void take_big(const Look& look, const KeyLook& seen);
  void take_measure(BigKey measure, const redis::Reply& reply);
  void note_refusal(Single single, const redis::Reply& reply);
  [[nodiscard]] std::string_view pattern_of(std::string_view key);
  void enter_database();
  void finish_step();

  SamplerOptions options_;
  int connected_database_;
  KeyPattern pattern_;
  KeyFanout fanout_;
  PrefixTable table_;
  BigKeys by_memory_, by_elements_;
  std::minstd_rand random_;
  std::uniform_real_distribution<double> chance_{0, 1};

  std::vector<Walk> walks_;
  std::size_t at_ = 0, left_out_ = 0;
  bool is_running_ = false, has_complete_ = false;
  bool is_elsewhere_ = false;  ///< The connection may be in another database than a fresh one.
  Step waiting_, under_way_;
  std::array<bool, single_count> is_refused_{};
  std::vector<Errc> errors_;
  SamplerCounts counts_;
  std::optional<std::chrono::microseconds> server_time_;
};

}  // namespace midst::sources::redis_info
