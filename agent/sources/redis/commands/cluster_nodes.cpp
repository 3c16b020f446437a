#include "agent/sources/redis/commands/cluster_nodes.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <tuple>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;
using Role = ClusterNode::Role;

// clang-format off
/// Labels node_id, address, hostname, role, master_id.
constexpr MetricSpec node_info{"redis_cluster_node_info", MetricType::gauge, "", "A node of the cluster as this node sees it; the value is 1.", "address,hostname,master_id,node_id,role"};
/// Labels node_id, address; so have the next ones.
constexpr MetricSpec node_link_up{"redis_cluster_node_link_up", MetricType::gauge, "", "1 while this node's cluster link to the node stands.", "address,node_id"};
constexpr MetricSpec node_failed{"redis_cluster_node_failed", MetricType::gauge, "", "1 when the cluster agrees that the node has failed.", "address,node_id"};
constexpr MetricSpec node_suspected{"redis_cluster_node_suspected", MetricType::gauge, "", "1 while this node suspects the node to have failed.", "address,node_id"};
constexpr MetricSpec node_slots{"redis_cluster_node_slots", MetricType::gauge, "", "Hash slots that the node serves.", "address,node_id"};
constexpr MetricSpec node_pong_age{"redis_cluster_node_pong_age_seconds", MetricType::gauge, "seconds", "Time from the node's last pong to this node until the view was taken, by the agent's clock.", "address,node_id"};
/// Labels role, state.
constexpr MetricSpec nodes_count{"redis_cluster_nodes", MetricType::gauge, "", "Nodes of the cluster by role and by what this node thinks of their state.", "role,state"};
constexpr MetricSpec migrating_slots{"redis_cluster_migrating_slots", MetricType::gauge, "", "Hash slots that this node is handing over to another one."};
constexpr MetricSpec importing_slots{"redis_cluster_importing_slots", MetricType::gauge, "", "Hash slots that this node is taking over from another one."};
// clang-format on

/// A cluster of more than a thousand nodes is not recommended; ten times that is no cluster.
constexpr std::size_t max_parsed_nodes = 10'000;
constexpr int slot_count = 16384;

constexpr std::string_view role_words[] = {"master", "slave", "unknown"};
enum class State : std::uint8_t { ok, suspected, failed, handshake };
constexpr std::string_view state_words[] = {"ok", "pfail", "fail", "handshake"};

State state_of(const ClusterNode& node) noexcept {
  if (node.is_failed) return State::failed;
  if (node.is_suspected) return State::suspected;
  return node.is_handshake ? State::handshake : State::ok;
}

std::optional<int> parse_up_to(std::string_view digits, int largest) {
  const auto number = text::parse_integer(digits);
  if (!number || *number < 0 || *number > largest) return std::nullopt;
  return static_cast<int>(*number);
}

/// "10.0.0.5:6379@16379[,hostname[,field=value …]]"
bool read_address(std::string_view text, ClusterNode& node) {
  auto extras = text;
  auto address = text::take_until(extras, ',');
  // Without a host name the first extra, where there is one, is a field.
  const auto hostname = text::take_until(extras, ',');
  if (hostname.find('=') == std::string_view::npos) node.hostname = hostname;
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || !parse_up_to(address.substr(at + 1), 65535)) return false;
  address = address.substr(0, at);
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto port = parse_up_to(address.substr(colon + 1), 65535);
  if (!port) return false;
  node.host = address.substr(0, colon);
  node.port = static_cast<std::uint16_t>(*port);
  return true;
}

void read_flags(std::string_view flags, ClusterNode& node) {
  while (!flags.empty()) {
    const auto flag = text::take_until(flags, ',');
    if (flag == "myself") node.is_myself = true;
    if (flag == "master") node.role = Role::master;
    if (flag == "slave") node.role = Role::replica;
    if (flag == "fail") node.is_failed = true;
    if (flag == "fail?") node.is_suspected = true;
    if (flag == "handshake") node.is_handshake = true;
    if (flag == "noaddr") node.has_address = false;
  }
}

/// "0-5460", "7", "[93-<-id]" (importing), "[77->-id]" (migrating); anything else is passed over.
void read_slots(std::string_view word, ClusterNode& node) {
  if (word.starts_with('[')) {
    if (word.find("-<-") != std::string_view::npos) ++node.importing;
    if (word.find("->-") != std::string_view::npos) ++node.migrating;
    return;
  }
  auto last = word;
  const auto first = text::take_until(last, '-');
  const auto from = parse_up_to(first, slot_count - 1);
  const auto to = last.empty() ? from : parse_up_to(last, slot_count - 1);
  if (from && to && *to >= *from) node.slots = std::min(slot_count, node.slots + *to - *from + 1);
}

/// "id address flags master ping-sent pong-received epoch link-state slot …"
std::optional<ClusterNode> parse_node(std::string_view line) {
  std::array<std::string_view, 8> words;
  for (auto& word : words) word = text::take_until(line, ' ');
  const auto& [id, address, flags, master, ping, pong, epoch, link] = words;
  ClusterNode node;
  if (id.empty() || link.empty() || !read_address(address, node)) return std::nullopt;
  node.id = id;
  if (master != "-") node.master_id = master;
  read_flags(flags, node);
  node.is_linked = link == "connected";
  if (const auto milliseconds = text::parse_integer(pong); milliseconds && *milliseconds > 0)
    node.pong_unix = static_cast<double>(*milliseconds) / 1000;
  while (!line.empty()) read_slots(text::take_until(line, ' '), node);
  return node;
}

