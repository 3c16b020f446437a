#include "agent/sources/redis/commands/clients.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace midst::sources::redis_info {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

// clang-format off
constexpr MetricSpec by_name{"redis_connected_clients_by_name", MetricType::gauge, "", "Connected clients by the name they gave themselves (CLIENT SETNAME); rare names are \"other\".", "name"};
constexpr MetricSpec by_user{"redis_connected_clients_by_user", MetricType::gauge, "", "Connected clients by ACL user; users with few clients are \"other\".", "user"};
constexpr MetricSpec by_library{"redis_connected_clients_by_library", MetricType::gauge, "", "Connected clients by the library they named and its version (CLIENT SETINFO).", "lib_name,lib_ver"};
constexpr MetricSpec by_network{"redis_connected_clients_by_network", MetricType::gauge, "", "Connected clients by the address or network they come from; \"unix\" for the Unix socket.", "network"};
constexpr MetricSpec by_type{"redis_connected_clients_by_type", MetricType::gauge, "", "Connected clients by what they are to the server: normal, pubsub, replica, master or monitor.", "type"};
constexpr MetricSpec by_state{"redis_connected_clients_by_state", MetricType::gauge, "", "Connected clients in a state that their flags tell; a client can be in several.", "state"};
constexpr MetricSpec max_idle{"redis_connected_clients_max_idle_seconds", MetricType::gauge, "seconds", "Longest time since the last command of a normal client; subscribers and replicas wait by nature and do not count."};
constexpr MetricSpec max_age{"redis_connected_clients_max_age_seconds", MetricType::gauge, "seconds", "How long the oldest connection has been open."};
constexpr MetricSpec max_output{"redis_connected_clients_max_output_buffer_bytes", MetricType::gauge, "bytes", "Largest output buffer of a client: replies it has not taken yet."};
constexpr MetricSpec max_memory{"redis_connected_clients_max_memory_bytes", MetricType::gauge, "bytes", "Memory of the client that takes most of it, buffers included."};
constexpr MetricSpec all_memory{"redis_connected_clients_memory_bytes", MetricType::gauge, "bytes", "Memory of all clients, buffers included."};

constexpr MetricSpec client_info{"redis_connected_client_info", MetricType::gauge, "", "A connected client: its name, flags, database, host, user. Always 1.", "db,flags,host,id,name,port?,resp?,user?"};
constexpr MetricSpec client_created{"redis_connected_client_created_at_timestamp", MetricType::gauge, "", "Unix time at which the client connected.", "id,name"};
constexpr MetricSpec client_idle{"redis_connected_client_idle_since_timestamp", MetricType::gauge, "", "Unix time of the client's last command.", "id,name"};

/// The numbers of a client that are copied as they are.
struct Number {
  std::string_view field;
  std::optional<double> Client::*member;
  MetricSpec spec;
};
constexpr Number numbers[] = {
    {"omem", &Client::output_memory_bytes, {"redis_connected_client_output_buffer_memory_usage_bytes", MetricType::gauge, "bytes", "Memory of the client's output buffer.", "id,name"}},
    {"tot-mem", &Client::memory_bytes, {"redis_connected_client_total_memory_consumed_bytes", MetricType::gauge, "bytes", "Memory of the client, buffers included.", "id,name"}},
    {"sub", &Client::channels, {"redis_connected_client_channel_subscriptions_count", MetricType::gauge, "", "Channels the client is subscribed to.", "id,name"}},
    {"psub", &Client::patterns, {"redis_connected_client_pattern_matching_subscriptions_count", MetricType::gauge, "", "Channel patterns the client is subscribed to.", "id,name"}},
    {"qbuf", &Client::query_bytes, {"redis_connected_client_query_buffer_length_bytes", MetricType::gauge, "bytes", "Bytes the client has sent that are not worked off yet.", "id,name"}},
    {"qbuf-free", &Client::query_free_bytes, {"redis_connected_client_query_buffer_free_space_bytes", MetricType::gauge, "bytes", "Free bytes in the client's input buffer.", "id,name"}},
    {"obl", &Client::output_bytes, {"redis_connected_client_output_buffer_length_bytes", MetricType::gauge, "bytes", "Bytes in the fixed part of the client's output buffer.", "id,name"}},
    {"oll", &Client::output_list, {"redis_connected_client_output_list_length", MetricType::gauge, "", "Replies that are queued because the fixed output buffer is full.", "id,name"}},
    {"ssub", &Client::shard_channels, {"redis_connected_client_shard_channel_subscriptions_count", MetricType::gauge, "", "Shard channels the client is subscribed to.", "id,name"}},
    {"watch", &Client::watched_keys, {"redis_connected_client_shard_channel_watched_keys", MetricType::gauge, "", "Keys the client watches for a transaction.", "id,name"}},
};
// clang-format on

