#include "agent/ingest/session.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::ingest {
namespace {

using namespace std::chrono_literals;

const SteadyTime start{std::chrono::hours(1000)};

std::string hello_frame(std::uint32_t major = 1, std::uint8_t instance = 1) {
  wire::Hello hello;
  hello.major = major;
  hello.instance.fill(instance);
  std::string out;
  wire::encode(out, hello);
  return out;
}

std::string snap_frame(std::uint64_t seq, std::uint32_t id, double value) {
  wire::SnapEncoder encoder;
  encoder.add(id, value);
  wire::Snap head;
  head.seq = seq;
  head.is_last = true;
  std::string out;
  encoder.finish(out, head);
  return out;
}

std::string definitions() {
  wire::FamilyDefinition family;
  family.name = "a_total";
  std::string out;
  wire::encode(out, family);
  wire::encode(out, wire::SeriesDefinition{});
  return out;
}

std::string raw_frame(std::uint32_t length, std::uint8_t type, std::string payload = {}) {
  std::string out(8, '\0');
  for (int i = 0; i < 4; ++i) out[static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i));
  out[4] = static_cast<char>(type);
  return out + payload;
}

/// The types of the frames in `replies`.
std::vector<int> types_of(std::string_view replies) {
  std::vector<int> types;
  while (!replies.empty()) {
    const auto header = wire::decode_header(replies.data());
    types.push_back(header.type);
    replies.remove_prefix(wire::header_bytes + header.length);
  }
  return types;
}

wire::Err last_err(std::string_view replies) {
  for (;;) {
    const auto header = wire::decode_header(replies.data());
    if (replies.size() == wire::header_bytes + header.length)
      return wire::decode_err(replies.substr(wire::header_bytes)).value();
    replies.remove_prefix(wire::header_bytes + header.length);
  }
}

double total_of(Store& store) {
  const auto page = store.snapshot(start);
  const auto* found = page.find("a_total");
  return found == nullptr ? -1 : found->values[0];
}

TEST(Session, AnswersHelloAndSnapAndEndsWithBye) {
  Store store({});
  Session session(store, {1, 2, 3}, wire::default_max_frame);
  std::string replies;
  EXPECT_FALSE(session.is_greeted());
  EXPECT_EQ(session.feed(hello_frame(), start, replies), std::nullopt);
  EXPECT_TRUE(session.is_greeted());
  EXPECT_EQ(session.feed(definitions() + snap_frame(1, 0, 5), start, replies), std::nullopt);
  EXPECT_EQ(types_of(replies), (std::vector<int>{2, 6}));
  EXPECT_EQ(store.clients().at(0).peer.uid, 2u);
  std::string bye;
  wire::encode_bye(bye);
  EXPECT_EQ(session.feed(bye, start, replies), Disconnect::bye);
  EXPECT_EQ(total_of(store), 5);
  EXPECT_TRUE(store.clients().empty());
  EXPECT_EQ(store.counters().frames[5], 1u);
}

TEST(Session, ASnapshotThatComesTooSoonIsAnsweredWithAWishToWait) {
  Store store({});
  Session session(store, {}, wire::default_max_frame);
  std::string replies;
  EXPECT_EQ(session.feed(hello_frame() + definitions() + snap_frame(1, 0, 1), start, replies), std::nullopt);
  const auto pause_after = [&](std::uint64_t seq, std::chrono::milliseconds later) {
    replies.clear();
    EXPECT_EQ(session.feed(snap_frame(seq, 0, 1), start + later, replies), std::nullopt);
    return wire::decode_ack(std::string_view(replies).substr(wire::header_bytes)).value().pause_ms;
  };
  EXPECT_EQ(pause_after(2, 30ms), 70U);
  EXPECT_EQ(pause_after(3, 130ms), 0U);
  EXPECT_EQ(pause_after(4, 229ms), 1U);
}

TEST(Session, TakesFramesInPiecesOfAnySize) {
  const auto conversation =
      hello_frame() + definitions() + snap_frame(1, 0, 5) + raw_frame(3, 0x80, "???") + snap_frame(2, 0, 6);
  for (std::size_t piece = 1; piece <= conversation.size(); ++piece) {
    Store store({});
    Session session(store, {}, wire::default_max_frame);
    std::string replies;
    for (std::size_t at = 0; at < conversation.size(); at += piece) {
      const auto part = conversation.substr(at, piece);
      ASSERT_EQ(session.feed(part, start, replies), std::nullopt);
    }
    ASSERT_EQ(types_of(replies), (std::vector<int>{2, 6, 6})) << piece;
    ASSERT_EQ(total_of(store), 6);
    ASSERT_EQ(store.counters().frames[0], 1u);
    ASSERT_EQ(store.counters().bytes, conversation.size());
  }
}

TEST(Session, AFrameOfExactlyTheLimitIsTakenAndOneByteMoreIsNot) {
  for (const std::uint32_t over : {0u, 1u}) {
    Store store({});
    Session session(store, {}, wire::smallest_max_frame);
    std::string replies;
    const auto length = static_cast<std::uint32_t>(wire::smallest_max_frame) + over;
    const auto ended = session.feed(hello_frame() + raw_frame(length, 0x80, std::string(length, 'x')), start, replies);
    EXPECT_EQ(ended, over == 0 ? std::nullopt : std::optional(Disconnect::protocol_error));
    if (over != 0) {
      EXPECT_EQ(last_err(replies).text, "a frame of 16385 bytes; 16384 are allowed");
    }
  }
}

