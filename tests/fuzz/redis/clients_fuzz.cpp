// Any bytes as a CLIENT LIST reply: no crash, and no more series than the limits allow.
#include "agent/sources/redis/commands/clients.hpp"
#include "lib/metrics/encode.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace midst;
  using namespace midst::sources::redis_info;
  ClientsOptions options;
  options.has_series = options.export_port = true;
  options.max_groups = 4;
  options.max_clients = 8;
  options.network_bits_ipv4 = size % 33;
  options.network_bits_ipv6 = size % 129;
  const auto clients = make_clients(options);
  const ServerFacts facts;
  const auto now = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  const Round round{facts, 0, 1, now, 1e9, now};
  Batch batch;
  clients->ask(round, batch);
  redis::Reply reply;
  reply.type = redis::Reply::Type::string;
  reply.text.assign(reinterpret_cast<const char*>(bytes), size);
  std::vector<redis::Reply> replies;
  replies.push_back(reply);
  if (!clients->read(std::move(replies), round)) std::abort();

  metrics::SnapshotBuilder builder;
  const Commands commands;
  clients->add({facts, commands, 1e9, builder});
  auto snapshot = std::make_shared<const metrics::Snapshot>(builder.freeze());
  for (const auto& family : snapshot->families()) {
    const bool is_count = family.name.starts_with("redis_connected_clients_by_");
    if (family.labels.size() > (is_count ? options.max_groups + 4 : options.max_clients)) std::abort();
  }
  // What the counts say must add up to the same number of clients, however they are cut.
  const auto sum = [&](std::string_view name) {
    double clients_counted = 0;
    for (const auto value : snapshot->find(name)->values) clients_counted += value;
    return clients_counted;
  };
  const auto clients_counted = sum("redis_connected_clients_by_type");
  if (clients_counted == 0) return 0;
  for (const auto* name : {"redis_connected_clients_by_name", "redis_connected_clients_by_user",
                           "redis_connected_clients_by_library", "redis_connected_clients_by_network"})
    if (sum(name) != clients_counted) std::abort();
  (void)metrics::encode(metrics::merge({snapshot}), metrics::Format::text);
  return 0;
}
