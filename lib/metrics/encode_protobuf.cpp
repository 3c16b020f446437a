// io.prometheus.client.MetricFamily, each behind its length as a varint. Field numbers: prometheus/client_model,
// io/prometheus/client/metrics.proto (0.6, checked 2025-11); wire types: protobuf.dev/programming-guides/encoding.
#include "lib/metrics/label_text.hpp"
#include "lib/metrics/page.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace midst::metrics {
namespace {

enum WireType : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2 };

void append_varint(std::string& out, std::uint64_t value) {
  char text[10];
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7U) text[size++] = static_cast<char>(value | 0x80U);
  text[size++] = static_cast<char>(value);
  out.append(text, size);
}

/// sint32 and sint64: small magnitudes become small varints.
std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}

void append_tag(std::string& out, std::uint32_t field, WireType type) {
  append_varint(out, field << 3U | type);
}

void append_integer(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_tag(out, field, varint);
  append_varint(out, value);
}

void append_double(std::string& out, std::uint32_t field, double value) {
  append_tag(out, field, fixed64);
  static_assert(std::endian::native == std::endian::little);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view value) {
  append_tag(out, field, bytes);
  append_varint(out, value.size());
  out.append(value);
}

/// Runs `write` and puts the length of what it appended in front of it. Nearly every message is shorter than 128
/// bytes, so one byte is kept free and widened when that was wrong.
template <class Write>
void append_sized(std::string& out, Write write) {
  const auto begin = out.size();
  out += '\0';
  write();
  auto size = out.size() - begin - 1;
  if (size < 0x80) {
    out[begin] = static_cast<char>(size);
    return;
  }
  std::string length;
  append_varint(length, size);
  out.replace(begin, 1, length);
}

template <class Write>
void append_message(std::string& out, std::uint32_t field, Write write) {
  append_tag(out, field, bytes);
  append_sized(out, write);
}

/// enum MetricType of the schema; info and stateset have no counterpart and are gauges, as in text 0.0.4.
std::uint64_t type_number(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return 0;
    case MetricType::gauge:
    case MetricType::info:
    case MetricType::stateset:
      return 1;
    case MetricType::summary:
      return 2;
    case MetricType::unknown:
      return 3;
    case MetricType::histogram:
      return 4;
  }
  return 3;
}

class FamilyMessage {
 public:
  FamilyMessage(std::string& out, const MergedFamily& merged) : out_(out), merged_(merged) {}

  void append() {
    const auto& head = *merged_.head;
    append_sized(out_, [&] {
      append_bytes(out_, 1, head.name);
      if (!head.help.empty()) append_bytes(out_, 2, head.help);
      append_integer(out_, 3, type_number(head.type));
      for_each_sample(merged_, [&](const Family& family, std::size_t i, std::span<const Exemplar> exemplars) {
        append_message(out_, 4, [&] { append_metric(family, i, exemplars); });
      });
      if (!head.unit.empty()) append_bytes(out_, 5, head.unit);
    });
  }

 private:
  void append_metric(const Family& family, std::size_t i, std::span<const Exemplar> exemplars) {
    append_labels(1, family.labels[i]);
    const double created = family.created.empty() ? 0 : family.created[i];
    switch (family.type) {
      case MetricType::counter:
        return append_counter(family.values[i], created, exemplars);
      case MetricType::summary:
        return append_summary(family.distributions[i], created);
      case MetricType::histogram:
        return append_histogram(family.distributions[i], created, exemplars);
      case MetricType::unknown:
        return append_message(out_, 5, [&] { append_double(out_, 1, family.values[i]); });
      default:
        return append_message(out_, 2, [&] { append_double(out_, 1, family.values[i]); });
    }
  }

  void append_labels(std::uint32_t field, LabelSet labels) {
    for_each_label(labels, [&](std::string_view name, std::string_view escaped) {
      value_.clear();
      append_unescaped(value_, escaped);
      append_message(out_, field, [&] {
        append_bytes(out_, 1, name);
        append_bytes(out_, 2, value_);
      });
    });
  }

