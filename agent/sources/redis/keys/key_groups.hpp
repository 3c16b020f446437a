// Collector "key_groups": how many keys there are of each kind and what memory they take, the kind being what a pattern
// captures of the name. Every key of every database is looked at, over as many scrapes as it takes.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/keys/key_walk.hpp"
#include "agent/sources/redis/keys/lua_pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// How keys are grouped. Without patterns nothing is asked.
struct KeyGroupsOptions {
  /// check_key_groups: the group of a key is what the first pattern that matches captures, in a row; a key that none
  /// matches is "unclassified".
  std::vector<LuaPattern> patterns;
  std::size_t max_groups = 100;          ///< Groups shown of a database, by memory; the rest is "overflow".
  std::size_t max_kept_groups = 20'000;  ///< Groups told apart while a database is walked; further ones overflow too.
  std::size_t batch_size = 1000;         ///< COUNT of SCAN: keys looked at by one; 1 to 10 000.
  int database = 0;                      ///< What the target's URI selects; selected again behind each use of another.
  KeyPaceOptions pace;                   ///< When and where it is asked; see there.
};

/// Keys of one database by group. Bounded in groups and in the length of their names.
class KeyGroups {
 public:
  struct Group {
    std::string name;
    std::uint64_t count = 0, memory_bytes = 0;
  };
  struct Summary {
    std::vector<Group> groups;  ///< By memory, the largest first, then by count and name, the smallest first.
    std::size_t distinct = 0;   ///< Groups there are; those beyond max_kept not among them.
    bool has_overflow = false;  ///< The last group is "overflow".
  };

  explicit KeyGroups(std::size_t max_kept) : max_kept_(max_kept) {}
  void add(std::string_view group, std::uint64_t memory_bytes);
  /// @return the largest `limit` groups and, if there are more, "overflow" with the sums of the rest.
  [[nodiscard]] Summary summary(std::size_t limit) const;

 private:
  struct Sums {
    std::uint64_t count = 0, memory_bytes = 0;
  };
  std::size_t max_kept_;
  std::map<std::string, Sums, std::less<>> groups_;
  Sums beyond_;
};

/// @return the group of a key name.
[[nodiscard]] std::string group_of(std::string_view key, const std::vector<LuaPattern>& patterns);

/// In a cluster it tells of the keys of the node that answers.
[[nodiscard]] std::unique_ptr<Collector> make_key_groups(KeyGroupsOptions options);

}  // namespace midst::sources::redis_info
