// The conversations of tests/golden/push/mpp with a Session and its Store; record.py there says what the lines are.
#include "agent/ingest/session.hpp"
#include "agent/ingest/store.hpp"
#include "tests/support/servers.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace midst::ingest {
namespace {

const SteadyTime start{std::chrono::hours(1)};

std::string bytes_of(std::string_view hexadecimal) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hexadecimal.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string describe(const wire::FrameHeader& header, std::string_view payload) {
  constexpr std::string_view codes[] = {"", "protocol", "version", "family_refused", "busy", "not_allowed"};
  if (header.type == static_cast<std::uint8_t>(wire::Type::welcome)) return "< WELCOME";
  if (header.type == static_cast<std::uint8_t>(wire::Type::ack)) {
    const auto ack = wire::decode_ack(payload).value();
    auto text = fmt::format("< ACK {}", ack.seq);
    for (const auto& rejected : ack.rejected)
      text += fmt::format(" rejected {} {}", rejected.id, wire::word(rejected.reason));
    return text;
  }
  const auto err = wire::decode_err(payload).value();
  auto text = fmt::format("< ERR {}", codes[static_cast<std::size_t>(err.code)]);
  if (err.reason != Refusal::none) text += fmt::format(" {}", wire::word(err.reason));
  return text;
}

/// @return what the page has of one series: "name{labels} value", of a histogram "name{labels} cumulative buckets sum".
std::string shown(Store& store, std::string_view wanted) {
  const bool is_absent = wanted.starts_with("no ");
  const auto series = is_absent ? wanted.substr(3) : wanted.substr(0, wanted.find(' '));
  const auto name = series.substr(0, series.find('{'));
  const auto page = store.snapshot(start);
  const auto* family = page.find(name);
  for (std::size_t i = 0; family != nullptr && i < family->labels.size(); ++i) {
    const std::string labels(family->labels[i].text);
    const auto text = std::string(name) + (labels.empty() ? "" : "{" + labels + "}");
    if (text != series) continue;
    if (!family->values.empty()) return fmt::format("= {} {}", text, family->values[i]);
    const auto& distribution = family->distributions[i];
    std::string buckets;
    for (const auto count : distribution.cumulative) buckets += fmt::format("{}/", count);
    return fmt::format("= {} {}{} {}", text, buckets, distribution.count, distribution.sum);
  }
  return fmt::format("= no {}", series);
}

std::vector<std::string> answers(Session& session, std::string_view sent) {
  std::string replies;
  const auto ended = session.feed(sent, start, replies);
  std::vector<std::string> lines;
  for (std::string_view rest = replies; !rest.empty();) {
    const auto header = wire::decode_header(rest.data());
    lines.push_back(describe(header, rest.substr(wire::header_bytes, header.length)));
    rest.remove_prefix(wire::header_bytes + header.length);
  }
  if (ended) lines.push_back(fmt::format("< closed {}", word(*ended)));
  return lines;
}

class Conformance : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Conformance, TheAgentAnswersAndShowsWhatTheConversationSays) {
  Store store({});
  Session session(store, {}, wire::default_max_frame);
  std::istringstream file(midst::test::read_file(GetParam()));
  std::vector<std::string> got, wanted;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("> ")) {
      EXPECT_EQ(got, wanted);
      got = answers(session, bytes_of(line.substr(2)));
      wanted.clear();
    } else if (!line.starts_with("#")) {
      wanted.push_back(line);
      if (line.starts_with("= ")) got.push_back(shown(store, line.substr(2)));
    }
  }
  EXPECT_EQ(got, wanted);
}

std::vector<std::filesystem::path> conversations() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(MIDST_SOURCE_DIR "/tests/golden/push/mpp"))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Golden, Conformance, testing::ValuesIn(conversations()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace midst::ingest
