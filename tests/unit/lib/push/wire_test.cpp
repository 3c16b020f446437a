#include "lib/push/wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace midst::push::wire {
namespace {

using namespace std::string_literals;

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

/// The payload of the only frame in `bytes`, after checking its header.
std::string_view payload_of(std::string_view bytes, Type type) {
  EXPECT_GE(bytes.size(), header_bytes);
  const auto header = decode_header(bytes.data());
  EXPECT_EQ(header.type, static_cast<std::uint8_t>(type));
  EXPECT_EQ(header.length + header_bytes, bytes.size());
  return bytes.substr(header_bytes);
}

Hello full_hello() {
  Hello hello;
  for (std::uint8_t i = 0; i < 16; ++i) hello.instance[i] = i;
  hello.start_time_ns = 0x1122334455667788;
  hello.library = "lib";
  hello.resource = "res";
  hello.flush_interval_ms = 1000;
  hello.agent_epoch = 2;
  return hello;
}

FamilyDefinition full_family() {
  FamilyDefinition family;
  family.id = 3;
  family.name = "took_seconds";
  family.kind = MetricKind::histogram;
  family.unit = "seconds";
  family.help = "Time.";
  family.label_names = {"route", ""};
  family.bounds = {0.5, 1};
  return family;
}

std::string snap_frame() {
  SnapEncoder encoder;
  encoder.add(0, 1.0);
  encoder.add(2, std::uint64_t{300});
  encoder.add(3, 0.5);
  encoder.add(200, -1.0);
  encoder.add(201, std::vector<std::uint64_t>{1, 0, 128}, 2.5);
  Snap head;
  head.seq = 9;
  head.unix_time_ns = 1;
  head.is_full = head.is_last = true;
  head.report = {1, 2, 3, 4};
  std::string out;
  encoder.finish(out, head);
  return out;
}

TEST(Wire, FramesAreTheseBytes) {
  std::string hello, welcome, family, series, ack, err, bye;
  encode(hello, full_hello());
  EXPECT_EQ(to_hex(hello),
            "3800000001000000"
            "0a034d5050"
            "1001"
            "2a10000102030405060708090a0b0c0d0e0f"
            "318877665544332211"
            "3a036c6962"
            "4203726573"
            "48e807"
            "510200000000000000");
  encode(welcome, Welcome{1, 0, 5, 0, 65536, 10000, 7, true});
  EXPECT_EQ(to_hex(welcome),
            "1600000002000000"
            "090500000000000000"
            "18808004"
            "20904e"
            "2807"
            "3001"
            "3801");
  encode(family, full_family());
  EXPECT_EQ(to_hex(family),
            "3d00000003000000"
            "0803"
            "120c746f6f6b5f7365636f6e6473"
            "1802"
            "22077365636f6e6473"
            "2a0554696d652e"
            "3205726f757465"
            "3200"
            "3a10000000000000e03f000000000000f03f");
  encode(series, SeriesDefinition{5, 3, {"/x", ""}});
  EXPECT_EQ(to_hex(series),
            "0a00000004000000"
            "0805"
            "1003"
            "1a022f78"
            "1a00");
  encode(ack, Ack{9, {{4, Refusal::redefined}}, 250});
  EXPECT_EQ(to_hex(ack),
            "0b00000006000000"
            "0809"
            "120408041007"
            "18fa01");
  encode(err, Err{ErrorCode::family_refused, false, "no", 3, Refusal::type_conflict});
  EXPECT_EQ(to_hex(err),
            "0a00000008000000"
            "0803"
            "1a026e6f"
            "2003"
            "2803");
  encode_bye(bye);
  EXPECT_EQ(to_hex(bye), "0000000007000000");
}

TEST(Wire, ASnapIsTheseBytes) {
  EXPECT_EQ(to_hex(snap_frame()),
            "4d00000005000000"
            "0809"
            "110100000000000000"
            "1801"
            "2001"
            "2a020002"
            "320301ac02"
            "3a0303c501"
            "4210000000000000e03f000000000000f0bf"
            "4a1208c9011204010080011900000000000004"
            "40"
            "52080801100218032004");
}

TEST(Wire, MessagesComeBackAsTheyWere) {
  std::string out;
  encode(out, full_hello());
  const auto hello = decode_hello(payload_of(out, Type::hello)).value();
  EXPECT_EQ(hello.instance, full_hello().instance);
  EXPECT_EQ(hello.start_time_ns, 0x1122334455667788u);
  EXPECT_EQ(hello.library + "/" + hello.resource, "lib/res");
  EXPECT_EQ(hello.flush_interval_ms, 1000u);
  EXPECT_EQ(hello.agent_epoch, 2u);

  out.clear();
  encode(out, full_family());
  const auto family = decode_family(payload_of(out, Type::family)).value();
  EXPECT_EQ(family.id, 3u);
  EXPECT_EQ(family.name + "|" + family.unit + "|" + family.help, "took_seconds|seconds|Time.");
  EXPECT_EQ(family.kind, MetricKind::histogram);
  EXPECT_THAT(family.label_names, testing::ElementsAre("route", ""));
  EXPECT_THAT(family.bounds, testing::ElementsAre(0.5, 1));

  out.clear();
  encode(out, SeriesDefinition{4'000'000'000u, 3, {"", "\xff\n"}});
  const auto series = decode_series(payload_of(out, Type::series)).value();
  EXPECT_EQ(series.id, 4'000'000'000u);
  EXPECT_THAT(series.label_values, testing::ElementsAre("", "\xff\n"));

  out.clear();
  encode(out, Welcome{1, 4, std::uint64_t{1} << 63, 6, 16384, 9, 8, false});
  const auto welcome = decode_welcome(payload_of(out, Type::welcome)).value();
  EXPECT_EQ(welcome.epoch, std::uint64_t{1} << 63);
  EXPECT_EQ(welcome.minor, 4u);
  EXPECT_EQ(welcome.features, 6u);
  EXPECT_EQ(welcome.last_seq, 8u);
  EXPECT_FALSE(welcome.wants_full);

  out.clear();
  encode(out, Ack{1, {{1, Refusal::invalid}, {7, Refusal::unknown_family}}, 0});
  const auto ack = decode_ack(payload_of(out, Type::ack)).value();
  ASSERT_EQ(ack.rejected.size(), 2u);
  EXPECT_EQ(ack.rejected[1].id, 7u);
  EXPECT_EQ(ack.rejected[1].reason, Refusal::unknown_family);

  out.clear();
  encode(out, Err{ErrorCode::version, true, "old", 0, Refusal::none});
  const auto err = decode_err(payload_of(out, Type::err)).value();
  EXPECT_EQ(err.code, ErrorCode::version);
  EXPECT_TRUE(err.is_fatal);
  EXPECT_EQ(err.text, "old");
}

struct Scalar {
  std::uint32_t id;
  double value;
};

std::vector<Scalar> scalars_of(const Snap& snap) {
  std::vector<Scalar> all;
  auto ids = snap.integer_ids, values = snap.integer_values;
  std::uint32_t id = 0;
  std::uint64_t whole = 0;
  while (take_id(ids, id) && take_varint(values, whole)) all.push_back({id, static_cast<double>(whole)});
  ids = snap.double_ids;
  values = snap.double_values;
  id = 0;
  double value = 0;
  while (take_id(ids, id) && take_double(values, value)) all.push_back({id, value});
  return all;
}

TEST(Wire, ValuesComeBackBitForBit) {
  constexpr double edge = 9007199254740992;
  const std::vector<double> values{0,        -0.0,  1,      127,      128,       0.1,          -3,      edge,
                                   edge * 2, 1e308, 5e-324, INFINITY, -INFINITY, std::nan(""), edge - 1};
  SnapEncoder encoder;
  for (std::size_t i = 0; i < values.size(); ++i) encoder.add(static_cast<std::uint32_t>(i * 1000), values[i]);
  std::string out;
  Snap head;
  head.seq = 1;
  encoder.finish(out, head);
  const auto snap = decode_snap(payload_of(out, Type::snap)).value();
  const auto all = scalars_of(snap);
  ASSERT_EQ(all.size(), values.size());
  for (const auto& scalar : all)
    EXPECT_EQ(std::bit_cast<std::uint64_t>(scalar.value), std::bit_cast<std::uint64_t>(values[scalar.id / 1000]));
}

TEST(Wire, ASnapHoldsHistogramsAndTheReport) {
  const auto frame = snap_frame();
  const auto snap = decode_snap(payload_of(frame, Type::snap)).value();
  EXPECT_EQ(snap.seq, 9u);
  EXPECT_TRUE(snap.is_full && snap.is_last);
  EXPECT_EQ(snap.report.skipped_flushes, 1u);
  EXPECT_EQ(snap.report.overflowed_series, 4u);
  ASSERT_EQ(snap.histograms.size(), 1u);
  const auto point = decode_histogram(snap.histograms[0]).value();
  EXPECT_EQ(point.id, 201u);
  EXPECT_EQ(to_hex(point.buckets), "01008001");
  EXPECT_EQ(point.sum, 2.5);
}

TEST(Wire, AnEncoderStartsOverAfterEachFrame) {
  SnapEncoder encoder;
  Snap head;
  head.seq = 1;
  std::string first, second;
  encoder.add(5, 1.0);
  encoder.finish(first, head);
  encoder.add(5, 1.0);
  encoder.finish(second, head);
  EXPECT_EQ(to_hex(first), to_hex(second));
}

TEST(Wire, UnknownFieldsAreSkipped) {
  // Fields 100 (varint), 101 (fixed64), 102 (bytes) and 103 (fixed32), before and behind what is known.
  const std::string extra("\xa0\x06\x07\xa9\x06\x01\x02\x03\x04\x05\x06\x07\x08\xb2\x06\x02hi\xbd\x06\x01\x02\x03\x04",
                          24);
  std::string out;
  encode(out, SeriesDefinition{5, 3, {"v"}});
  const auto series = decode_series(extra + out.substr(header_bytes) + extra);
  ASSERT_TRUE(series);
  EXPECT_EQ(series->id, 5u);
  EXPECT_THAT(series->label_values, testing::ElementsAre("v"));
}

TEST(Wire, AFieldOfAnotherWireTypeIsSkipped) {
  const auto series = decode_series("\x0a\x01x\x10\x02"s);  // id as bytes, family as varint
  ASSERT_TRUE(series);
  EXPECT_EQ(series->id, 0u);
  EXPECT_EQ(series->family, 2u);
}

struct Decoder {
  const char* name;
  std::string payload;
  std::function<bool(std::string_view)> accepts;
};

std::vector<Decoder> decoders() {
  std::string hello, welcome, family, series, ack, err;
  encode(hello, full_hello());
  encode(welcome, Welcome{1, 0, 5, 0, 65536, 10000, 7, true});
  encode(family, full_family());
  encode(series, SeriesDefinition{5, 3, {"/x", "y"}});
  encode(ack, Ack{9, {{4, Refusal::redefined}}, 250});
  encode(err, Err{ErrorCode::family_refused, false, "no", 3, Refusal::type_conflict});
  return {{"hello", hello.substr(header_bytes), [](auto bytes) { return decode_hello(bytes).has_value(); }},
          {"welcome", welcome.substr(header_bytes), [](auto bytes) { return decode_welcome(bytes).has_value(); }},
          {"family", family.substr(header_bytes), [](auto bytes) { return decode_family(bytes).has_value(); }},
          {"series", series.substr(header_bytes), [](auto bytes) { return decode_series(bytes).has_value(); }},
          {"snap", snap_frame().substr(header_bytes), [](auto bytes) { return decode_snap(bytes).has_value(); }},
          {"ack", ack.substr(header_bytes), [](auto bytes) { return decode_ack(bytes).has_value(); }},
          {"err", err.substr(header_bytes), [](auto bytes) { return decode_err(bytes).has_value(); }}};
}

/// Where fields of a message begin: only there may it be cut without being noticed.
std::vector<std::size_t> field_starts(std::string_view payload) {
  std::vector<std::size_t> starts;
  auto rest = payload;
  while (!rest.empty()) {
    starts.push_back(payload.size() - rest.size());
    std::uint64_t tag = 0, value = 0;
    if (!take_varint(rest, tag)) break;
    if ((tag & 7) == 0 && !take_varint(rest, value)) break;
    if ((tag & 7) == 1) rest.remove_prefix(8);
    if ((tag & 7) == 2) {
      if (!take_varint(rest, value)) break;
      rest.remove_prefix(value);
    }
  }
  return starts;
}

TEST(Wire, AMessageCutAtAnyByteIsRefusedOrShorterByWholeFields) {
  for (const auto& decoder : decoders()) {
    ASSERT_TRUE(decoder.accepts(decoder.payload)) << decoder.name;
    const auto starts = field_starts(decoder.payload);
    for (std::size_t size = 0; size < decoder.payload.size(); ++size) {
      // A copy of that size, so that reading past its end is seen by the sanitizer.
      const std::vector<char> cut(decoder.payload.begin(), decoder.payload.begin() + static_cast<std::ptrdiff_t>(size));
      const bool is_accepted = decoder.accepts({cut.data(), cut.size()});
      const bool is_at_field = std::find(starts.begin(), starts.end(), size) != starts.end();
      if (!is_at_field) {
        EXPECT_FALSE(is_accepted) << decoder.name << " cut at " << size;
      }
    }
  }
}

TEST(Wire, HostilePayloadsAreRefused) {
  const std::vector<std::string> payloads{
      "\x0a\xff\xff\xff\xff\x0f"s,                          // length of 4 GiB
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,      // length of 2^64 - 1
      "\x0a\x80"s,                                          // length without an end
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,      // varint of 65 bits
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,  // varint of 11 bytes
      "\x00\x00"s,                                          // field 0
      "\x0b\x0c"s,                                          // a group
      "\x0f\x00"s,                                          // wire type 7
      "\x09\x01\x02"s,                                      // fixed64 of 2 bytes
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,          // tag of 64 bits
  };
  for (const auto& decoder : decoders())
    for (const auto& payload : payloads) EXPECT_FALSE(decoder.accepts(payload)) << decoder.name << to_hex(payload);
  for (const auto& payload : payloads) EXPECT_FALSE(decode_histogram(payload)) << to_hex(payload);
}

TEST(Wire, HelloNeedsMagicAndInstance) {
  EXPECT_EQ(decode_hello("").error().message, "push frame: HELLO without the magic \"MPP\"");
  EXPECT_EQ(decode_hello("\x0a\x03MPQ"s).error().code, Errc::protocol);
  EXPECT_EQ(decode_hello("\x0a\x03MPP"s).error().message, "push frame: HELLO without instance_id");
  EXPECT_EQ(decode_hello("\x0a\x03MPP\x2a\x01x"s).error().message, "push frame: HELLO: instance_id has not 16 bytes");
}

TEST(Wire, WelcomeHasAnEpochAndASaneFrameSize) {
  const auto decode = [](std::uint64_t epoch, std::uint32_t max_frame) {
    std::string out;
    encode(out, Welcome{1, 0, epoch, 0, max_frame, 1, 0, true});
    return decode_welcome(out.substr(header_bytes)).has_value();
  };
  EXPECT_FALSE(decode(0, 65536));
  EXPECT_FALSE(decode(1, smallest_max_frame - 1));
  EXPECT_TRUE(decode(1, smallest_max_frame));
  EXPECT_TRUE(decode(1, largest_max_frame));
  EXPECT_FALSE(decode(1, largest_max_frame + 1));
}

template <class Message>
bool family_is_accepted(const Message& message) {
  std::string out;
  encode(out, message);
  const auto decoded = decode_family(std::string_view(out).substr(header_bytes));
  if (!decoded) {
    EXPECT_EQ(decoded.error().code, Errc::limit);
  }
  EXPECT_LE(out.size(), smallest_max_frame);
  return decoded.has_value();
}

TEST(Wire, AFamilyIsAcceptedUpToItsBoundsAndNotBeyond) {
  FamilyDefinition family;
  family.name = std::string(max_name_bytes, 'n');
  family.unit = std::string(max_unit_bytes, 'u');
  family.help = std::string(max_help_bytes, 'h');
  family.label_names.assign(max_labels, std::string(max_label_name_bytes, 'l'));
  for (std::size_t i = 0; i < max_bounds; ++i) family.bounds.push_back(static_cast<double>(i));
  EXPECT_TRUE(family_is_accepted(family));
  auto over = family;
  over.name += 'n';
  EXPECT_FALSE(family_is_accepted(over));
  over = family;
  over.unit += 'u';
  EXPECT_FALSE(family_is_accepted(over));
  over = family;
  over.help += 'h';
  EXPECT_FALSE(family_is_accepted(over));
  over = family;
  over.label_names.emplace_back("one");
  EXPECT_FALSE(family_is_accepted(over));
  over = family;
  over.label_names[0] += 'l';
  EXPECT_FALSE(family_is_accepted(over));
  over = family;
  over.bounds.push_back(1000);
  EXPECT_FALSE(family_is_accepted(over));
}

TEST(Wire, ASeriesIsAcceptedUpToItsBoundsAndNotBeyond) {
  const auto accepts = [](const SeriesDefinition& series) {
    std::string out;
    encode(out, series);
    EXPECT_LE(out.size(), smallest_max_frame);
    return decode_series(std::string_view(out).substr(header_bytes)).has_value();
  };
  SeriesDefinition series;
  series.label_values.assign(max_labels, std::string(max_label_value_bytes, 'v'));
  EXPECT_TRUE(accepts(series));
  auto over = series;
  over.label_values.emplace_back("one");
  EXPECT_FALSE(accepts(over));
  over = series;
  over.label_values[3] += 'v';
  EXPECT_FALSE(accepts(over));
}

TEST(Wire, UnknownEnumeratorsAreRefusedWhereTheyChangeMeaning) {
  EXPECT_FALSE(decode_family("\x18\x03"s));  // type
  EXPECT_FALSE(decode_family("\x40\x04"s));  // merge
  EXPECT_EQ(decode_err("\x28\x63"s).value().reason, Refusal::invalid);
  EXPECT_FALSE(
      decode_family("\x3a\x07"
                    "1234567"s))
      << "bounds of 7 bytes";
}

TEST(Wire, AVarintUsesNoMoreThan64Bits) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{16383}, std::uint64_t{16384},
        std::uint64_t{1} << 62, std::numeric_limits<std::uint64_t>::max()}) {
    std::string bytes;
    append_varint(bytes, value);
    std::string_view rest = bytes;
    std::uint64_t back = 0;
    ASSERT_TRUE(take_varint(rest, back));
    EXPECT_EQ(back, value);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Wire, AnIdBeyond32BitsIsRefused) {
  std::string bytes;
  append_varint(bytes, 2);
  append_varint(bytes, std::numeric_limits<std::uint32_t>::max() - 1);
  std::string_view rest = bytes;
  std::uint32_t id = 0;
  ASSERT_TRUE(take_id(rest, id));
  EXPECT_FALSE(take_id(rest, id));
}

TEST(Wire, TheSizeEstimateIsAnUpperBound) {
  SnapEncoder encoder;
  for (std::uint32_t i = 0; i < 5000; ++i) encoder.add(i, i % 3 == 0 ? 0.5 : i);
  for (std::uint32_t i = 5000; i < 5100; ++i) encoder.add(i, std::vector<std::uint64_t>(12, i), 1);
  const auto estimate = encoder.size_bytes();
  std::string out;
  Snap head;
  head.seq = head.unix_time_ns = std::numeric_limits<std::uint64_t>::max();
  head.is_full = head.is_last = true;
  head.report = {~0ull, ~0ull, ~0ull, ~0ull};
  encoder.finish(out, head);
  EXPECT_LE(out.size() - header_bytes, estimate);
  EXPECT_LT(encoder.size_bytes(), 200u);
}

Exemplar full_exemplar() {
  Exemplar exemplar{201, 2, 1.5, 7, {}};
  for (std::uint8_t i = 0; i < 16; ++i) exemplar.trace.trace_id[i] = static_cast<std::uint8_t>(i + 1);
  for (std::uint8_t i = 0; i < 8; ++i) exemplar.trace.span_id[i] = static_cast<std::uint8_t>(0xa0 + i);
  return exemplar;
}

TEST(Wire, AnExemplarIsTheseBytesAndComesBack) {
  SnapEncoder encoder;
  encoder.add(full_exemplar());
  Snap head;
  head.seq = 1;
  std::string frame;
  encoder.finish(frame, head);
  const auto payload = payload_of(frame, Type::snap);
  EXPECT_EQ(to_hex(payload),
            "0801"
            "5a33"
            "08c901"
            "1002"
            "19000000000000f83f"
            "210700000000000000"
            "2a100102030405060708090a0b0c0d0e0f10"
            "3208a0a1a2a3a4a5a6a7");
  const auto snap = decode_snap(payload);
  ASSERT_TRUE(snap);
  ASSERT_EQ(snap->exemplars.size(), 1u);
  const auto exemplar = decode_exemplar(snap->exemplars[0]);
  ASSERT_TRUE(exemplar);
  EXPECT_EQ(exemplar->id, 201u);
  EXPECT_EQ(exemplar->bucket, 2u);
  EXPECT_EQ(exemplar->value, 1.5);
  EXPECT_EQ(exemplar->unix_time_ns, 7u);
  EXPECT_EQ(exemplar->trace, full_exemplar().trace);
  std::string next;
  encoder.finish(next, head);
  EXPECT_EQ(to_hex(payload_of(next, Type::snap)), "0801");
}

TEST(Wire, AnExemplarWithIdsOfAnotherLengthIsMalformed) {
  EXPECT_FALSE(decode_exemplar("\x2a\x0f"s + std::string(15, 'x')));
  EXPECT_TRUE(decode_exemplar("\x2a\x10"s + std::string(16, 'x')));
  EXPECT_FALSE(decode_exemplar("\x32\x09"s + std::string(9, 'x')));
  EXPECT_TRUE(decode_exemplar("\x32\x08"s + std::string(8, 'x')));
  EXPECT_FALSE(decode_exemplar("\x32\x09"s));
}

TEST(Wire, RemovedIdsAreAColumnOfDifferences) {
  SnapEncoder encoder;
  encoder.remove(3);
  encoder.remove(200);
  Snap head;
  head.seq = 1;
  std::string frame;
  encoder.finish(frame, head);
  EXPECT_EQ(to_hex(payload_of(frame, Type::snap)),
            "0801"
            "6203"
            "03c501");
  EXPECT_EQ(to_hex(decode_snap(payload_of(frame, Type::snap))->removed_ids), "03c501");
  frame.clear();
  encoder.finish(frame, head);
  EXPECT_EQ(to_hex(payload_of(frame, Type::snap)), "0801") << "the next frame starts over";
}

}  // namespace
}  // namespace midst::push::wire
