#include "agent/sources/redis/commands/cluster.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <optional>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

// clang-format off
constexpr MetricSpec cluster_messages_sent{"redis_cluster_messages_sent_total", MetricType::gauge, "", "Messages sent on the cluster bus."};
constexpr MetricSpec cluster_messages_received{"redis_cluster_messages_received_total", MetricType::gauge, "", "Messages received on the cluster bus."};
constexpr MetricSpec cluster_state{"redis_cluster_state", MetricType::gauge, "", "1 when the cluster answers for all slots, 0 when it is down."};
constexpr MetricSpec cluster_slots_assigned{"redis_cluster_slots_assigned", MetricType::gauge, "", "Hash slots that belong to a node; all 16384 in a healthy cluster."};
constexpr MetricSpec cluster_slots_ok{"redis_cluster_slots_ok", MetricType::gauge, "", "Hash slots whose node is neither failing nor suspected."};
constexpr MetricSpec cluster_slots_pfail{"redis_cluster_slots_pfail", MetricType::gauge, "", "Hash slots whose node this node suspects to have failed."};
constexpr MetricSpec cluster_slots_fail{"redis_cluster_slots_fail", MetricType::gauge, "", "Hash slots whose node the cluster agrees to have failed."};
constexpr MetricSpec cluster_known_nodes{"redis_cluster_known_nodes", MetricType::gauge, "", "Nodes this node knows, with those in handshake."};
constexpr MetricSpec cluster_size{"redis_cluster_size", MetricType::gauge, "", "Masters that serve at least one slot."};
constexpr MetricSpec cluster_current_epoch{"redis_cluster_current_epoch", MetricType::gauge, "", "The cluster's configuration epoch as this node knows it."};
constexpr MetricSpec cluster_my_epoch{"redis_cluster_my_epoch", MetricType::gauge, "", "The configuration epoch of this node."};
// clang-format on

/// Unknown cluster_ fields of one reply that become metrics.
constexpr std::size_t max_cluster_fields = 128;

/// CLUSTER INFO fields with a family of their own name or a better sentence than the general one.
struct ClusterField {
  std::string_view field;
  const MetricSpec* spec;
};
constexpr ClusterField cluster_fields[] = {
    {"cluster_state", &cluster_state},
    {"cluster_slots_assigned", &cluster_slots_assigned},
    {"cluster_slots_ok", &cluster_slots_ok},
    {"cluster_slots_pfail", &cluster_slots_pfail},
    {"cluster_slots_fail", &cluster_slots_fail},
    {"cluster_known_nodes", &cluster_known_nodes},
    {"cluster_size", &cluster_size},
    {"cluster_current_epoch", &cluster_current_epoch},
    {"cluster_my_epoch", &cluster_my_epoch},
    {"cluster_stats_messages_sent", &cluster_messages_sent},
    {"cluster_stats_messages_received", &cluster_messages_received},
};

/// CLUSTER INFO.
class ClusterInfo final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "cluster"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    std::vector<MetricSpec> specs;
    for (const auto& field : cluster_fields) specs.push_back(*field.spec);
    return specs;
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+cluster|info"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    reply_.reset();
    if (round.facts.has_cluster) batch.add({"CLUSTER", "INFO"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round&) override {
    reply_ = std::move(replies.front());
    if (const auto text = reply_->as_text(); !text) return text.error().with_context("CLUSTER INFO");
    return Done{};
  }

  void add(const Page& page) override {
    if (reply_) (void)add_cluster_info(*reply_, page.builder);
  }

 private:
  std::optional<Reply> reply_;
};

}  // namespace

Result<Done> add_cluster_info(const Reply& reply, SnapshotBuilder& builder) {
  const auto text = reply.as_text();
  if (!text) return text.error().with_context("CLUSTER INFO");
  auto rest = *text;
  for (std::size_t fields = 0; !rest.empty() && fields < max_cluster_fields; ++fields) {
    auto value = text::take_until(rest, '\n');
    if (value.ends_with('\r')) value.remove_suffix(1);
    const auto field = text::take_until(value, ':');
    if (field.starts_with("cluster_")) add_cluster_field(field, value, builder);
  }
  return Done{};
}

void add_cluster_field(std::string_view field, std::string_view value, SnapshotBuilder& builder) {
  const auto number = parse_value(value);
  if (!number) return;
  for (const auto& known : cluster_fields)
    if (known.field == field) return builder.add(*known.spec, *number);
  const auto name = fmt::format("redis_{}", field);  // the builder turns "auth-req" into "auth_req"
  const auto help = fmt::format("The {} of this node's CLUSTER INFO.", field);
  builder.add({name, metrics::MetricType::gauge, "", help}, *number);
}

std::unique_ptr<Collector> make_cluster_info() {
  return std::make_unique<ClusterInfo>();
}

}  // namespace midst::sources::redis_info