  void append_counter(double value, double created, std::span<const Exemplar> exemplars) {
    append_message(out_, 3, [&] {
      append_double(out_, 1, value);
      if (!exemplars.empty()) append_exemplar(2, exemplars.front());
      append_timestamp(3, created);
    });
  }

  void append_summary(const Distribution& distribution, double created) {
    append_message(out_, 4, [&] {
      append_integer(out_, 1, distribution.count);
      append_double(out_, 2, distribution.sum);
      for (std::size_t i = 0; i < distribution.bounds.size(); ++i)
        append_message(out_, 3, [&] {
          append_double(out_, 1, distribution.bounds[i]);
          append_double(out_, 2, distribution.quantile_values[i]);
        });
      append_timestamp(4, created);
    });
  }

  void append_histogram(const Distribution& distribution, double created, std::span<const Exemplar> exemplars) {
    append_message(out_, 7, [&] {
      append_integer(out_, 1, distribution.count);
      append_double(out_, 2, distribution.sum);
      for (std::size_t i = 0; i < distribution.bounds.size(); ++i)
        append_bucket(distribution.bounds[i], distribution.cumulative[i], exemplar_of(exemplars, i));
      append_bucket(std::numeric_limits<double>::infinity(), distribution.count,
                    exemplar_of(exemplars, distribution.bounds.size()));
      if (distribution.native != nullptr) append_native(*distribution.native);
      append_timestamp(15, created);
    });
  }

  void append_bucket(double bound, std::uint64_t cumulative, const Exemplar* exemplar) {
    append_message(out_, 3, [&] {
      append_integer(out_, 1, cumulative);
      append_double(out_, 2, bound);
      if (exemplar != nullptr) append_exemplar(3, *exemplar);
    });
  }

  void append_native(const NativeHistogram& native) {
    append_integer(out_, 5, zigzag(native.schema));
    append_double(out_, 6, native.zero_threshold);
    append_integer(out_, 7, native.zero_count);
    append_spans(9, native.negative_spans);
    append_deltas(10, native.negative_deltas);
    append_spans(12, native.positive_spans);
    // One empty span tells a native histogram without observations from a classic one (client_golang does the same).
    const bool looks_classic = native.positive_spans.empty() && native.negative_spans.empty() &&
                               native.zero_threshold == 0 && native.zero_count == 0;
    constexpr NativeHistogram::BucketSpan nothing[] = {{0, 0}};
    if (looks_classic) append_spans(12, nothing);
    append_deltas(13, native.positive_deltas);
  }

  void append_spans(std::uint32_t field, std::span<const NativeHistogram::BucketSpan> spans) {
    for (const auto& span : spans)
      append_message(out_, field, [&] {
        append_integer(out_, 1, zigzag(span.offset));
        append_integer(out_, 2, span.length);
      });
  }

  void append_deltas(std::uint32_t field, std::span<const std::int64_t> deltas) {
    if (deltas.empty()) return;
    append_message(out_, field, [&] {  // packed
      for (const auto delta : deltas) append_varint(out_, zigzag(delta));
    });
  }

  void append_exemplar(std::uint32_t field, const Exemplar& exemplar) {
    append_message(out_, field, [&] {
      append_labels(1, exemplar.labels);
      append_double(out_, 2, exemplar.value);
      append_timestamp(3, exemplar.timestamp_seconds);
    });
  }

  /// google.protobuf.Timestamp; 0 means unknown and is left out, as is what no int64 of seconds can mean.
  void append_timestamp(std::uint32_t field, double unix_seconds) {
    if (!(unix_seconds > 0 && unix_seconds < 1e12)) return;
    const double whole = std::floor(unix_seconds);
    append_message(out_, field, [&] {
      append_integer(out_, 1, static_cast<std::uint64_t>(whole));
      append_integer(out_, 2, static_cast<std::uint64_t>((unix_seconds - whole) * 1e9));
    });
  }

  std::string& out_;
  const MergedFamily& merged_;
  std::string value_;
};

}  // namespace

std::string encode_protobuf(const Exposition& exposition) {
  std::string out;
  out.reserve(expected_text_bytes(exposition));
  for (const auto& merged : exposition.families) FamilyMessage(out, merged).append();
  return out;
}

}  // namespace midst::metrics
