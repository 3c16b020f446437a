#include "agent/sources/redis/info.hpp"

#include "agent/sources/redis/cluster.hpp"
#include "agent/sources/redis/families.hpp"
#include "agent/sources/redis/keyspace.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using metrics::Label;
using metrics::LabelSet;
using metrics::MetricSpec;

/// Fields that are text: labels of the info families, or facts.
struct Texts {
  std::string_view role, redis_version, redis_build_id, redis_mode, os, maxmemory_policy, tcp_port, run_id, process_id,
      master_replid, valkey_version, valkey_release_stage, server_mode, read_only, uptime, server_time_usec,
      cluster_enabled;
};

struct TextField {
  std::string_view field;
  std::string_view Texts::*member;
};

constexpr TextField text_fields[] = {
    {"role", &Texts::role},
    {"redis_version", &Texts::redis_version},
    {"redis_build_id", &Texts::redis_build_id},
    {"redis_mode", &Texts::redis_mode},
    {"server_mode", &Texts::server_mode},  // what Valkey says instead of redis_mode
    {"os", &Texts::os},
    {"maxmemory_policy", &Texts::maxmemory_policy},
    {"tcp_port", &Texts::tcp_port},
    {"run_id", &Texts::run_id},
    {"process_id", &Texts::process_id},
    {"master_replid", &Texts::master_replid},
    {"valkey_version", &Texts::valkey_version},
    {"valkey_release_stage", &Texts::valkey_release_stage},
    {"slave_read_only", &Texts::read_only},
    {"uptime_in_seconds", &Texts::uptime},
    {"server_time_usec", &Texts::server_time_usec},
    {"cluster_enabled", &Texts::cluster_enabled},
};

/// Fields of the link to the master, with "master_" or KeyDB's "master_2_" taken off the front.
struct MasterField {
  std::string_view field;
  const MetricSpec* spec;
};
constexpr MasterField master_fields[] = {
    {"link_status", &family::master_link_up},
    {"last_io_seconds_ago", &family::master_last_io},
    {"sync_in_progress", &family::master_sync_in_progress},
    {"link_down_since_seconds", &family::master_link_down_since},
    {"sync_total_bytes", &family::master_sync_total},
    {"sync_read_bytes", &family::master_sync_read},
    {"sync_left_bytes", &family::master_sync_left},
    {"sync_last_io_seconds_ago", &family::master_sync_last_io},
};

/// Kinds of errors that the server itself raises and that alerts look for: they keep their own series at the limit.
constexpr std::string_view server_error_kinds[] = {
    "ASK",      "BUSY",      "BUSYGROUP", "BUSYKEY",    "CLUSTERDOWN", "CROSSSLOT", "DENIED",
    "ERR",      "EXECABORT", "LOADING",   "MASTERDOWN", "MISCONF",     "MOVED",     "NOAUTH",
    "NOGROUP",  "NOPERM",    "NOPROTO",   "NOREPLICAS", "NOSCRIPT",    "NOTBUSY",   "OOM",
    "READONLY", "TRYAGAIN",  "UNBLOCKED", "UNKILLABLE", "WRONGPASS",   "WRONGTYPE"};

