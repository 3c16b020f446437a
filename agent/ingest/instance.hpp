// What the Store remembers of one client. For the Store's own two files.
#pragma once

#include "agent/ingest/shared_cells.hpp"
#include "agent/ingest/store.hpp"

#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace midst::ingest {

/// The first byte of a record of the state file; then 16 bytes of the instance's id, but for a contributor's.
namespace record {
inline constexpr char attach = 'A', family = 'F', series = 'D', snap = 'S', retire = 'R', forget = 'G',
                      contributor = 'C';
}

/// What one client said of one series last. The total has grown by exactly that much from it.
struct Store::ClientSeries {
  std::uint32_t series = none;  ///< In the table; none: undefined or refused.
  std::uint32_t buckets = 0;    ///< Histogram: where its counts begin in Instance::buckets.
  double last = 0;              ///< Histogram: the sum.
  wire::MetricKind kind = wire::MetricKind::counter;
  bool has_value = false, is_refused = false;
};

/// Sets a flag for as long as it lives.
struct InUse {
  explicit InUse(bool& flag) : flag_(flag) { flag_ = true; }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() { flag_ = false; }
  bool& flag_;
};

struct Store::Instance {
  wire::InstanceId id{};
  std::uint64_t key = 0;  ///< Of its connection; 0: it has none.
  SteadyTime lost_at{};
  bool is_retired = false;   ///< Gone for longer than the grace period; remembered in case it is not.
  bool is_in_use = false;    ///< Not to be forgotten at this moment.
  bool is_baseline = false;  ///< Its first full snapshot was counted before and is only taken note of.
  std::uint64_t last_seq = 0;
  std::string resource, library;
  Peer peer;
  std::vector<std::uint32_t> families;                 ///< By the client's id; none: undefined or refused.
  std::unordered_set<std::uint32_t> refused_families;  ///< Those counted as refused.
  std::vector<ClientSeries> series;                    ///< By the client's id.
  std::vector<std::uint64_t> buckets;                  ///< What it said last of its histograms.
  std::size_t own_series = 0;                          ///< Not counting those diverted to overflow series.
  wire::ClientReport report;
  std::unique_ptr<SharedCells> cells;  ///< What it shares; none: its SNAPs are all there is.
  /// Its series in there: (id, first cell), ids ascending.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> shared_series;
};

}  // namespace midst::ingest