/// The texts of a client by field name.
struct Text {
  std::string_view field;
  std::string_view Client::*member;
};
constexpr Text texts[] = {
    {"id", &Client::id},     {"addr", &Client::address},     {"name", &Client::name},
    {"user", &Client::user}, {"flags", &Client::flags},      {"db", &Client::db},
    {"resp", &Client::resp}, {"lib-name", &Client::library}, {"lib-ver", &Client::library_version}};

/// Flags that a client can have beside its type. Redis 7.4 src/networking.c, catClientInfoString().
struct State {
  char flag;
  std::string_view word;
};
constexpr State states[] = {{'b', "blocked"},  {'x', "multi"},    {'t', "tracking"}, {'e', "no_evict"},
                            {'T', "no_touch"}, {'r', "readonly"}, {'U', "unix"},     {'c', "closing"}};
constexpr std::string_view types[] = {"normal", "pubsub", "replica", "master", "monitor"};

/// Names of clients and users are as long as their owners like.
constexpr std::size_t max_label_bytes = 128;
constexpr std::string_view other = "other";

std::size_t type_of(std::string_view flags) noexcept {
  constexpr std::string_view letters = "NPSMO";  // in the order of `types`
  for (std::size_t i = letters.size() - 1; i > 0; --i)
    if (flags.find(letters[i]) != flags.npos) return i;
  return 0;
}

/// @return the text as a label shows it, so that texts that look the same are one group.
std::string label_of(std::string_view text) {
  text = text.substr(0, max_label_bytes);
  return text::is_utf8(text) ? std::string(text) : text::to_utf8(text);
}

/// How many clients each value of one or two labels has.
class Tally {
 public:
  void count(std::string_view first, std::string_view second = {}) {
    key_.assign(label_of(first)).push_back('\n');  // stands in no field: it ends the line
    if (!second.empty()) key_ += label_of(second);
    ++counts_[key_];
  }

  struct Group {
    std::string first, second;
    std::size_t clients;
  };
  /// Cuts to the `limit` largest groups, equal ones in the order of their labels; the rest becomes one, "other".
  struct Largest {
    std::vector<Group> groups;
    std::size_t folded = 0;
  };
  [[nodiscard]] Largest largest(std::size_t limit) const {
    std::vector<std::pair<std::string_view, std::size_t>> sorted(counts_.begin(), counts_.end());
    std::sort(sorted.begin(), sorted.end(), [](const auto& left, const auto& right) {
      return left.second != right.second ? left.second > right.second : left.first < right.first;
    });
    Largest result;
    std::size_t rest = 0;
    for (auto [key, clients] : sorted) {
      if (result.groups.size() >= limit) {
        rest += clients;
        ++result.folded;
        continue;
      }
      const auto first = text::take_until(key, '\n');
      result.groups.push_back({std::string(first), std::string(key), clients});
    }
    if (rest == 0) return result;
    const auto same = std::find_if(result.groups.begin(), result.groups.end(),
                                   [](const Group& group) { return group.first == other && group.second.empty(); });
    if (same == result.groups.end())
      result.groups.push_back({std::string(other), "", rest});
    else
      same->clients += rest;
    return result;
  }

 private:
  std::string key_;
  std::unordered_map<std::string, std::size_t> counts_;
};

/// What one reply says of all clients together.
struct Groups {
  Tally::Largest names, users, libraries, networks;
  std::array<std::size_t, std::size(types)> of_type{};
  std::array<std::size_t, std::size(states)> in_state{};
  double max_idle_seconds = 0, max_age_seconds = 0, max_output_bytes = 0, max_memory_bytes = 0, memory_bytes = 0;
};

/// Counts the clients of one reply.
class Counter {
 public:
  explicit Counter(const ClientsOptions& options) : options_(options) {}

