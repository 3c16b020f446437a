// Any text as a CLUSTER NODES reply: every node is within its limits, and every target leads back to one.
#include "agent/sources/redis/commands/cluster_nodes.hpp"
#include "lib/redis/uri.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace midst::sources::redis_info;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto nodes = parse_cluster_nodes(text);
  if (nodes.size() > 10'000) std::abort();
  for (const auto& node : nodes) {
    if (node.id.empty() || node.slots < 0 || node.slots > 16384) std::abort();
    if (node.id.find(' ') != std::string::npos || node.host.find(' ') != std::string::npos) std::abort();
    if (node.hostname.find_first_of(", =") != std::string::npos) std::abort();
    if (node.pong_unix && *node.pong_unix <= 0) std::abort();
  }
  for (const auto form : {HostForm::address, HostForm::hostname}) {
    const auto targets = discovery_targets(nodes, "redis", form);
    if (targets.size() > nodes.size()) std::abort();
    // A host of any bytes need not be a URL; one that is has the port of its node.
    for (const auto& target : targets)
      if (const auto uri = midst::redis::parse_uri(target); uri && uri->port == 0) std::abort();
  }
  return 0;
}
