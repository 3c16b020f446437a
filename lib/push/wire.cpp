#include "lib/push/wire.hpp"

#include "lib/push/fields.hpp"

#include <algorithm>
#include <utility>

namespace midst::push::wire {
namespace {

bool decode_bounds(std::string_view packed, std::vector<double>& bounds) {
  if (packed.size() % sizeof(double) != 0) return false;
  double bound = 0;
  while (take_double(packed, bound)) bounds.push_back(bound);
  return true;
}

Refusal to_refusal(std::uint64_t number) noexcept {
  return number < refusal_count ? static_cast<Refusal>(number) : Refusal::invalid;
}

/// What a definition may hold; the decoder stops at the first excess, so a hostile frame allocates no more than this.
Result<FamilyDefinition> checked(FamilyDefinition message) {
  if (message.name.size() > max_name_bytes) return too_long("family name", max_name_bytes);
  if (message.unit.size() > max_unit_bytes) return too_long("unit", max_unit_bytes);
  if (message.help.size() > max_help_bytes) return too_long("help", max_help_bytes);
  return message;
}

}  // namespace

std::string_view word(Refusal reason) noexcept {
  static constexpr std::string_view words[refusal_count] = {
      "none",      "invalid",  "reserved_name",  "type_conflict", "label_conflict", "bounds_conflict", "merge_conflict",
      "redefined", "too_many", "unknown_family", "client_limit",  "family_limit",   "total_limit"};
  return words[static_cast<std::size_t>(reason)];
}

FrameHeader decode_header(const char* bytes_in) noexcept {
  FrameHeader header;
  std::memcpy(&header.length, bytes_in, sizeof header.length);
  header.type = static_cast<std::uint8_t>(bytes_in[4]);
  return header;
}

void encode(std::string& out, const Hello& message) {
  const FrameWriter frame(out, Type::hello);
  put(out, 1, magic);
  put(out, 2, message.major);
  put(out, 3, message.minor);
  put(out, 4, message.features);
  put(out, 5, std::string_view(reinterpret_cast<const char*>(message.instance.data()), message.instance.size()));
  put_fixed(out, 6, message.start_time_ns);
  put(out, 7, message.library);
  put(out, 8, message.resource);
  put(out, 9, message.flush_interval_ms);
  put_fixed(out, 10, message.agent_epoch);
}

Result<Hello> decode_hello(std::string_view payload) {
  Hello message;
  message.major = message.minor = 0;
  bool has_magic = false, has_instance = false;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, bytes)) has_magic = reader.text == magic;
    if (reader.is(2, varint)) message.major = reader.number32();
    if (reader.is(3, varint)) message.minor = reader.number32();
    if (reader.is(4, varint)) message.features = reader.number;
    if (reader.is(5, bytes)) {
      if (reader.text.size() != message.instance.size()) return malformed("HELLO: instance_id has not 16 bytes");
      std::memcpy(message.instance.data(), reader.text.data(), message.instance.size());
      has_instance = true;
    }
    if (reader.is(6, fixed64)) message.start_time_ns = reader.number;
    if (reader.is(7, bytes)) message.library = reader.text.substr(0, max_text_bytes);
    if (reader.is(8, bytes)) message.resource = reader.text.substr(0, max_text_bytes);
    if (reader.is(9, varint)) message.flush_interval_ms = reader.number32();
    if (reader.is(10, fixed64)) message.agent_epoch = reader.number;
  }
  if (!reader.is_whole()) return malformed("HELLO is cut short or malformed");
  if (!has_magic) return malformed("HELLO without the magic \"MPP\"");
  if (!has_instance) return malformed("HELLO without instance_id");
  return message;
}

void encode(std::string& out, const Welcome& message) {
  const FrameWriter frame(out, Type::welcome);
  put_fixed(out, 1, message.epoch);
  put(out, 2, message.features);
  put(out, 3, message.max_frame);
  put(out, 4, message.max_series);
  put(out, 5, message.last_seq);
  put(out, 6, message.wants_full ? 1U : 0U);
  put(out, 7, message.major);
  put(out, 8, message.minor);
}

Result<Welcome> decode_welcome(std::string_view payload) {
  Welcome message;
  message.major = message.minor = message.max_frame = 0;
  message.wants_full = false;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, fixed64)) message.epoch = reader.number;
    if (reader.is(2, varint)) message.features = reader.number;
    if (reader.is(3, varint)) message.max_frame = reader.number32();
    if (reader.is(4, varint)) message.max_series = reader.number32();
    if (reader.is(5, varint)) message.last_seq = reader.number;
    if (reader.is(6, varint)) message.wants_full = reader.number != 0;
    if (reader.is(7, varint)) message.major = reader.number32();
    if (reader.is(8, varint)) message.minor = reader.number32();
  }
  if (!reader.is_whole()) return malformed("WELCOME is cut short or malformed");
  if (message.epoch == 0) return malformed("WELCOME without epoch");
  if (message.max_frame < smallest_max_frame || message.max_frame > largest_max_frame)
    return malformed("WELCOME: max_frame is out of bounds");
  return message;
}

