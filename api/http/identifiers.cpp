#include "api/http/identifiers.hpp"

#include <fmt/core.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace midst::api {
namespace {

constexpr std::size_t uuid_length = 36;

bool is_dash_place(std::size_t i) noexcept {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

std::optional<std::string> parse_uuid(std::string_view text) {
  if (text.size() != uuid_length) return std::nullopt;
  std::string uuid(text);
  for (std::size_t i = 0; i < uuid_length; ++i) {
    char& c = uuid[i];
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (is_dash_place(i) ? c != '-' : !is_hex) return std::nullopt;
  }
  return uuid;
}

std::string make_uuid() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("the system's random source failed");
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);  // Version 4,
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);  // variant RFC 9562.
  std::string uuid;
  for (const auto byte : bytes) {
    uuid += fmt::format("{:02x}", byte);
    if (is_dash_place(uuid.size())) uuid += '-';
  }
  return uuid;
}

bool is_request_id(std::string_view text) noexcept {
  constexpr std::size_t longest = 64;
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace midst::api
