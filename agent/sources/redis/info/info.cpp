#include "agent/sources/redis/info/info.hpp"

#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/families.hpp"
#include "agent/sources/redis/info/info_extra.hpp"
#include "agent/sources/redis/info/info_keysizes.hpp"
#include "agent/sources/redis/info/info_lines.hpp"
#include "agent/sources/redis/info/info_replication.hpp"
#include "agent/sources/redis/info/keyspace.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using metrics::Label;
using metrics::LabelSet;
using metrics::MetricSpec;

constexpr MetricSpec server_info{
    "redis_server_info", metrics::MetricType::gauge, "", "How the server was built and where it runs. Always 1.",
    "arch_bits,availability_zone,gcc_version,mem_allocator,multiplexing_api,process_supervised,server_name"};

/// Fields that are text: labels of the info families, or facts.
struct Texts {
  std::string_view role, redis_version, redis_build_id, redis_mode, os, maxmemory_policy, tcp_port, run_id, process_id,
      master_replid, valkey_version, valkey_release_stage, server_mode, read_only, cluster_enabled, master_offset;
  std::string_view server_name, availability_zone, arch_bits, mem_allocator, process_supervised, multiplexing_api,
      gcc_version;
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
    {"cluster_enabled", &Texts::cluster_enabled},
    {"master_repl_offset", &Texts::master_offset},
    {"server_name", &Texts::server_name},
    {"availability_zone", &Texts::availability_zone},
    {"arch_bits", &Texts::arch_bits},
    {"mem_allocator", &Texts::mem_allocator},
    {"process_supervised", &Texts::process_supervised},
    {"multiplexing_api", &Texts::multiplexing_api},
    {"gcc_version", &Texts::gcc_version},
};

/// What a field is known for: a sample, a text, or both.
struct KnownField {
  const Row* row = nullptr;
  std::string_view Texts::*text = nullptr;
};

/// Kinds of errors that the server itself raises and that alerts look for: they keep their own series at the limit.
constexpr std::string_view server_error_kinds[] = {
    "ASK",      "BUSY",      "BUSYGROUP", "BUSYKEY",    "CLUSTERDOWN", "CROSSSLOT", "DENIED",
    "ERR",      "EXECABORT", "LOADING",   "MASTERDOWN", "MISCONF",     "MOVED",     "NOAUTH",
    "NOGROUP",  "NOPERM",    "NOPROTO",   "NOREPLICAS", "NOSCRIPT",    "NOTBUSY",   "OOM",
    "READONLY", "TRYAGAIN",  "UNBLOCKED", "UNKILLABLE", "WRONGPASS",   "WRONGTYPE"};