  void count(const Client& client) {
    names_.count(client.name);
    users_.count(client.user);
    libraries_.count(client.library, client.library_version);
    networks_.count(network_of(client.host(), options_.network_bits_ipv4, options_.network_bits_ipv6));
    const auto type = type_of(client.flags);
    ++groups_.of_type[type];
    for (std::size_t i = 0; i < std::size(states); ++i)
      if (client.flags.find(states[i].flag) != client.flags.npos) ++groups_.in_state[i];
    if (type == 0) groups_.max_idle_seconds = std::max(groups_.max_idle_seconds, client.idle_seconds);
    groups_.max_age_seconds = std::max(groups_.max_age_seconds, client.age_seconds);
    groups_.max_output_bytes = std::max(groups_.max_output_bytes, client.output_memory_bytes.value_or(0));
    groups_.max_memory_bytes = std::max(groups_.max_memory_bytes, client.memory_bytes.value_or(0));
    groups_.memory_bytes += client.memory_bytes.value_or(0);
  }

  [[nodiscard]] Groups finish() {
    groups_.names = names_.largest(options_.max_groups);
    groups_.users = users_.largest(options_.max_groups);
    groups_.libraries = libraries_.largest(options_.max_groups);
    groups_.networks = networks_.largest(options_.max_groups);
    return std::move(groups_);
  }

 private:
  const ClientsOptions& options_;
  Tally names_, users_, libraries_, networks_;
  Groups groups_;
};

void add_tally(const MetricSpec& spec, std::string_view label, const Tally::Largest& largest,
               SnapshotBuilder& builder) {
  for (const auto& group : largest.groups)
    builder.add(spec, {{label, group.first}}, static_cast<double>(group.clients));
  add_folded(spec, largest.folded, builder);
}

void add_groups(const Groups& groups, SnapshotBuilder& builder) {
  add_tally(by_name, "name", groups.names, builder);
  add_tally(by_user, "user", groups.users, builder);
  for (const auto& group : groups.libraries.groups)
    builder.add(by_library, {{"lib_name", group.first}, {"lib_ver", group.second}}, static_cast<double>(group.clients));
  add_folded(by_library, groups.libraries.folded, builder);
  add_tally(by_network, "network", groups.networks, builder);
  for (std::size_t i = 0; i < std::size(types); ++i)
    builder.add(by_type, {{"type", types[i]}}, static_cast<double>(groups.of_type[i]));
  for (std::size_t i = 0; i < std::size(states); ++i)
    builder.add(by_state, {{"state", states[i].word}}, static_cast<double>(groups.in_state[i]));
  builder.add(max_idle, groups.max_idle_seconds);
  builder.add(max_age, groups.max_age_seconds);
  builder.add(max_output, groups.max_output_bytes);
  builder.add(max_memory, groups.max_memory_bytes);
  builder.add(all_memory, groups.memory_bytes);
}

/// The lines of the clients that get series, and when the server said so.
struct Series {
  std::string lines;
  double unix_seconds = 0;
  std::size_t left_out = 0;
};

void add_client(const Client& client, double unix_seconds, const ClientsOptions& options, SnapshotBuilder& builder) {
  const auto name = client.name.substr(0, max_label_bytes);
  std::vector<Label> labels{
      {"id", client.id}, {"name", name}, {"flags", client.flags}, {"db", client.db}, {"host", client.host()}};
  if (options.export_port) labels.push_back({"port", client.port()});
  if (!client.user.empty()) labels.push_back({"user", client.user.substr(0, max_label_bytes)});
  if (!client.resp.empty()) labels.push_back({"resp", client.resp});
  builder.family(client_info).add(builder.labels(labels), 1);
  const auto short_set = builder.labels({{"id", client.id}, {"name", name}});
  builder.family(client_created).add(short_set, unix_seconds - client.age_seconds);
  builder.family(client_idle).add(short_set, unix_seconds - client.idle_seconds);
  for (const auto& number : numbers)
    if (const auto& value = client.*number.member) builder.family(number.spec).add(short_set, *value);
}

class Clients final : public Collector {
 public:
  explicit Clients(ClientsOptions options)
      : options_(options), groups_due_(options.interval), series_due_(options.series_age) {}

