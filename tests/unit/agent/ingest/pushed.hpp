// What clients push in the tests of the Store, put on the wire and taken off it, and what its page then says.
#pragma once

#include "agent/ingest/store.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::ingest::test {

inline const SteadyTime start{std::chrono::hours(1000)};

inline wire::Hello hello(std::uint8_t instance, std::uint64_t epoch = 0) {
  wire::Hello message;
  message.instance.fill(instance);
  message.resource = "test";
  message.agent_epoch = epoch;
  return message;
}

inline wire::FamilyDefinition family(std::uint32_t id, std::string name, wire::MetricKind kind,
                                     std::vector<std::string> label_names = {}) {
  wire::FamilyDefinition definition;
  definition.id = id;
  definition.name = std::move(name);
  definition.kind = kind;
  definition.label_names = std::move(label_names);
  definition.help = "Help.";
  return definition;
}

/// Values of one SNAP frame, put on the wire and taken off it.
struct Values {
  std::string frame;
  wire::Snap snap;
};

template <class Fill>
Values values(std::uint64_t seq, Fill fill, bool is_last = true) {
  wire::SnapEncoder encoder;
  fill(encoder);
  wire::Snap head;
  head.seq = seq;
  head.is_last = is_last;
  Values made;
  encoder.finish(made.frame, head);
  made.snap = wire::decode_snap(std::string_view(made.frame).substr(wire::header_bytes)).value();
  return made;
}

inline void apply(Store& store, std::uint64_t key, std::uint64_t seq,
                  std::vector<std::pair<std::uint32_t, double>> pairs, bool is_last = true) {
  const auto made = values(
      seq,
      [&](wire::SnapEncoder& encoder) {
        for (const auto& [id, value] : pairs) encoder.add(id, value);
      },
      is_last);
  ASSERT_TRUE(store.apply(key, made.snap));
}

inline std::string dump(const metrics::Snapshot& snapshot, std::string_view name) {
  const auto* found = snapshot.find(name);
  if (found == nullptr) return "absent";
  std::string out;
  for (std::size_t i = 0; i < found->labels.size(); ++i) {
    out += "{" + std::string(found->labels[i].text) + "}";
    if (!found->values.empty()) {
      const auto text = std::to_string(found->values[i]);
      out += text.substr(0, text.find_last_not_of('0') + 1);
    } else {
      const auto& distribution = found->distributions[i];
      for (const auto count : distribution.cumulative) out += std::to_string(count) + "/";
      out += std::to_string(distribution.count);
    }
    out += " ";
  }
  return out;
}

}  // namespace midst::ingest::test