/// Plain decimals ("12", "0.25"), as nearly all numbers of INFO are, at a fraction of the cost of the general way. With
/// at most 15 digits the whole and the power of ten are exact, so their quotient is the nearest double.
/// @return nothing for any other form.
std::optional<double> parse_plain(std::string_view text) noexcept {
  constexpr double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  if (text.empty() || text.size() > 15 || text.front() == '.' || text.back() == '.') return std::nullopt;
  std::uint64_t whole = 0;
  std::size_t decimals = 0;
  bool has_point = false;
  for (const char c : text) {
    if (c == '.' && !has_point) {
      has_point = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    whole = whole * 10 + static_cast<std::uint64_t>(c - '0');
    if (has_point) ++decimals;
  }
  return static_cast<double>(whole) / powers[decimals];
}

std::optional<double> parse_number(std::string_view text) noexcept {
  if (const auto plain = parse_plain(text)) return plain;
  const auto number = text::parse_number(text);
  return number ? std::optional<double>(*number) : std::nullopt;
}

const KnownField* find_known(std::string_view field) noexcept {
  static const auto by_field = [] {
    std::unordered_map<std::string_view, KnownField> map;
    for (const auto& row : catalog()) map[row.field].row = &row;
    for (const auto& entry : text_fields) map[entry.field].text = entry.member;
    return map;
  }();
  const auto found = by_field.find(field);
  return found == by_field.end() ? nullptr : &found->second;
}

void add_sample(const Row& row, std::string_view value, metrics::SnapshotBuilder& builder) {
  if (row.scale < 1 && value.ends_with('%')) value.remove_suffix(1);
  const auto number = parse_value(value);
  if (!number) return;
  // Divided where it is a fraction: 1e-6 has no exact double, 1e6 has.
  builder.family(row.spec).add(row.scale < 1 ? *number / std::round(1 / row.scale) : *number * row.scale);
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
    const auto percent = parse_number(name);
    const auto microseconds = parse_number(value);
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

/// @return a number of events; what no counter can hold is the most it can.
std::uint64_t as_count(double number) noexcept {
  constexpr double limit = 18446744073709551616.0;  // 2^64: a double at or above it must not be converted
  if (!(number > 0)) return 0;
  return number < limit ? static_cast<std::uint64_t>(number) : std::numeric_limits<std::uint64_t>::max();
}

/// Reads line after line; what needs the whole text is done by finish().
class Reader {
 public:
  Reader(const InfoOptions& options, metrics::SnapshotBuilder& builder)
      : options_(options),
        builder_(builder),
        replication_(options.max_labels, builder),
        lines_(options.max_labels, builder),
        extra_(options.extra_fields, options.max_extra_fields, builder) {
    facts_.commands.reserve(256);
  }

  void read_line(std::string_view line);
  Result<InfoFacts> finish();

 private:
  /// @return whether the field is of a family that this agent knows.
  bool read_family(std::string_view field, std::string_view value);
  void read_command(std::string_view command, std::string_view value);
  void read_error(std::string_view kind, std::string_view value);
  void read_database(std::string_view field, std::string_view value);
  void add_percentiles();
  void add_databases_seen();
  void add_folded(const MetricSpec& spec, std::size_t count);
  void add_instance_info();
  void add_server_info();

  const InfoOptions& options_;
  metrics::SnapshotBuilder& builder_;
  ReplicationReader replication_;
  LineReader lines_;
  ExtraReader extra_;
  std::string_view section_;
  Texts texts_;
  InfoFacts facts_;
  std::size_t known_fields_ = 0;
  bool has_keyspace_ = false;
  CommandFamilies command_families_;
  std::size_t command_count_ = 0;
  std::vector<std::pair<std::string_view, std::string_view>> percentiles_;  ///< Command and its line's value.
  std::vector<Database> databases_;
  std::size_t other_errors_ = 0, key_sizes_ = 0;
  std::size_t folded_commands_ = 0, folded_errors_ = 0, folded_databases_ = 0, folded_key_sizes_ = 0;
  double folded_error_count_ = 0;
};

void Reader::read_line(std::string_view line) {
  if (auto header = line; strip(header, "# ")) {
    section_ = header;
    if (header == "Keyspace") has_keyspace_ = true;
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
  if (const auto* known = find_known(field)) {
    ++known_fields_;
    if (known->row != nullptr) add_sample(*known->row, value, builder_);
    if (known->text != nullptr) texts_.*known->text = value;
  } else if (!read_family(field, value)) {
    extra_.read(section_, field, value);
  }
}

bool Reader::read_family(std::string_view field, std::string_view value) {
  auto rest = field;
  if (strip(rest, "errorstat_")) {
    read_error(rest, value);
    return true;
  }
  if (strip(rest, "db") && !rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
    read_database(field, value);
    return true;
  }
  if (field.starts_with("cluster_")) {
    add_cluster_field(field, value, builder_);
    return true;
  }
  return replication_.read(field, value) || lines_.read(field, value);
}

void Reader::read_database(std::string_view field, std::string_view value) {
  if (const auto sizes = parse_key_sizes(field, value)) {
    if (key_sizes_ < options_.max_key_sizes) {
      ++key_sizes_;
      add_key_sizes(*sizes, builder_);
    } else {
      ++folded_key_sizes_;
    }
  } else if (const auto database = parse_database(field, value)) {
    if (databases_.size() < options_.max_labels)
      databases_.push_back(*database);
    else
      ++folded_databases_;
  }
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

Result<InfoFacts> Reader::finish() {
  if (known_fields_ == 0) return Error{Errc::protocol, "the INFO reply has no known field"};
  add_percentiles();
  if (folded_errors_ > 0) builder_.add(family::errors, {{"err", "other"}}, folded_error_count_);
  add_databases_seen();
  add_instance_info();
  add_server_info();
  const auto offset = text::parse_number(texts_.master_offset);
  replication_.finish(texts_.role, texts_.read_only, offset ? std::optional<double>(*offset) : std::nullopt);
  if (options_.start_seconds != 0) builder_.add(family::start_time, options_.start_seconds);
  add_folded(family::errors, folded_errors_);
  add_folded(family::commands, folded_commands_);
  add_folded(family::db_keys, folded_databases_);
  add_folded(family::slave_offset, replication_.folded());
  add_folded(line_specs().front(), lines_.folded());
  if (options_.max_key_sizes > 0) add_folded(keysizes_specs().front(), folded_key_sizes_);
  add_folded(info_field, extra_.folded());
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
    summary.count = as_count(seen->second.calls);
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
}

void Reader::add_server_info() {
  const std::string_view all[] = {texts_.server_name,       texts_.availability_zone, texts_.arch_bits,
                                  texts_.mem_allocator,     texts_.gcc_version,       texts_.multiplexing_api,
                                  texts_.process_supervised};
  if (std::all_of(std::begin(all), std::end(all), [](std::string_view text) { return text.empty(); })) return;
  builder_.add(server_info,
               {{"server_name", texts_.server_name},
                {"availability_zone", texts_.availability_zone},
                {"arch_bits", texts_.arch_bits},
                {"mem_allocator", texts_.mem_allocator},
                {"gcc_version", texts_.gcc_version},
                {"multiplexing_api", texts_.multiplexing_api},
                {"process_supervised", texts_.process_supervised}},
               1);
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
  if (value == "ok" || value == "true") return 1;
  if (value == "err" || value == "fail" || value == "false") return 0;
  return parse_number(value);
}

std::optional<CommandStat> parse_command_stat(std::string_view fields) noexcept {
  CommandStat stat;
  bool has_calls = false, has_microseconds = false;
  while (!fields.empty()) {
    auto value = text::take_until(fields, ',');
    const auto name = text::take_until(value, '=');
    if (name == "usec_per_call") continue;  // their quotient
    const auto count = parse_number(value);
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

std::size_t add_known_fields(std::string_view info, metrics::SnapshotBuilder& builder) {
  std::size_t count = 0;
  while (!info.empty()) {
    auto value = text::take_until(info, '\n');
    if (value.ends_with('\r')) value.remove_suffix(1);
    const auto* row = find_row(text::take_until(value, ':'));
    if (row == nullptr) continue;
    add_sample(*row, value, builder);
    ++count;
  }
  return count;
}

std::vector<MetricSpec> info_specs() {
  std::vector<MetricSpec> specs{server_info, info_field};
  for (const auto& part : {replication_specs(), line_specs(), keysizes_specs()})
    specs.insert(specs.end(), part.begin(), part.end());
  return specs;
}

}  // namespace midst::sources::redis_info
