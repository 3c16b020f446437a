#include "agent/sources/redis/commands/tile38.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

struct Row {
  std::string_view field;  ///< Without the prefix "tile38_", which some fields have and some versions leave out.
  MetricSpec spec;
};
// clang-format off
constexpr Row rows[] = {
    {"aof_size", {"redis_tile38_aof_size_bytes", MetricType::gauge, "bytes", "Size of the append-only file."}},
    {"avg_point_size", {"redis_tile38_avg_item_size_bytes", MetricType::gauge, "bytes", "Mean memory of a point."}},
    {"sys_cpus", {"redis_tile38_cpus_total", MetricType::gauge, "", "Processors of the machine."}},
    {"heap_released_bytes", {"redis_tile38_heap_released_bytes", MetricType::gauge, "bytes", "Heap memory given back to the operating system."}},
    {"heap_alloc_bytes", {"redis_tile38_heap_size_bytes", MetricType::gauge, "bytes", "Heap memory in use."}},
    {"http_transport", {"redis_tile38_http_transport", MetricType::gauge, "", "1 when the server also speaks HTTP."}},
    {"in_memory_size", {"redis_tile38_in_memory_size_bytes", MetricType::gauge, "bytes", "Memory of all collections."}},
    {"max_heap_size", {"redis_tile38_max_heap_size_bytes", MetricType::gauge, "bytes", "Heap memory above which writes are refused; 0 means no limit."}},
    {"alloc_bytes", {"redis_tile38_mem_alloc_bytes", MetricType::gauge, "bytes", "Memory of live objects."}},
    {"num_collections", {"redis_tile38_num_collections_total", MetricType::gauge, "", "Collections."}},
    {"num_hooks", {"redis_tile38_num_hooks_total", MetricType::gauge, "", "Hooks that wait for an event."}},
    {"num_objects", {"redis_tile38_num_objects_total", MetricType::gauge, "", "Objects in all collections."}},
    {"num_points", {"redis_tile38_num_points_total", MetricType::gauge, "", "Points of all objects."}},
    {"pointer_size", {"redis_tile38_pointer_size_bytes", MetricType::gauge, "bytes", "Size of a pointer on the machine."}},
    {"read_only", {"redis_tile38_read_only", MetricType::gauge, "", "1 when the server takes no writes."}},
    {"go_threads", {"redis_tile38_threads_total", MetricType::gauge, "", "Threads of the server."}},
    {"go_goroutines", {"redis_tile38_go_goroutines_total", MetricType::gauge, "", "Goroutines of the server."}},
    {"last_gc_time_seconds", {"redis_tile38_last_gc_time_seconds", MetricType::gauge, "seconds", "Unix time of the last garbage collection."}},
    {"next_gc_bytes", {"redis_tile38_next_gc_bytes", MetricType::gauge, "bytes", "Heap memory at which the next garbage collection begins."}},
};
// clang-format on

/// SERVER EXT, at each scrape.
class Tile38 final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "tile38"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    std::vector<MetricSpec> all;
    for (const auto& row : rows) all.push_back(row.spec);
    return all;
  }
  /// Tile38 has no users whose rights could be listed.
  [[nodiscard]] std::vector<std::string> rights() const override { return {}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    reply_.reset();
    batch.add({"SERVER", "EXT"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round&) override {
    reply_ = std::move(replies.front());
    return expect_array(*reply_, "SERVER EXT");
  }

  void add(const Page& page) override {
    if (reply_) (void)add_tile38(*reply_, page.builder);
  }

 private:
  std::optional<Reply> reply_;
};

}  // namespace

Result<Done> add_tile38(const Reply& reply, SnapshotBuilder& builder) {
  constexpr std::string_view prefix = "tile38_";
  if (auto ready = expect_array(reply, "SERVER EXT"); !ready) return ready;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    std::string_view field = reply.elements[i].text;
    if (field.starts_with(prefix)) field.remove_prefix(prefix.size());
    const auto& value = reply.elements[i + 1];
    for (const auto& row : rows) {
      if (row.field != field) continue;
      const auto number =
          value.type == Reply::Type::integer ? static_cast<double>(value.number) : parse_value(value.text);
      if (number) builder.add(row.spec, *number);
    }
  }
  return Done{};
}

std::unique_ptr<Collector> make_tile38() {
  return std::make_unique<Tile38>();
}

}  // namespace midst::sources::redis_info
