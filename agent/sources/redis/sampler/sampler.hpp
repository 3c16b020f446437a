// The background key sampler: walks the key space with SCAN on a connection of its own, within a share of the server's
// time, and publishes what the keys are like by prefix. A Collector that asks nothing in the scrape itself.
// docs/key_sampler.md says what its numbers mean and what it costs the server.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace midst::sources::redis_info {

/// Which servers are sampled, by what they are at the time.
enum class SamplerRole { any, master, replica };

struct SamplerOptions {
  bool is_enabled = false;
  std::vector<int> databases;                   ///< Empty: all that have keys. At most 64 are sampled.
  SamplerRole role = SamplerRole::any;          ///< A server that is something else is not touched.
  double duty_cycle = 0.01;                     ///< Share of the server's time, 0.0001…0.5.
  std::chrono::milliseconds interval{300'000};  ///< From the beginning of one cycle to the next, at the least.
  double sample_ratio = 0.1;                    ///< Share of the keys that are looked at one by one, 0…1.
  std::size_t min_samples = 100;                ///< The first keys of a prefix in a cycle are all looked at.
  int min_count = 10, max_count = 500;          ///< Range of SCAN COUNT, 1…10000.
  std::chrono::microseconds step_target{500};   ///< Server time of one write, 50 µs…50 ms.
  std::chrono::milliseconds pause_rtt{20};      ///< Pauses when a round trip is so much over the shortest one.
  std::chrono::milliseconds pause{5'000};       ///< How long, before it looks again.
  std::size_t max_prefixes = 100;               ///< Rows, 1…10000; all other keys are counted under "other".
  std::string separators = ":/.";               ///< ASCII characters that part a key.
  std::size_t max_depth = 4;                    ///< Parts of a key that a prefix has, 1…16.
  std::size_t max_names = 64;                   ///< Names told apart below one prefix; with more they are "*".
  std::size_t max_big_keys = 20;                ///< Of each kind; 0: none.
  std::uint64_t big_key_min_bytes = 10 * 1024;  ///< A smaller key is not big.
  bool big_key_names = false;                   ///< Whether labels show the names of big keys, not a hash.
};

/// How the sampler reaches the server: what the source itself uses.
struct SamplerTarget {
  asio::any_io_executor executor;
  redis::Uri uri;
  redis::ConnectionOptions connection;
  redis::LoginProvider login;  ///< May be empty: that of the URI.
};

/// Its coroutine starts when the first facts are known, and ends with the collector: at once when it waits, after one
/// I/O step when it is on the wire.
[[nodiscard]] std::unique_ptr<Collector> make_sampler(SamplerOptions options, SamplerTarget target);

}  // namespace midst::sources::redis_info
