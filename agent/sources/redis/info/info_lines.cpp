#include "agent/sources/redis/info/info_lines.hpp"

#include "agent/sources/redis/families.hpp"
#include "lib/base/text.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec own_specs[] = {
    {"redis_io_thread_clients", MetricType::gauge, "", "Clients assigned to each I/O thread.", "thread"},
    {"redis_io_thread_reads_total", MetricType::counter, "", "Reads from clients by each I/O thread.", "thread"},
    {"redis_io_thread_writes_total", MetricType::counter, "", "Writes to clients by each I/O thread.", "thread"},
    {"redis_sentinel_master_status", MetricType::gauge, "", "1 while this Sentinel sees the master well; the label tells its state.", "master_address,master_name,master_status"},
    {"redis_sentinel_master_slaves", MetricType::gauge, "", "Replicas of the master that this Sentinel knows.", "master_address,master_name"},
    {"redis_sentinel_master_sentinels", MetricType::gauge, "", "Sentinels that watch the master, this one with them.", "master_address,master_name"},
    {"redis_scripting_engine_info", MetricType::gauge, "", "The script engines of the server and where they come from. Always 1.", "abi_version,engine,module"},
    {"redis_scripting_engine_memory_used_bytes", MetricType::gauge, "bytes", "Memory that a script engine uses.", "abi_version,engine,module"},
    {"redis_scripting_engine_memory_overhead_bytes", MetricType::gauge, "bytes", "Memory for the scripts of an engine besides its own.", "abi_version,engine,module"},
    {"redis_tls_certificate_info", MetricType::gauge, "", "Serial number of each certificate that the server has loaded. Always 1.", "certificate,serial"},
};
// clang-format on
constexpr const MetricSpec& thread_clients = own_specs[0];
constexpr const MetricSpec& thread_reads = own_specs[1];
constexpr const MetricSpec& thread_writes = own_specs[2];
constexpr const MetricSpec& master_status = own_specs[3];
constexpr const MetricSpec& master_slaves = own_specs[4];
constexpr const MetricSpec& master_sentinels = own_specs[5];
constexpr const MetricSpec& engine_info = own_specs[6];
constexpr const MetricSpec& engine_used = own_specs[7];
constexpr const MetricSpec& engine_overhead = own_specs[8];
constexpr const MetricSpec& certificate_info = own_specs[9];

/// @return the value of one name in "a=1,b=2", or empty.
std::string_view find(std::string_view fields, std::string_view wanted) noexcept {
  while (!fields.empty()) {
    auto value = text::take_until(fields, ',');
    if (text::take_until(value, '=') == wanted) return value;
  }
  return {};
}

}  // namespace

bool strip(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::span<const MetricSpec> line_specs() noexcept {
  return own_specs;
}

std::optional<SentinelMaster> parse_sentinel_master(std::string_view field, std::string_view value) noexcept {
  if (!strip(field, "master") || !is_digits(field)) return std::nullopt;
  SentinelMaster master;
  const auto slaves = text::parse_number(find(value, "slaves"));
  const auto sentinels = text::parse_number(find(value, "sentinels"));
  if (!slaves || !sentinels) return std::nullopt;
  master.name = find(value, "name");
  master.status = find(value, "status");
  master.address = find(value, "address");
  master.slaves = *slaves;
  master.sentinels = *sentinels;
  return master;
}

bool LineReader::read(std::string_view field, std::string_view value) {
  auto rest = field;
  if (strip(rest, "io_thread_") && is_digits(rest)) {
    if (has_room()) read_thread(rest, value);
  } else if (rest = field; strip(rest, "used_active_time_io_thread_") && is_digits(rest)) {
    const auto seconds = text::parse_number(value);
    if (seconds && has_room()) builder_.add(family::io_thread_active, {{"thread", rest}}, *seconds);
  } else if (rest = field; strip(rest, "engine_") && is_digits(rest)) {
    if (has_room()) read_engine(value);
  } else if (rest = field; strip(rest, "tls_") && rest.ends_with("_cert_serial")) {
    rest.remove_suffix(std::string_view("_cert_serial").size());
    if (has_room()) builder_.add(certificate_info, {{"certificate", rest}, {"serial", value}}, 1);
  } else if (const auto master = parse_sentinel_master(field, value)) {
    if (has_room()) add_sentinel_master(*master);
  } else {
    return false;
  }
  return true;
}

bool LineReader::has_room() {
  const bool has = lines_ < max_lines_;
  ++(has ? lines_ : folded_);
  return has;
}

void LineReader::read_thread(std::string_view thread, std::string_view value) {
  const auto labels = builder_.labels({{"thread", thread}});
  const auto add = [&](const MetricSpec& spec, std::string_view name) {
    if (const auto number = text::parse_number(find(value, name))) builder_.family(spec).add(labels, *number);
  };
  add(thread_clients, "clients");
  add(thread_reads, "reads");
  add(thread_writes, "writes");
}

void LineReader::read_engine(std::string_view value) {
  const auto used = text::parse_number(find(value, "used_memory"));
  const auto overhead = text::parse_number(find(value, "memory_overhead"));
  if (!used || !overhead || *used < 0 || *overhead < 0) return;
  const auto labels = builder_.labels({{"engine", find(value, "name")},
                                       {"module", find(value, "module")},
                                       {"abi_version", find(value, "abi_version")}});
  builder_.family(engine_info).add(labels, 1);
  builder_.family(engine_used).add(labels, *used);
  builder_.family(engine_overhead).add(labels, *overhead);
}

void LineReader::add_sentinel_master(const SentinelMaster& master) {
  builder_.add(master_status,
               {{"master_name", master.name}, {"master_address", master.address}, {"master_status", master.status}},
               master.status == "ok" ? 1 : 0);
  const auto labels = builder_.labels({{"master_name", master.name}, {"master_address", master.address}});
  builder_.family(master_slaves).add(labels, master.slaves);
  builder_.family(master_sentinels).add(labels, master.sentinels);
}

}  // namespace midst::sources::redis_info
