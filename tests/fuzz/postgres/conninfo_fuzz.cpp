// parse_conninfo() on any bytes: it must read exactly what libpq reads, and never show a password.
#include "lib/base/log.hpp"
#include "lib/pq/conninfo.hpp"

#include <libpq-fe.h>

#include <cstdint>
#include <cstdlib>

namespace {

using midst::pq::Conninfo;

/// What libpq itself makes of the text; its keys of the Go driver are not ours to compare.
bool libpq_agrees(const std::string& text, const Conninfo& parsed) {
  auto* options = PQconninfoParse(text.c_str(), nullptr);
  if (options == nullptr) return text.find("binary") != std::string::npos;
  bool is_equal = true;
  for (const auto* option = options; option->keyword != nullptr; ++option)
    is_equal = is_equal && parsed.get(option->keyword) == (option->val == nullptr ? "" : option->val);
  PQconninfoFree(options);
  return is_equal;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  midst::log::configure(midst::log::Level::error, midst::log::Format::logfmt);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parsed = midst::pq::parse_conninfo(text);
  if (!parsed) return parsed.error().message.size() < 200 ? 0 : (std::abort(), 0);
  if (!libpq_agrees(text, *parsed)) std::abort();
  // A password that occurs nowhere else must not be shown.
  auto without_password = *parsed;
  without_password.set("password", "");
  if (parsed->redacted() != without_password.redacted() || parsed->server_label().empty()) std::abort();
  return 0;
}
