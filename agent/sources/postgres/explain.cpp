#include "agent/sources/postgres/explain.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

namespace midst::sources {
namespace {

std::string release(int version) {
  constexpr int two_parts_since = 100'000;
  return version >= two_parts_since ? fmt::format("{}.{}", version / 10'000, version % 10'000)
                                    : fmt::format("{}.{}.{}", version / 10'000, version / 100 % 100, version % 100);
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string state_of(const CollectorMemory& memory) {
  if (!memory.is_offered()) return "not for this server";
  if (memory.last_error() && !memory.is_ok())
    return fmt::format("{}: {}", word(memory.last_error()->code), memory.last_error()->message);
  const auto often =
      memory.interval().count() == 0 ? "at every scrape" : fmt::format("every {:.3g} s", seconds(memory.interval()));
  return fmt::format("{}, {:.2f} ms the last time", often, seconds(memory.last_duration()) * 1000);
}

/// Within a comment a line break would begin a statement.
std::string in_one_line(std::string text) {
  for (auto& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

}  // namespace

std::string explain(const Conversation& conversation, std::string_view database) {
  const auto& facts = conversation.facts();
  auto out = fmt::format("-- database {}, server {}, {}{}\n", database, release(facts.version),
                         facts.is_standby ? "standby" : "primary", conversation.is_pooled() ? ", behind a pooler" : "");
  for (const auto& memory : conversation.collectors()) {
    out += fmt::format("\n-- {}: {}\n", memory.collector().name, in_one_line(state_of(memory)));
    for (const auto& query : memory.queries()) out.append(text::trim(query.sql)).append(";\n");
  }
  return out;
}

}  // namespace midst::sources
