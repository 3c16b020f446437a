// Any bytes from a server: the reader stays within its limit, says the same however the bytes are cut, and each
// mapping takes each reply.
#include "agent/sources/redis/commands/acl_log.hpp"
#include "agent/sources/redis/commands/all_settings.hpp"
#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/commandlog.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/modules.hpp"
#include "agent/sources/redis/commands/search_indexes.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "agent/sources/redis/commands/tile38.hpp"
#include "lib/redis/resp.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t limit_bytes = 1 << 20;
constexpr std::size_t wanted = 64;

bool is_equal(const midst::redis::Reply& left, const midst::redis::Reply& right) {
  if (left.type != right.type || left.text != right.text || left.number != right.number ||
      left.elements.size() != right.elements.size())
    return false;
  for (std::size_t i = 0; i < left.elements.size(); ++i)
    if (!is_equal(left.elements[i], right.elements[i])) return false;
  return true;
}

void map_everything(const midst::redis::Reply& reply, const midst::redis::Reply& next) {
  using namespace midst::sources::redis_info;
  midst::metrics::SnapshotBuilder builder;
  Settings settings;
  (void)read_settings(reply, settings);
  add_settings(settings, builder);
  (void)add_slowlog(reply, next, builder);
  (void)add_latency_spikes(reply, builder);
  (void)add_latency_histograms(reply, {}, {}, builder);
  (void)add_cluster_info(reply, builder);
  (void)reply.as_text();
  (void)reply.as_integer();
  (void)builder.freeze();
}

/// Two scrapes of a collector, a minute apart, that get the two replies in turn.
void scrape_twice(midst::sources::redis_info::Collector& collector, const midst::redis::Reply& reply,
                  const midst::redis::Reply& next) {
  using namespace midst::sources::redis_info;
  ServerFacts facts;
  facts.version = facts.valkey_version = 80100;
  const Commands commands{{"get", {}}, {"config|get", {}}};
  for (int minute = 1; minute <= 2; ++minute) {
    for (int index = 0; index < 2; ++index) {
      const auto now = std::chrono::steady_clock::time_point(std::chrono::minutes(minute));
      const Round round{facts, index, 1, now, 1.7e9 + 60 * minute, now};
      Batch batch;
      collector.ask(round, batch);
      std::vector<midst::redis::Reply> replies;
      while (replies.size() < batch.size()) replies.push_back((replies.size() + minute) % 2 == 0 ? reply : next);
      if (!replies.empty()) (void)collector.read(std::move(replies), round);
    }
    midst::metrics::SnapshotBuilder builder;
    collector.add({facts, commands, 1.7e9, builder});
    (void)builder.freeze();
  }
}

void scrape_everything(const midst::redis::Reply& reply, const midst::redis::Reply& next) {
  using namespace midst::sources::redis_info;
  HistogramOptions histograms;
  histograms.max_commands = 1;
  histograms.ignored_commands = {"*|*"};
  for (auto* make :
       {+[] { return make_slowlog({}); }, +[] { return make_latency_spikes(); }, +[] { return make_acl_log({}); },
        +[] { return make_all_settings({}); }, +[] { return make_commandlog({}); }, +[] { return make_modules(); },
        +[] { return make_search_indexes({}); }, +[] { return make_tile38(); }})
    scrape_twice(*make(), reply, next);
  scrape_twice(*make_latency_histograms(histograms), reply, next);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  midst::redis::ReplyReader whole(limit_bytes);
  const bool is_good = whole.feed(text, wanted).has_value();
  midst::redis::ReplyReader cut(limit_bytes);
  bool is_cut_good = true;
  for (std::size_t i = 0; i < size && is_cut_good; ++i) is_cut_good = cut.feed(text.substr(i, 1), wanted).has_value();
  const auto replies = whole.take();
  const auto cut_replies = cut.take();
  if (is_good != is_cut_good || replies.size() != cut_replies.size()) std::abort();
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!is_equal(replies[i], cut_replies[i])) std::abort();
    map_everything(replies[i], replies[(i + 1) % replies.size()]);
    if (i < 2) scrape_everything(replies[i], replies[(i + 1) % replies.size()]);
  }
  return 0;
}
