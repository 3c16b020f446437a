// Collector "streams": length and ids of chosen streams, their consumer groups and the consumers of these.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/keys/key_arguments.hpp"
#include "agent/sources/redis/keys/key_walk.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace midst::sources::redis_info {

/// What is asked about streams. Nothing is by default. Names become labels.
struct StreamsOptions {
  std::vector<KeyArgument> check;   ///< check_streams: patterns are expanded by SCAN, the rest is taken by name.
  std::vector<KeyArgument> single;  ///< check_single_streams: by name, also where it looks like a pattern.
  std::size_t batch_size = 1000;    ///< COUNT of SCAN: keys looked at by one; 1 to 100 000.
  std::size_t max_streams = 1000;   ///< Streams shown of all patterns; the rest is in folded_series.
  std::size_t max_groups = 100;     ///< Groups shown of one stream, the first by name.
  bool has_consumers = true;        ///< Whether XINFO CONSUMERS is asked for each group.
  std::size_t max_consumers = 100;  ///< Consumers shown of one group, the first by name.
  int database = 0;                 ///< What the target's URI selects; selected again behind each use of another.
  KeyPaceOptions pace;              ///< When and where it is asked; see there.
};

/// Where the server says that it does not know how far a group is behind, the lag has no series: a 0 there would read
/// as "nothing left to do". Streams that do not exist have no series either.
[[nodiscard]] std::unique_ptr<Collector> make_streams(StreamsOptions options);

}  // namespace midst::sources::redis_info
