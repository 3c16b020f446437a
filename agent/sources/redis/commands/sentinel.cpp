#include "agent/sources/redis/commands/sentinel.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

// clang-format off
constexpr MetricSpec ok_slaves{"redis_sentinel_master_ok_slaves", MetricType::gauge, "", "Replicas of the master that this Sentinel does not take to be down.", "master_address,master_name"};
constexpr MetricSpec ok_sentinels{"redis_sentinel_master_ok_sentinels", MetricType::gauge, "", "Sentinels of the master that this one does not take to be down, with itself.", "master_address,master_name"};
constexpr MetricSpec config_epoch{"redis_sentinel_master_config_epoch", MetricType::gauge, "", "Version of the master's configuration; a failover raises it.", "master_address,master_name"};
constexpr MetricSpec last_ok_ping{"redis_sentinel_master_last_ok_ping_reply_seconds", MetricType::gauge, "seconds", "Seconds since the master last answered this Sentinel well.", "master_address,master_name"};
constexpr MetricSpec setting_quorum{"redis_sentinel_master_setting_ckquorum", MetricType::gauge, "", "The setting quorum: Sentinels that must agree that the master is down.", "master_address,master_name"};
constexpr MetricSpec setting_failover{"redis_sentinel_master_setting_failover_timeout", MetricType::gauge, "", "The setting failover-timeout in milliseconds.", "master_address,master_name"};
constexpr MetricSpec setting_syncs{"redis_sentinel_master_setting_parallel_syncs", MetricType::gauge, "", "The setting parallel-syncs: replicas that follow a new master at the same time.", "master_address,master_name"};
constexpr MetricSpec setting_down_after{"redis_sentinel_master_setting_down_after_milliseconds", MetricType::gauge, "milliseconds", "The setting down-after-milliseconds: silence after which the master counts as down.", "master_address,master_name"};
constexpr MetricSpec quorum_status{"redis_sentinel_master_ckquorum_status", MetricType::gauge, "", "1 when quorum and majority for a failover can be reached; the label message says what is missing.", "master_name,message"};
constexpr MetricSpec usable_sentinels{"redis_sentinel_master_usable_sentinels", MetricType::gauge, "", "Sentinels that could take part in a failover of the master, with this one.", "master_address,master_name"};
constexpr MetricSpec peer_info{"redis_sentinel_peer_info", MetricType::gauge, "", "Another Sentinel that watches the master; the value is 1.", "flags,ip,master_address,master_name,name,port,runid"};
constexpr MetricSpec config_key_value{"redis_sentinel_config_key_value", MetricType::gauge, "", "A setting of this Sentinel as text; the value is 1.", "key,value"};
constexpr MetricSpec config_value{"redis_sentinel_config_value", MetricType::gauge, "", "A setting of this Sentinel that is a number.", "key"};
// clang-format on

/// Fields of SENTINEL MASTERS that become a metric each.
struct Field {
  std::string_view name;
  const MetricSpec* spec;
  double divisor;  ///< Of the server's number.
};
constexpr Field fields[] = {
    {"config-epoch", &config_epoch, 1},    {"last-ok-ping-reply", &last_ok_ping, 1000},
    {"quorum", &setting_quorum, 1},        {"failover-timeout", &setting_failover, 1},
    {"parallel-syncs", &setting_syncs, 1}, {"down-after-milliseconds", &setting_down_after, 1},
};

/// Names that hold one of these are left out, whatever the version: sentinel-pass, sentinel-user, auth-pass, ….
constexpr std::string_view secret_words[] = {"pass", "auth", "secret", "user", "key"};

/// Settings of one Sentinel that are exported; it has about ten.
constexpr std::size_t max_settings = 100;

/// Commands that are sent for each master.
constexpr std::size_t commands_per_master = 3;

constexpr std::string_view reachable = "quorum and majority can be reached";
constexpr std::string_view no_quorum = "quorum cannot be reached";
constexpr std::string_view no_majority = "majority cannot be reached";
constexpr std::string_view neither = "quorum and majority cannot be reached";
constexpr std::string_view other_error = "other error";

/// What a flat list [field, value, …] says of a field; nothing when it does not, or the list is none.
std::optional<std::string_view> find_field(const Reply& list, std::string_view name) {
  const auto& elements = list.elements;
  if (elements.size() % 2 != 0) return std::nullopt;
  for (std::size_t i = 0; i < elements.size(); i += 2)
    if (elements[i].text == name && elements[i + 1].type == Reply::Type::string) return elements[i + 1].text;
  return std::nullopt;
}

/// How many instances of SENTINEL SENTINELS or SLAVES are up; one that has no flags is not known to be.
std::size_t count_ok(const Reply& instances) {
  return static_cast<std::size_t>(
      std::count_if(instances.elements.begin(), instances.elements.end(), [](const Reply& instance) {
        const auto flags = find_field(instance, "flags");
        return flags && flags->find("s_down") == std::string_view::npos &&
               flags->find("o_down") == std::string_view::npos;
      }));
}

