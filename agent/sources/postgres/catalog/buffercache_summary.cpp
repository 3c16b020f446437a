// pg_buffercache_summary(): what shared_buffers are used for, without taking their locks. Off by default, as in the
// exporter; needs PostgreSQL 16 and the extension pg_buffercache in the connected database.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"buffers_used", Use::gauge, "pg_buffercache_summary_buffers_used", "Shared buffers in use."},
    {"buffers_unused", Use::gauge, "pg_buffercache_summary_buffers_unused", "Shared buffers not in use."},
    {"buffers_dirty", Use::gauge, "pg_buffercache_summary_buffers_dirty", "Shared buffers not yet written to disk."},
    {"buffers_pinned", Use::gauge, "pg_buffercache_summary_buffers_pinned", "Shared buffers that a backend pins."},
    {"usagecount_avg", Use::gauge, "pg_buffercache_summary_usagecount_avg",
     "Average usage count of the shared buffers in use; 0 when there are none.", 1, NullAs::zero},
};

constexpr Query queries[] = {{.name = "buffercache_summary",
                              .from_version = 160'000,
                              .sql = R"(
SELECT s.buffers_used, s.buffers_unused, s.buffers_dirty, s.buffers_pinned, s.usagecount_avg
  FROM {schema}.pg_buffercache_summary() s)",
                              .columns = columns}};

}  // namespace

constinit const Collector buffercache_summary_collector{
    .name = "buffercache_summary", .runs = Default::off, .queries = queries, .extension = "pg_buffercache"};

}  // namespace midst::sources
