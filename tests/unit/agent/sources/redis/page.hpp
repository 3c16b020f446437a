// How the tests of this folder read a snapshot: as the page that it would be.
#pragma once

#include "lib/base/error.hpp"
#include "lib/metrics/encode.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/redis/resp.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::test {

/// @return the snapshot in text 0.0.4.
inline std::string page_of(metrics::Snapshot snapshot) {
  std::vector<std::shared_ptr<const metrics::Snapshot>> all;
  all.push_back(std::make_shared<const metrics::Snapshot>(std::move(snapshot)));
  return metrics::encode(metrics::merge(std::move(all)), metrics::Format::text);
}

inline std::string page_of(metrics::SnapshotBuilder& builder) {
  return page_of(builder.freeze());
}

/// @return only the sample lines of a page, each with its newline.
inline std::string samples_of(std::string_view page) {
  std::string samples;
  while (!page.empty()) {
    const auto line = page.substr(0, page.find('\n') + 1);
    page.remove_prefix(line.size());
    if (!line.starts_with('#')) samples += line;
  }
  return samples;
}

/// @return the lines of a text in alphabetical order.
inline std::string sorted(std::string_view text) {
  std::vector<std::string_view> lines;
  for (; !text.empty(); text.remove_prefix(lines.back().size())) lines.push_back(text.substr(0, text.find('\n') + 1));
  std::sort(lines.begin(), lines.end());
  std::string result;
  for (const auto line : lines) result += line;
  return result;
}

/// @return whether the page has this sample line.
inline bool has_line(std::string_view page, std::string_view line) {
  return ("\n" + std::string(page)).find("\n" + std::string(line) + "\n") != std::string::npos;
}

/// @return the bytes of a string reply.
inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

/// @return the one reply that these bytes of the protocol are.
inline redis::Reply reply_of(std::string_view wire) {
  redis::ReplyReader reader(1024 * 1024);
  const auto fed = reader.feed(wire, 1);
  if (!fed || reader.replies().size() != 1) throw std::invalid_argument("not one reply: " + std::string(wire));
  return reader.take().front();
}

}  // namespace midst::test