void encode(std::string& out, const FamilyDefinition& message) {
  const FrameWriter frame(out, Type::family);
  put(out, 1, message.id);
  put(out, 2, message.name);
  put(out, 3, static_cast<std::uint64_t>(message.kind));
  put(out, 4, message.unit);
  put(out, 5, message.help);
  for (const auto& name : message.label_names) put_element(out, 6, name);
  put(out, 7,
      std::string_view(reinterpret_cast<const char*>(message.bounds.data()), message.bounds.size() * sizeof(double)));
  put(out, 8, message.merge);
}

Result<FamilyDefinition> decode_family(std::string_view payload) {
  FamilyDefinition message;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, varint)) message.id = reader.number32();
    if (reader.is(2, bytes)) message.name = reader.text;
    if (reader.is(3, varint)) {
      if (reader.number > 2) return malformed("FAMILY: unknown type");
      message.kind = static_cast<MetricKind>(reader.number);
    }
    if (reader.is(4, bytes)) message.unit = reader.text;
    if (reader.is(5, bytes)) message.help = reader.text;
    if (reader.is(6, bytes)) {
      if (message.label_names.size() == max_labels) return too_long("list of label names", max_labels);
      if (reader.text.size() > max_label_name_bytes) return too_long("label name", max_label_name_bytes);
      message.label_names.emplace_back(reader.text);
    }
    if (reader.is(7, bytes)) {
      if (reader.text.size() / sizeof(double) + message.bounds.size() > max_bounds)
        return too_long("list of bounds", max_bounds);
      if (!decode_bounds(reader.text, message.bounds)) return malformed("FAMILY: bounds are no doubles");
    }
    if (reader.is(8, varint)) {
      if (reader.number > 3) return malformed("FAMILY: unknown gauge merge");
      message.merge = static_cast<std::uint8_t>(reader.number);
    }
  }
  if (!reader.is_whole()) return malformed("FAMILY is cut short or malformed");
  return checked(std::move(message));
}

void encode(std::string& out, const SeriesDefinition& message) {
  const FrameWriter frame(out, Type::series);
  put(out, 1, message.id);
  put(out, 2, message.family);
  for (const auto& value : message.label_values) put_element(out, 3, value);
  if (message.cell) put(out, 4, std::uint64_t{*message.cell} + 1);
}

Result<SeriesDefinition> decode_series(std::string_view payload) {
  SeriesDefinition message;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, varint)) message.id = reader.number32();
    if (reader.is(2, varint)) message.family = reader.number32();
    if (reader.is(3, bytes)) {
      if (message.label_values.size() == max_labels) return too_long("list of label values", max_labels);
      if (reader.text.size() > max_label_value_bytes) return too_long("label value", max_label_value_bytes);
      message.label_values.emplace_back(reader.text);
    }
    if (reader.is(4, varint) && reader.number32() != 0) message.cell = reader.number32() - 1;
  }
  if (!reader.is_whole()) return malformed("SERIES is cut short or malformed");
  return message;
}

void encode(std::string& out, const Ack& message) {
  const FrameWriter frame(out, Type::ack);
  put(out, 1, message.seq);
  for (const auto& rejected : message.rejected) {
    std::string entry;
    put(entry, 1, rejected.id);
    put(entry, 2, static_cast<std::uint64_t>(rejected.reason));
    put_element(out, 2, entry);
  }
  put(out, 3, message.pause_ms);
}

Result<Ack> decode_ack(std::string_view payload) {
  Ack message;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, varint)) message.seq = reader.number;
    if (reader.is(3, varint)) message.pause_ms = reader.number32();
    if (!reader.is(2, bytes)) continue;
    RejectedSeries rejected;
    FieldReader entry(reader.text);
    while (entry.next()) {
      if (entry.is(1, varint)) rejected.id = entry.number32();
      if (entry.is(2, varint)) rejected.reason = to_refusal(entry.number);
    }
    if (!entry.is_whole()) return malformed("ACK: a rejected series is malformed");
    message.rejected.push_back(rejected);
  }
  if (!reader.is_whole()) return malformed("ACK is cut short or malformed");
  return message;
}

void encode(std::string& out, const Err& message) {
  const FrameWriter frame(out, Type::err);
  put(out, 1, static_cast<std::uint64_t>(message.code));
  put(out, 2, message.is_fatal ? 1U : 0U);
  put(out, 3, message.text);
  put(out, 4, message.family);
  put(out, 5, static_cast<std::uint64_t>(message.reason));
}

Result<Err> decode_err(std::string_view payload) {
  Err message;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, varint)) message.code = static_cast<ErrorCode>(std::min<std::uint64_t>(reader.number, 255));
    if (reader.is(2, varint)) message.is_fatal = reader.number != 0;
    if (reader.is(3, bytes)) message.text = reader.text.substr(0, max_text_bytes);
    if (reader.is(4, varint)) message.family = reader.number32();
    if (reader.is(5, varint)) message.reason = to_refusal(reader.number);
  }
  if (!reader.is_whole()) return malformed("ERR is cut short or malformed");
  return message;
}

void encode_bye(std::string& out) {
  const FrameWriter frame(out, Type::bye);
}

}  // namespace midst::push::wire
