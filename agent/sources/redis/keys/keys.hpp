// Collector "keys": size, memory and, where wanted, value of chosen keys, and how many keys match a pattern.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/keys/key_arguments.hpp"
#include "agent/sources/redis/keys/key_walk.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace midst::sources::redis_info {

/// What is asked about keys. Nothing is by default. Key names become labels: choose patterns with few keys.
struct KeysOptions {
  std::vector<KeyArgument> check;     ///< check_keys: patterns are expanded by SCAN, the rest is taken by name.
  std::vector<KeyArgument> single;    ///< check_single_keys: by name, also where it looks like a pattern.
  std::vector<KeyArgument> count;     ///< count_keys: how many keys match; "*" is answered by DBSIZE.
  std::size_t batch_size = 1000;      ///< COUNT of SCAN: keys looked at by one; 1 to 100 000.
  std::size_t max_keys = 10'000;      ///< Keys shown of all patterns of `check`; the rest is in folded_series.
  bool has_values = false;            ///< Whether values of strings are read and shown, as number or as label.
  std::size_t max_value_bytes = 256;  ///< Longer values are neither read nor shown; 1 to 64 KiB.
  bool has_zero_for_missing = true;   ///< Whether a key taken by name has size 0 when it does not exist, or no series.
  int database = 0;                   ///< What the target's URI selects; selected again behind each use of another.
  KeyPaceOptions pace;                ///< When and where it is asked; see there.
};

/// In a cluster it tells of the node that answers: patterns find local keys; a key by name that lives on another node
/// has no series there and is counted. A named key of known type costs one round trip, all of them together.
[[nodiscard]] std::unique_ptr<Collector> make_keys(KeysOptions options);

}  // namespace midst::sources::redis_info