bool strip(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view Texts::*find_text_field(std::string_view field) noexcept {
  static const auto by_field = [] {
    std::unordered_map<std::string_view, std::string_view Texts::*> map;
    for (const auto& entry : text_fields) map.emplace(entry.field, entry.member);
    return map;
  }();
  const auto found = by_field.find(field);
  return found == by_field.end() ? nullptr : found->second;
}

/// Percentiles of one command: "p50=1.003,p99=2.007,p99.9=2.007".
struct Percentiles {
  static constexpr std::size_t limit = 16;  // latency-tracking-info-percentiles is a handful
  std::array<double, limit> percents{}, values{};
  std::size_t count = 0;
};

std::optional<Percentiles> parse_percentiles(std::string_view fields) noexcept {
  Percentiles result;
  while (!fields.empty()) {
    auto value = text::take_until(fields, ',');
    auto name = text::take_until(value, '=');
    if (!strip(name, "p") || result.count == Percentiles::limit) return std::nullopt;
    const auto percent = text::parse_number(name);
    const auto microseconds = text::parse_number(value);
    if (!percent || !microseconds) return std::nullopt;
    result.percents[result.count] = *percent;
    result.values[result.count++] = *microseconds;
  }
  if (result.count == 0) return std::nullopt;
  return result;
}

/// The families of one cmdstat_ line, looked up once instead of once a line. Their labels are distinct because a
/// command that came before is skipped.
struct CommandFamilies {
  metrics::FamilyBuilder *calls = nullptr, *duration = nullptr, *rejected = nullptr, *failed = nullptr;

  static metrics::FamilyBuilder& open(metrics::FamilyBuilder*& family, const MetricSpec& spec,
                                      metrics::SnapshotBuilder& builder) {
    if (family == nullptr) {
      family = &builder.family(spec);
      family->promise_distinct();
    }
    return *family;
  }
};

/// @return a count without sign, as nearly every number of commandstats is; other forms take the long way.
std::optional<double> parse_count(std::string_view text) noexcept {
  if (text.empty() || text.size() > 15) return parse_value(text);
  std::uint64_t count = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return parse_value(text);
    count = count * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return static_cast<double>(count);
}

/// Reads line after line; what needs the whole text is done by finish().
class Reader {
 public:
  Reader(const InfoOptions& options, metrics::SnapshotBuilder& builder) : options_(options), builder_(builder) {
    facts_.commands.reserve(256);
  }

  void read_line(std::string_view line);
  Result<InfoFacts> finish();

 private:
  void read_family(std::string_view field, std::string_view value);
  void read_command(std::string_view command, std::string_view value);
  void read_error(std::string_view kind, std::string_view value);
  void read_replica(std::string_view field, std::string_view value);
  void read_master(std::string_view field, std::string_view value);
  void add_of_master(const MetricSpec& spec, std::string_view value);
  void add_percentiles();
  void add_databases_seen();
  void add_folded(const MetricSpec& spec, std::size_t count);
  void add_instance_info();
  [[nodiscard]] std::optional<double> start_seconds() const;

  const InfoOptions& options_;
  metrics::SnapshotBuilder& builder_;
  Texts texts_;
  InfoFacts facts_;
  std::size_t known_fields_ = 0;
  bool has_keyspace_ = false;
  CommandFamilies command_families_;
  std::size_t command_count_ = 0;
  std::vector<std::pair<std::string_view, std::string_view>> percentiles_;  ///< Command and its line's value.
  std::vector<Database> databases_;
  std::string_view master_host_, master_port_;
  std::size_t replicas_ = 0, other_errors_ = 0;
  std::size_t folded_commands_ = 0, folded_errors_ = 0, folded_replicas_ = 0, folded_databases_ = 0;
  double folded_error_count_ = 0;
};

void Reader::read_line(std::string_view line) {
  if (line.starts_with("# ")) {
    if (line == "# Keyspace") has_keyspace_ = true;
    return;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const auto field = line.substr(0, colon);
  const auto value = line.substr(colon + 1);
  // Most lines of a busy server are of these two; they need not be looked up.
  auto rest = field;
  if (strip(rest, "cmdstat_")) return read_command(rest, value);
  if (strip(rest, "latency_percentiles_usec_")) {
    percentiles_.emplace_back(rest, value);
    return;
  }
  const auto* row = find_row(field);
  if (row != nullptr) {
    ++known_fields_;
    if (const auto number = parse_value(value)) builder_.family(row->spec).add(*number * row->scale);
  }
  if (const auto member = find_text_field(field); member != nullptr) {
    ++known_fields_;
    texts_.*member = value;
  } else if (row == nullptr) {
    read_family(field, value);
  }
}

void Reader::read_family(std::string_view field, std::string_view value) {
  auto rest = field;
  if (strip(rest, "errorstat_")) return read_error(rest, value);
  if (field.starts_with("db")) {
    const auto database = parse_database(field, value);
    if (database && databases_.size() < options_.max_labels)
      databases_.push_back(*database);
    else if (database)
      ++folded_databases_;
    return;
  }
  if (strip(rest, "master_")) return read_master(rest, value);
  if (field == "slave_repl_offset") return add_of_master(family::slave_repl_offset, value);
  if (field == "slave_read_repl_offset") return add_of_master(family::slave_read_repl_offset, value);
  if (field.starts_with("slave")) return read_replica(field, value);
  if (strip(rest, "used_active_time_io_thread_") && is_digits(rest)) {
    if (const auto seconds = parse_value(value)) builder_.add(family::io_thread_active, {{"thread", rest}}, *seconds);
    return;
  }
  if (field.starts_with("cluster_")) add_cluster_field(field, value, builder_);
}

void Reader::read_command(std::string_view command, std::string_view value) {
  const auto stat = parse_command_stat(value);
  if (!stat || command.empty()) return;
  ++known_fields_;
  auto& totals = facts_.commands[command];
  if (!totals.labels.text.empty()) return;  // the first line of a command counts
  totals.microseconds += stat->microseconds;
  totals.calls = stat->calls;
  if (command_count_ == options_.max_labels) {
    ++folded_commands_;
    return;
  }
  ++command_count_;
  const auto labels = totals.labels = builder_.labels({{"cmd", command}});
  if (const auto bar = command.find('|'); bar != std::string_view::npos)
    facts_.commands[command.substr(0, bar)].microseconds += stat->microseconds;
  auto& to = command_families_;
  CommandFamilies::open(to.calls, family::commands, builder_).add(labels, stat->calls);
  CommandFamilies::open(to.duration, family::commands_duration, builder_).add(labels, stat->microseconds / 1e6);
  if (stat->rejected)
    CommandFamilies::open(to.rejected, family::commands_rejected, builder_).add(labels, *stat->rejected);
  if (stat->failed) CommandFamilies::open(to.failed, family::commands_failed, builder_).add(labels, *stat->failed);
}

void Reader::read_error(std::string_view kind, std::string_view value) {
  const auto name = text::take_until(value, '=');
  const auto count = text::parse_number(value);
  if (kind.empty() || name != "count" || !count) return;
  const bool is_server_kind = std::binary_search(std::begin(server_error_kinds), std::end(server_error_kinds), kind);
  if (!is_server_kind && other_errors_ == options_.max_error_labels) {
    ++folded_errors_;
    folded_error_count_ += *count;
    return;
  }
  if (!is_server_kind) ++other_errors_;
  builder_.add(family::errors, {{"err", kind}}, *count);
}

void Reader::read_replica(std::string_view field, std::string_view value) {
  const auto replica = parse_replica(field, value);
  if (!replica) return;
  if (replicas_ == options_.max_labels) {
    ++folded_replicas_;
    return;
  }
  ++replicas_;
  const auto labels =
      builder_.labels({{"slave_ip", replica->ip}, {"slave_port", replica->port}, {"slave_state", replica->state}});
  builder_.family(family::slave_offset).add(labels, replica->offset);
  if (replica->lag) builder_.family(family::slave_lag).add(labels, *replica->lag);
}

void Reader::read_master(std::string_view field, std::string_view value) {
  // KeyDB numbers its further masters: master_host, master_1_host, master_2_host …
  if (const auto bar = field.find('_'); bar != std::string_view::npos && is_digits(field.substr(0, bar)))
    field.remove_prefix(bar + 1);
  if (field == "host") {
    master_host_ = value;
  } else if (field == "port") {
    master_port_ = value;
  } else {
    for (const auto& known : master_fields)
      if (known.field == field)
        add_of_master(*known.spec, field == "link_status" ? (value == "up" ? "1" : "0") : value);
  }
}

void Reader::add_of_master(const MetricSpec& spec, std::string_view value) {
  const auto number = text::parse_number(value);
  builder_.add(spec, {{"master_host", master_host_}, {"master_port", master_port_}}, number ? *number : 0);
}

Result<InfoFacts> Reader::finish() {
  if (known_fields_ == 0) return Error{Errc::protocol, "the INFO reply has no known field"};
  add_percentiles();
  if (folded_errors_ > 0) builder_.add(family::errors, {{"err", "other"}}, folded_error_count_);
  add_databases_seen();
  add_instance_info();
  add_folded(family::errors, folded_errors_);
  add_folded(family::commands, folded_commands_);
  add_folded(family::slave_offset, folded_replicas_);
  add_folded(family::db_keys, folded_databases_);
  facts_.run_id = texts_.run_id;
  facts_.has_cluster = texts_.cluster_enabled == "1";
  if (const auto start = start_seconds()) {
    facts_.start_seconds = *start;
    builder_.add(family::start_time, *start);
  }
  auto version = texts_.redis_version;
  if (const auto major = text::parse_integer(text::take_until(version, '.')))
    facts_.major_version = static_cast<int>(*major);
  return std::move(facts_);
}

void Reader::add_percentiles() {
  if (percentiles_.empty()) return;
  auto& family = builder_.family(family::latency_percentiles);
  for (const auto& [command, value] : percentiles_) {
    const auto seen = facts_.commands.find(command);
    if (seen == facts_.commands.end() || seen->second.labels.text.empty()) continue;
    const auto percentiles = parse_percentiles(value);
    if (!percentiles) continue;
    metrics::Distribution summary;
    summary.bounds = {percentiles->percents.data(), percentiles->count};
    summary.quantile_values = {percentiles->values.data(), percentiles->count};
    summary.sum = seen->second.microseconds;
    summary.count = static_cast<std::uint64_t>(seen->second.calls);
    family.add(seen->second.labels, summary);
  }
}

void Reader::add_databases_seen() {
  // A provider that hides the section must not look like an empty server.
  const bool has_zeros = options_.has_zero_databases && has_keyspace_;
  const int configured = texts_.cluster_enabled == "1" ? 1 : options_.databases;
  add_databases(databases_, has_zeros ? std::min(configured, static_cast<int>(options_.max_labels)) : 0, builder_);
}

void Reader::add_folded(const MetricSpec& spec, std::size_t count) {
  if (count > 0) builder_.add(family::folded_series, {{"metric", spec.name}}, static_cast<double>(count));
}

void Reader::add_instance_info() {
  std::vector<Label> labels{{"role", texts_.role},
                            {"redis_version", texts_.redis_version},
                            {"redis_build_id", texts_.redis_build_id},
                            {"redis_mode", texts_.redis_mode.empty() ? texts_.server_mode : texts_.redis_mode},
                            {"os", texts_.os},
                            {"maxmemory_policy", texts_.maxmemory_policy},
                            {"tcp_port", texts_.tcp_port},
                            {"run_id", texts_.run_id},
                            {"process_id", texts_.process_id},
                            {"master_replid", texts_.master_replid}};
  if (!texts_.valkey_version.empty()) labels.push_back({"valkey_version", texts_.valkey_version});
  if (!texts_.valkey_release_stage.empty()) labels.push_back({"valkey_release_stage", texts_.valkey_release_stage});
  builder_.family(family::instance_info).add(builder_.labels(labels), 1);
  if (texts_.role != "slave") return;
  builder_.add(family::slave_info,
               {{"master_host", master_host_}, {"master_port", master_port_}, {"read_only", texts_.read_only}}, 1);
}

std::optional<double> Reader::start_seconds() const {
  const auto uptime = text::parse_number(texts_.uptime);
  if (!uptime) return std::nullopt;
  const auto server_microseconds = text::parse_number(texts_.server_time_usec);  // since Redis 7.0
  const double now = server_microseconds ? *server_microseconds / 1e6 : options_.now_seconds;
  const double start = std::floor(now) - *uptime;
  // Both clocks are cut to whole seconds, so the difference wavers by one; the first answer for a run stays.
  const bool is_same_run = options_.latched_start_seconds != 0 && options_.latched_run_id == texts_.run_id &&
                           (!texts_.run_id.empty() || std::abs(start - options_.latched_start_seconds) < 2);
  return is_same_run ? options_.latched_start_seconds : start;
}

}  // namespace

Result<InfoFacts> read_info(std::string_view info, const InfoOptions& options, metrics::SnapshotBuilder& builder) {
  Reader reader(options, builder);
  while (!info.empty()) {
    auto line = text::take_until(info, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    reader.read_line(line);
  }
  return reader.finish();
}

std::optional<double> parse_value(std::string_view value) noexcept {
  if (value.empty()) return std::nullopt;
  if (value == "ok" || value == "true") return 1;
  if (value == "err" || value == "fail" || value == "false") return 0;
  const auto number = text::parse_number(value);
  return number ? std::optional<double>(*number) : std::nullopt;
}

std::optional<CommandStat> parse_command_stat(std::string_view fields) noexcept {
  CommandStat stat;
  bool has_calls = false, has_microseconds = false;
  while (!fields.empty()) {
    auto value = text::take_until(fields, ',');
    const auto name = text::take_until(value, '=');
    if (name == "usec_per_call") continue;  // their quotient
    const auto count = parse_count(value);
    if (!count || *count < 0) return std::nullopt;
    if (name == "calls") {
      stat.calls = *count;
      has_calls = true;
    } else if (name == "usec") {
      stat.microseconds = *count;
      has_microseconds = true;
    } else if (name == "rejected_calls") {
      stat.rejected = *count;
    } else if (name == "failed_calls") {
      stat.failed = *count;
    }
  }
  if (!has_calls || !has_microseconds) return std::nullopt;
  return stat;
}

std::optional<Replica> parse_replica(std::string_view field, std::string_view value) noexcept {
  if (!strip(field, "slave") || !is_digits(field)) return std::nullopt;
  Replica replica;
  bool has_offset = false;
  while (!value.empty()) {
    auto text = text::take_until(value, ',');
    const auto name = text::take_until(text, '=');
    if (name == "ip") replica.ip = text;
    if (name == "port") replica.port = text;
    if (name == "state") replica.state = text;
    if (name != "offset" && name != "lag") continue;
    const auto number = text::parse_number(text);
    if (!number) return std::nullopt;
    if (name == "lag") {
      replica.lag = *number;
    } else {
      replica.offset = *number;
      has_offset = true;
    }
  }
  if (!has_offset) return std::nullopt;
  return replica;
}

}  // namespace midst::sources::redis_info