  [[nodiscard]] std::string_view name() const noexcept override {
    return options_.has_groups ? "clients" : "client_list";
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+client|list"}; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override;
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<redis::Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  const ClientsOptions options_;
  Due groups_due_, series_due_;
  std::optional<Groups> groups_;
  std::optional<Series> series_;
};

std::vector<MetricSpec> Clients::specs() const {
  std::vector<MetricSpec> all;
  if (options_.has_groups)
    all = {by_name,  by_user, by_library, by_network, by_type,   by_state,
           max_idle, max_age, max_output, max_memory, all_memory};
  if (!options_.has_series) return all;
  all.insert(all.end(), {client_info, client_created, client_idle});
  for (const auto& number : numbers) all.push_back(number.spec);
  return all;
}

void Clients::ask(const Round& round, Batch& batch) {
  if (round.index > 0) return;
  const bool groups_are_due = options_.has_groups && groups_due_.is_due(round.now);
  const bool series_are_due = options_.has_series && series_due_.is_due(round.now);
  if (groups_are_due || series_are_due) batch.add({"CLIENT", "LIST"});
}

Result<Done> Clients::read(std::vector<redis::Reply> replies, const Round& round) {
  // A refusal, too, stands until the time comes round again: what is shown must not be older than that.
  groups_due_.done(round.now);
  series_due_.done(round.now);
  groups_.reset();
  series_.reset();
  const auto text = replies.front().as_text();
  if (!text) return text.error().with_context("CLIENT LIST");
  Counter counter(options_);
  Series series;
  series.unix_seconds = std::floor(round.unix_now);
  std::size_t clients = 0;
  for (auto rest = *text; !rest.empty();) {
    const auto line = text::take_until(rest, '\n');
    const auto client = parse_client(line);
    if (!client) continue;
    if (options_.has_groups) counter.count(*client);
    if (!options_.has_series) continue;
    if (++clients > options_.max_clients)
      ++series.left_out;
    else
      series.lines.append(line).push_back('\n');
  }
  if (options_.has_groups) groups_ = counter.finish();
  if (options_.has_series) series_ = std::move(series);
  return Done{};
}

void Clients::add(const Page& page) {
  if (groups_) add_groups(*groups_, page.builder);
  if (!series_) return;
  for (std::string_view rest = series_->lines; !rest.empty();)
    if (const auto client = parse_client(text::take_until(rest, '\n')))
      add_client(*client, series_->unix_seconds, options_, page.builder);
  add_folded(client_info, series_->left_out, page.builder);
}

void Clients::forget() {
  groups_due_.reset();
  series_due_.reset();
  groups_.reset();
  series_.reset();
}

/// @return the address with the bits behind the first `bits` set to 0, and how many there were kept.
std::string masked(int family, unsigned char* bytes, int size, int bits) {
  for (int i = 0; i < size; ++i) {
    const int kept = std::clamp(bits - i * 8, 0, 8);
    bytes[i] = static_cast<unsigned char>(bytes[i] & (0xff00 >> kept));
  }
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, bytes, text, sizeof text);
  return bits >= size * 8 ? std::string(text) : fmt::format("{}/{}", text, bits);
}

}  // namespace

std::string_view Client::host() const noexcept {
  const auto colon = address.rfind(':');
  return address.substr(0, colon);
}

std::string_view Client::port() const noexcept {
  const auto colon = address.rfind(':');
  return colon == address.npos ? std::string_view() : address.substr(colon + 1);
}

std::optional<Client> parse_client(std::string_view line) noexcept {
  Client client;
  std::optional<double> age, idle;
  while (!line.empty()) {
    // A word without "=" is the rest of a value with a space in it: the path of a socket.
    auto value = text::take_until(line, ' ');
    const auto field = text::take_until(value, '=');
    const bool is_age = field == "age";
    if (is_age || field == "idle") {
      const auto number = text::parse_integer(value);
      if (!number) return std::nullopt;
      (is_age ? age : idle) = static_cast<double>(*number);
      continue;
    }
    for (const auto& text : texts)
      if (text.field == field) client.*text.member = value;
    for (const auto& number : numbers) {
      if (number.field != field) continue;
      const auto parsed = text::parse_number(value);
      client.*number.member = parsed && std::isfinite(*parsed) ? *parsed : 0;
    }
  }
  if (!text::parse_integer(client.id) || client.address.empty() || !age || !idle) return std::nullopt;
  client.age_seconds = *age;
  client.idle_seconds = *idle;
  return client;
}

std::string network_of(std::string_view host, int bits_ipv4, int bits_ipv6) {
  if (host.starts_with('/')) return "unix";
  auto bare = host;
  if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
  if (bare.size() >= INET6_ADDRSTRLEN) return std::string(host);
  const std::string ended(bare);
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, ended.c_str(), bytes.data()) == 1) return masked(AF_INET, bytes.data(), 4, bits_ipv4);
  if (inet_pton(AF_INET6, ended.c_str(), bytes.data()) == 1) return masked(AF_INET6, bytes.data(), 16, bits_ipv6);
  return std::string(host);
}

std::unique_ptr<Collector> make_clients(ClientsOptions options) {
  return std::make_unique<Clients>(options);
}

}  // namespace midst::sources::redis_info