TEST(Session, TheFrameLimitIsKeptWithinTheProtocolsOwn) {
  Store store({});
  Session small(store, {}, 1), large(store, {}, 1u << 30);
  std::string replies;
  static_cast<void>(small.feed(hello_frame(1, 1), start, replies));
  EXPECT_EQ(wire::decode_welcome(std::string_view(replies).substr(8)).value().max_frame, wire::smallest_max_frame);
  replies.clear();
  static_cast<void>(large.feed(hello_frame(1, 2), start, replies));
  EXPECT_EQ(wire::decode_welcome(std::string_view(replies).substr(8)).value().max_frame, wire::largest_max_frame);
}

struct Fault {
  std::string bytes;
  std::string text;
  wire::ErrorCode code = wire::ErrorCode::protocol;
};

TEST(Session, FaultsAreToldAndEndTheConnection) {
  const auto hello = hello_frame();
  const std::vector<Fault> faults{
      {snap_frame(1, 0, 1), "the first frame is not HELLO"},
      {std::string("GET / HTTP/1.1\r\n\r\n"), "a frame of 542393671 bytes; 65536 are allowed"},
      {hello + hello, "a second HELLO"},
      {hello_frame(2), "protocol 2.0 is not spoken here; 1.0 is", wire::ErrorCode::version},
      {hello + raw_frame(0, 9), "unknown frame type 9"},
      {hello + raw_frame(0, 0), "unknown frame type 0"},
      {hello + raw_frame(0, 6), "unknown frame type 6"},
      {hello + raw_frame(0, 5), "push frame: SNAP without seq"},
      {hello + raw_frame(1, 5, "\x08"), "push frame: SNAP is cut short or malformed"},
      {hello + raw_frame(5, 5, "\x08\x01\x2a\x01\x01"), "push frame: SNAP: ids and values do not match"},
      {hello + raw_frame(1, 3, "\x0a"), "push frame: FAMILY is cut short or malformed"},
      {hello + raw_frame(1, 4, "\x0a"), "push frame: SERIES is cut short or malformed"},
      {raw_frame(0, 1), "push frame: HELLO without the magic \"MPP\""},
  };
  for (const auto& fault : faults) {
    Store store({});
    Session session(store, {}, wire::default_max_frame);
    std::string replies;
    EXPECT_EQ(session.feed(fault.bytes, start, replies), Disconnect::protocol_error) << fault.text;
    const auto err = last_err(replies);
    EXPECT_EQ(err.text, fault.text);
    EXPECT_EQ(err.code, fault.code);
    EXPECT_TRUE(err.is_fatal);
  }
}

TEST(Session, ARefusedFamilyAndItsSeriesAreToldAndTheRestGoesOn) {
  Store store({});
  Session session(store, {}, wire::default_max_frame);
  std::string frames = hello_frame() + definitions(), replies;
  wire::FamilyDefinition refused;
  refused.id = 1;
  refused.name = "pg_up";
  wire::encode(frames, refused);
  wire::encode(frames, wire::SeriesDefinition{1, 1, {}});
  EXPECT_EQ(session.feed(frames + snap_frame(1, 0, 2), start, replies), std::nullopt);
  ASSERT_EQ(types_of(replies), (std::vector<int>{2, 8, 6}));
  std::string_view rest = replies;
  rest.remove_prefix(wire::header_bytes + wire::decode_header(rest.data()).length);
  const auto err_header = wire::decode_header(rest.data());
  const auto err = wire::decode_err(rest.substr(wire::header_bytes, err_header.length)).value();
  EXPECT_EQ(err.text, "family pg_up refused: reserved_name");
  EXPECT_EQ(err.family, 1u);
  EXPECT_FALSE(err.is_fatal);
  rest.remove_prefix(2 * wire::header_bytes + err_header.length);
  const auto ack = wire::decode_ack(rest).value();
  ASSERT_EQ(ack.rejected.size(), 1u);
  EXPECT_EQ(ack.rejected[0].id, 1u);
  EXPECT_EQ(ack.rejected[0].reason, Refusal::unknown_family);
  EXPECT_EQ(total_of(store), 2);
}

TEST(Session, ASupersededConnectionEndsAtItsNextFrame) {
  Store store({});
  Session first(store, {}, wire::default_max_frame), second(store, {}, wire::default_max_frame);
  std::string replies;
  EXPECT_EQ(first.feed(hello_frame() + definitions() + snap_frame(1, 0, 1), start, replies), std::nullopt);
  EXPECT_EQ(second.feed(hello_frame(), start, replies), std::nullopt);
  EXPECT_EQ(first.feed(snap_frame(2, 0, 100), start, replies), Disconnect::superseded);
  EXPECT_EQ(second.feed(snap_frame(3, 0, 2), start, replies), std::nullopt);
  EXPECT_EQ(total_of(store), 2);
}

TEST(Session, DetachesWhenItGoes) {
  Store store({});
  {
    Session session(store, {}, wire::default_max_frame);
    std::string replies;
    static_cast<void>(session.feed(hello_frame() + definitions() + snap_frame(1, 0, 1), start, replies));
    EXPECT_EQ(store.levels().attached, 1u);
  }
  EXPECT_EQ(store.levels().attached, 0u);
  EXPECT_EQ(store.levels().detached, 1u);
}

}  // namespace
}  // namespace midst::ingest