bool is_secret(std::string_view name) {
  return std::any_of(std::begin(secret_words), std::end(secret_words),
                     [name](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

/// A master and what was answered about it.
struct Master {
  std::string name, address;
  Reply details;
  std::optional<Quorum> quorum;
  std::optional<Reply> sentinels, slaves;
};

class Sentinel final : public Collector {
 public:
  explicit Sentinel(SentinelOptions options) : options_(options), config_due_(options.config_interval) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "sentinel"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override;
  [[nodiscard]] std::vector<std::string> rights() const override { return {}; }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  [[nodiscard]] Result<Done> read_masters(const Reply& reply);
  [[nodiscard]] Result<Done> read_config(Reply reply, const Round& round);
  [[nodiscard]] Result<Done> read_details(std::vector<Reply> replies, std::size_t first);
  [[nodiscard]] Master* find(std::string_view name);
  void add_master(const Master& master, metrics::SnapshotBuilder& builder) const;
  void add_config(metrics::SnapshotBuilder& builder) const;
  void add_peers(metrics::SnapshotBuilder& builder) const;

  SentinelOptions options_;
  Due config_due_;
  bool asks_config_ = false;
  std::vector<std::string> known_;  ///< Masters of the last reply: their details are asked for in the same write.
  std::vector<std::string> asked_;  ///< Masters whose details this round asks for.
  std::vector<Master> masters_;
  std::size_t folded_ = 0;
  std::optional<Reply> config_;
};

std::vector<MetricSpec> Sentinel::specs() const {
  std::vector<MetricSpec> specs{ok_slaves, ok_sentinels, quorum_status, usable_sentinels};
  for (const auto& field : fields) specs.push_back(*field.spec);
  if (options_.has_peer_info) specs.push_back(peer_info);
  if (options_.has_config) specs.insert(specs.end(), {config_key_value, config_value});
  return specs;
}

void Sentinel::ask(const Round& round, Batch& batch) {
  if (round.index == 0) {
    masters_.clear();
    asked_.clear();
    folded_ = 0;
    if (!round.facts.is_sentinel) return;
    asked_ = known_;
    batch.add({"SENTINEL", "MASTERS"});
    asks_config_ = options_.has_config && config_due_.is_due(round.now);
    if (asks_config_) batch.add({"SENTINEL", "CONFIG", "GET", "*"});
  } else if (round.index == 1) {
    // Those that were not known yet.
    std::vector<std::string> missing;
    for (const auto& name : known_)
      if (std::find(asked_.begin(), asked_.end(), name) == asked_.end()) missing.push_back(name);
    asked_ = std::move(missing);
  } else {
    return;
  }
  for (const auto& name : asked_) {
    batch.add({"SENTINEL", "CKQUORUM", name});
    batch.add({"SENTINEL", "SENTINELS", name});
    batch.add({"SENTINEL", "SLAVES", name});
  }
}

Result<Done> Sentinel::read(std::vector<Reply> replies, const Round& round) {
  if (round.index > 0) return read_details(std::move(replies), 0);
  if (auto done = read_masters(replies.front()); !done) return done;
  Result<Done> configured = Done{};
  if (asks_config_) configured = read_config(std::move(replies[1]), round);
  auto detailed = read_details(std::move(replies), asks_config_ ? 2 : 1);
  return configured ? detailed : configured;
}

Result<Done> Sentinel::read_masters(const Reply& reply) {
  known_.clear();
  if (auto ready = expect_array(reply, "SENTINEL MASTERS"); !ready) return ready;
  for (const auto& details : reply.elements) {
    const auto name = find_field(details, "name");
    const auto ip = find_field(details, "ip");
    const auto port = find_field(details, "port");
    if (!name || !ip || !port) continue;
    if (masters_.size() >= options_.max_masters) {
      ++folded_;
      continue;
    }
    known_.emplace_back(*name);
    // The form that the masters have in INFO, also for IPv6.
    masters_.push_back({std::string(*name), std::string(*ip) + ":" + std::string(*port), details, {}, {}, {}});
  }
  return Done{};
}

Result<Done> Sentinel::read_config(Reply reply, const Round& round) {
  config_.reset();
  config_due_.done(round.now);
  if (auto ready = expect_array(reply, "SENTINEL CONFIG GET"); !ready) return ready;
  config_ = std::move(reply);
  return Done{};
}

Result<Done> Sentinel::read_details(std::vector<Reply> replies, std::size_t first) {
  Result<Done> result = Done{};
  const auto note = [&result](const Result<Done>& outcome) {
    if (result && !outcome) result = outcome;
    return outcome.has_value();
  };
  for (std::size_t i = 0; i < asked_.size() && first + commands_per_master <= replies.size(); ++i) {
    auto* const answers = &replies[first];
    first += commands_per_master;
    auto* master = find(asked_[i]);
    // One that is not watched any more: its errors mean nothing.
    if (master == nullptr) continue;
    if (auto quorum = read_quorum(answers[0]))
      master->quorum = *quorum;
    else
      note(quorum.error());
    if (note(expect_array(answers[1], "SENTINEL SENTINELS"))) master->sentinels = std::move(answers[1]);
    if (note(expect_array(answers[2], "SENTINEL SLAVES"))) master->slaves = std::move(answers[2]);
  }
  return result;
}

Master* Sentinel::find(std::string_view name) {
  const auto found =
      std::find_if(masters_.begin(), masters_.end(), [name](const Master& master) { return master.name == name; });
  return found == masters_.end() ? nullptr : &*found;
}

void Sentinel::add(const Page& page) {
  if (!page.facts.is_sentinel) return;
  for (const auto& master : masters_) add_master(master, page.builder);
  if (options_.has_peer_info) add_peers(page.builder);
  add_config(page.builder);
  add_folded(config_epoch, folded_, page.builder);
}

void Sentinel::add_master(const Master& master, metrics::SnapshotBuilder& builder) const {
  const auto labels = builder.labels({{"master_name", master.name}, {"master_address", master.address}});
  for (const auto& field : fields) {
    const auto text = find_field(master.details, field.name);
    const auto number = text ? text::parse_number(*text) : Error{};
    if (number) builder.family(*field.spec).add(labels, *number / field.divisor);
  }
  if (master.sentinels)
    builder.family(ok_sentinels).add(labels, static_cast<double>(1 + count_ok(*master.sentinels)));  // with this one
  if (master.slaves) builder.family(ok_slaves).add(labels, static_cast<double>(count_ok(*master.slaves)));
  if (!master.quorum) return;
  builder.add(quorum_status, {{"master_name", master.name}, {"message", master.quorum->message}},
              master.quorum->is_reachable ? 1 : 0);
  if (master.quorum->usable_sentinels) builder.family(usable_sentinels).add(labels, *master.quorum->usable_sentinels);
}

void Sentinel::add_peers(metrics::SnapshotBuilder& builder) const {
  std::size_t added = 0, folded = 0;
  for (const auto& master : masters_) {
    if (!master.sentinels) continue;
    for (const auto& peer : master.sentinels->elements) {
      if (!peer.is_array() || peer.elements.size() % 2 != 0) continue;
      if (added++ >= options_.max_peers) {
        ++folded;
        continue;
      }
      const auto text = [&peer](std::string_view field) { return find_field(peer, field).value_or(""); };
      builder.add(peer_info,
                  {{"master_name", master.name},
                   {"master_address", master.address},
                   {"name", text("name")},
                   {"ip", text("ip")},
                   {"port", text("port")},
                   {"runid", text("runid")},
                   {"flags", text("flags")}},
                  1);
    }
  }
  add_folded(peer_info, folded, builder);
}

void Sentinel::add_config(metrics::SnapshotBuilder& builder) const {
  if (!config_) return;
  const auto& pairs = config_->elements;
  std::size_t added = 0;
  for (std::size_t i = 0; i + 1 < pairs.size() && added < max_settings; i += 2) {
    const auto& key = pairs[i].text;
    const auto& value = pairs[i + 1].text;
    if (is_secret(key)) continue;
    ++added;
    builder.add(config_key_value, {{"key", key}, {"value", value}}, 1);
    if (const auto number = text::parse_number(value)) builder.add(config_value, {{"key", key}}, *number);
  }
}

void Sentinel::forget() {
  known_.clear();
  config_.reset();
  config_due_.reset();
}

}  // namespace

Result<Quorum> read_quorum(const Reply& reply) {
  constexpr std::string_view command = "SENTINEL CKQUORUM";
  const bool is_error = reply.is_error();
  if (!is_error && reply.type != Reply::Type::string && reply.type != Reply::Type::status) return misshapen(command);
  if (is_error && reply.to_error().code != Errc::server) return reply.to_error().with_context(command);
  auto rest = std::string_view(reply.text);
  const auto word = text::take_until(rest, ' ');
  Quorum quorum;
  quorum.is_reachable = !is_error;
  quorum.message = is_error ? other_error : reachable;
  if (is_error && word != "NOQUORUM") return quorum;
  auto sentence = rest;
  if (const auto count = text::parse_number(text::take_until(rest, ' '))) quorum.usable_sentinels = *count;
  if (!is_error) return quorum;
  const bool lacks_majority = sentence.find("majority") != std::string_view::npos;
  const bool lacks_quorum = sentence.find("specified quorum") != std::string_view::npos;
  if (lacks_majority) quorum.message = lacks_quorum ? neither : no_majority;
  if (!lacks_majority) quorum.message = no_quorum;
  return quorum;
}

std::unique_ptr<Collector> make_sentinel(SentinelOptions options) {
  return std::make_unique<Sentinel>(options);
}

}  // namespace midst::sources::redis_info
