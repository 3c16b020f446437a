#include "lib/push/snap.hpp"

#include "lib/push/fields.hpp"
#include "lib/push/wire.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace midst::push::wire {
namespace {

ClientReport decode_report(std::string_view message) {
  ClientReport report;
  FieldReader reader(message);
  while (reader.next()) {
    if (reader.is(1, varint)) report.skipped_flushes = reader.number;
    if (reader.is(2, varint)) report.reconnects = reader.number;
    if (reader.is(3, varint)) report.send_errors = reader.number;
    if (reader.is(4, varint)) report.overflowed_series = reader.number;
  }
  return report;
}

std::string encode_report(const ClientReport& report) {
  std::string out;
  put(out, 1, report.skipped_flushes);
  put(out, 2, report.reconnects);
  put(out, 3, report.send_errors);
  put(out, 4, report.overflowed_series);
  return out;
}

}  // namespace

void SnapEncoder::add(std::uint32_t id, double value) {
  if (value >= 0 && value <= static_cast<double>(first_inexact)) {
    const auto whole = static_cast<std::uint64_t>(value);
    // Minus zero stays a double: a varint would lose its sign.
    if (static_cast<double>(whole) == value && std::bit_cast<std::uint64_t>(value) >> 63 == 0) return add(id, whole);
  }
  double_ids_.append_varint(id - std::exchange(last_double_id_, id));
  double_values_.append_fixed64(std::bit_cast<std::uint64_t>(value));
}

/// The fields of a HistogramPoint and, around them, its place in the repeated field 9.
void SnapEncoder::add(std::uint32_t id, const std::vector<std::uint64_t>& buckets, double sum) {
  constexpr char id_tag = 1 << 3 | varint, buckets_tag = 2 << 3 | bytes, sum_tag = 3 << 3 | fixed64;
  buckets_.clear();
  for (const auto count : buckets) buckets_.append_varint(count);
  const auto packed = buckets_.size();
  buckets_.append({&sum_tag, 1});
  buckets_.append_fixed64(std::bit_cast<std::uint64_t>(sum));
  head_.clear();
  head_.append({&id_tag, 1});
  head_.append_varint(id);
  head_.append({&buckets_tag, 1});
  head_.append_varint(packed);
  histograms_.append_varint(9 << 3 | bytes);
  histograms_.append_varint(head_.size() + buckets_.size());
  histograms_.append(head_.view());
  histograms_.append(buckets_.view());
}

void SnapEncoder::add(const Exemplar& exemplar) {
  const auto& [trace_id, span_id] = exemplar.trace;
  std::string fields;
  put(fields, 1, exemplar.id);
  put(fields, 2, exemplar.bucket);
  put_fixed(fields, 3, std::bit_cast<std::uint64_t>(exemplar.value));
  put_fixed(fields, 4, exemplar.unix_time_ns);
  put(fields, 5, std::string_view(reinterpret_cast<const char*>(trace_id.data()), trace_id.size()));
  put(fields, 6, std::string_view(reinterpret_cast<const char*>(span_id.data()), span_id.size()));
  exemplars_.append_varint(11 << 3 | bytes);
  exemplars_.append_varint(fields.size());
  exemplars_.append(fields);
}

void SnapEncoder::finish(std::string& out, const Snap& rest) {
  const FrameWriter frame(out, Type::snap);
  put(out, 1, rest.seq);
  put_fixed(out, 2, rest.unix_time_ns);
  put(out, 3, rest.is_full ? 1U : 0U);
  put(out, 4, rest.is_last ? 1U : 0U);
  put(out, 5, integer_ids_.view());
  put(out, 6, integer_values_.view());
  put(out, 7, double_ids_.view());
  put(out, 8, double_values_.view());
  out.append(histograms_.view());
  put(out, 10, encode_report(rest.report));
  out.append(exemplars_.view());
  put(out, 12, removed_ids_.view());
  for (auto* column :
       {&integer_ids_, &integer_values_, &double_ids_, &double_values_, &histograms_, &exemplars_, &removed_ids_})
    column->clear();
  last_integer_id_ = last_double_id_ = last_removed_id_ = 0;
}

Result<Snap> decode_snap(std::string_view payload) {
  Snap message;
  message.payload = payload;
  FieldReader reader(payload);
  while (reader.next()) {
    if (reader.is(1, varint)) message.seq = reader.number;
    if (reader.is(2, fixed64)) message.unix_time_ns = reader.number;
    if (reader.is(3, varint)) message.is_full = reader.number != 0;
    if (reader.is(4, varint)) message.is_last = reader.number != 0;
    if (reader.is(5, bytes)) message.integer_ids = reader.text;
    if (reader.is(6, bytes)) message.integer_values = reader.text;
    if (reader.is(7, bytes)) message.double_ids = reader.text;
    if (reader.is(8, bytes)) message.double_values = reader.text;
    if (reader.is(9, bytes)) message.histograms.push_back(reader.text);
    if (reader.is(10, bytes)) message.report = decode_report(reader.text);
    if (reader.is(11, bytes)) message.exemplars.push_back(reader.text);
    if (reader.is(12, bytes)) message.removed_ids = reader.text;
  }
  if (!reader.is_whole()) return malformed("SNAP is cut short or malformed");
  if (message.seq == 0) return malformed("SNAP without seq");
  return message;
}

Result<HistogramPoint> decode_histogram(std::string_view point) {
  HistogramPoint message;
  FieldReader reader(point);
  while (reader.next()) {
    if (reader.is(1, varint)) message.id = reader.number32();
    if (reader.is(2, bytes)) message.buckets = reader.text;
    if (reader.is(3, fixed64)) message.sum = std::bit_cast<double>(reader.number);
  }
  if (!reader.is_whole()) return malformed("SNAP: a histogram is malformed");
  return message;
}

Result<Exemplar> decode_exemplar(std::string_view exemplar) {
  Exemplar message;
  auto& [trace_id, span_id] = message.trace;
  FieldReader reader(exemplar);
  while (reader.next()) {
    if (reader.is(1, varint)) message.id = reader.number32();
    if (reader.is(2, varint)) message.bucket = reader.number32();
    if (reader.is(3, fixed64)) message.value = std::bit_cast<double>(reader.number);
    if (reader.is(4, fixed64)) message.unix_time_ns = reader.number;
    if (reader.is(5, bytes)) {
      if (reader.text.size() != trace_id.size()) return malformed("SNAP: a trace id has not 16 bytes");
      std::memcpy(trace_id.data(), reader.text.data(), trace_id.size());
    }
    if (reader.is(6, bytes)) {
      if (reader.text.size() != span_id.size()) return malformed("SNAP: a span id has not 8 bytes");
      std::memcpy(span_id.data(), reader.text.data(), span_id.size());
    }
  }
  if (!reader.is_whole()) return malformed("SNAP: an exemplar is malformed");
  return message;
}

}  // namespace midst::push::wire