class ClusterNodes final : public Collector {
 public:
  explicit ClusterNodes(ClusterNodesOptions options) : options_(options), due_(options.interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "cluster_nodes"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {node_info,     node_link_up, node_failed,     node_suspected, node_slots,
            node_pong_age, nodes_count,  migrating_slots, importing_slots};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+cluster|nodes"}; }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  void add_node(const ClusterNode& node, metrics::SnapshotBuilder& builder) const;
  void add_counts(metrics::SnapshotBuilder& builder) const;

  ClusterNodesOptions options_;
  Due due_;
  std::vector<ClusterNode> nodes_;
  double taken_unix_ = 0;  ///< When the view was taken.
};

void ClusterNodes::ask(const Round& round, Batch& batch) {
  if (round.index > 0) return;
  if (!round.facts.has_cluster) return forget();
  if (!due_.is_due(round.now)) return;
  nodes_.clear();
  batch.add({"CLUSTER", "NODES"});
}

Result<Done> ClusterNodes::read(std::vector<Reply> replies, const Round& round) {
  due_.done(round.now);
  const auto text = replies.front().as_text();
  if (!text) return text.error().with_context("CLUSTER NODES");
  nodes_ = parse_cluster_nodes(*text);
  if (nodes_.empty()) return misshapen("CLUSTER NODES");
  taken_unix_ = round.unix_now;
  // At the limit those stay that someone would look for, and the same ones at each scrape.
  std::sort(nodes_.begin(), nodes_.end(), [](const ClusterNode& left, const ClusterNode& right) {
    const auto rank = [](const ClusterNode& node) {
      return std::tuple(!node.is_myself, state_of(node) == State::ok, std::string_view(node.id));
    };
    return rank(left) < rank(right);
  });
  return Done{};
}

void ClusterNodes::add(const Page& page) {
  if (nodes_.empty()) return;
  const auto shown = std::min(nodes_.size(), options_.max_nodes);
  for (std::size_t i = 0; i < shown; ++i) add_node(nodes_[i], page.builder);
  add_folded(node_info, nodes_.size() - shown, page.builder);
  add_counts(page.builder);
}

void ClusterNodes::add_node(const ClusterNode& node, metrics::SnapshotBuilder& builder) const {
  const auto address = node.host + ":" + std::to_string(node.port);
  builder.add(node_info,
              {{"node_id", node.id},
               {"address", address},
               {"hostname", node.hostname},
               {"role", role_words[static_cast<std::size_t>(node.role)]},
               {"master_id", node.master_id}},
              1);
  const auto labels = builder.labels({{"node_id", node.id}, {"address", address}});
  builder.family(node_failed).add(labels, node.is_failed ? 1 : 0);
  builder.family(node_suspected).add(labels, node.is_suspected ? 1 : 0);
  builder.family(node_slots).add(labels, node.slots);
  if (node.is_myself) {
    builder.add(migrating_slots, node.migrating);
    builder.add(importing_slots, node.importing);
    return;  // it has no link to itself
  }
  builder.family(node_link_up).add(labels, node.is_linked ? 1 : 0);
  if (node.pong_unix) builder.family(node_pong_age).add(labels, std::max(0.0, taken_unix_ - *node.pong_unix));
}

void ClusterNodes::add_counts(metrics::SnapshotBuilder& builder) const {
  std::array<std::array<int, std::size(state_words)>, std::size(role_words)> counts{};
  for (const auto& node : nodes_)
    ++counts[static_cast<std::size_t>(node.role)][static_cast<std::size_t>(state_of(node))];
  for (std::size_t role = 0; role < counts.size(); ++role)
    for (std::size_t state = 0; state < counts[role].size(); ++state) {
      // What an alert asks for is there at 0 as well.
      const bool is_usual =
          role != static_cast<std::size_t>(Role::unknown) && state != static_cast<std::size_t>(State::handshake);
      if (!is_usual && counts[role][state] == 0) continue;
      builder.add(nodes_count, {{"role", role_words[role]}, {"state", state_words[state]}}, counts[role][state]);
    }
}

void ClusterNodes::forget() {
  nodes_.clear();
  due_.reset();
}

}  // namespace

std::vector<ClusterNode> parse_cluster_nodes(std::string_view text) {
  std::vector<ClusterNode> nodes;
  while (!text.empty() && nodes.size() < max_parsed_nodes) {
    auto line = text::take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto node = parse_node(line)) nodes.push_back(std::move(*node));
  }
  return nodes;
}

std::vector<std::string> discovery_targets(const std::vector<ClusterNode>& nodes, std::string_view scheme,
                                           HostForm form) {
  std::vector<std::string> targets;
  for (const auto& node : nodes) {
    const auto& host = form == HostForm::hostname && !node.hostname.empty() ? node.hostname : node.host;
    if (host.empty() || node.port == 0 || node.is_handshake || !node.has_address) continue;
    auto target = std::string(scheme) + "://";
    const bool is_ipv6 = host.find(':') != std::string::npos;
    target += is_ipv6 ? "[" + host + "]" : host;
    targets.push_back(target + ":" + std::to_string(node.port));
  }
  return targets;
}

std::unique_ptr<Collector> make_cluster_nodes(ClusterNodesOptions options) {
  return std::make_unique<ClusterNodes>(options);
}

}  // namespace midst::sources::redis_info
