// Varints and the columns made of them, as proto3 has them. The inner loop of encode and of apply, hence inline.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace midst::push::wire {

static_assert(std::endian::native == std::endian::little, "fixed64 is copied as it lies in memory");

/// Appends `value` in 1 … 10 bytes, 7 bits each, low bits first.
inline void append_varint(std::string& out, std::uint64_t value) {
  if (value < 0x80) {
    out.push_back(static_cast<char>(value));
    return;
  }
  char bytes[10];
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out.append(bytes, size);
}

inline void append_fixed64(std::string& out, std::uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

/// Bytes of a column being written; unlike a string it asks for room once a value instead of once a byte.
class Column {
 public:
  void append_varint(std::uint64_t value) {
    if (value < 0x80 && size_ < bytes_.size()) [[likely]] {
      bytes_[size_++] = static_cast<char>(value);
      return;
    }
    append_long_varint(value);
  }
  void append_long_varint(std::uint64_t value) {
    char* to = room(10);
    for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
    *to++ = static_cast<char>(value);
    size_ = static_cast<std::size_t>(to - bytes_.data());
  }
  void append_fixed64(std::uint64_t value) {
    std::memcpy(room(sizeof value), &value, sizeof value);
    size_ += sizeof value;
  }
  void append(std::string_view bytes) {
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }
  void clear() noexcept { size_ = 0; }

 private:
  char* room(std::size_t size) {
    if (bytes_.size() - size_ < size) bytes_.resize(2 * bytes_.size() + size + 64);
    return bytes_.data() + size_;
  }
  std::string bytes_;  ///< Its size is the room, size_ of it is used.
  std::size_t size_ = 0;
};

/// Cuts one varint off the front of `rest`. @return whether there was a whole one that fits 64 bits.
[[nodiscard]] inline bool take_varint(std::string_view& rest, std::uint64_t& value) noexcept {
  const auto* bytes = reinterpret_cast<const unsigned char*>(rest.data());
  if (!rest.empty() && bytes[0] < 0x80) {
    value = bytes[0];
    rest.remove_prefix(1);
    return true;
  }
  value = 0;
  for (std::size_t i = 0; i < rest.size() && i < 10; ++i) {
    if (i == 9 && bytes[i] > 1) return false;  // would be bit 64
    value |= static_cast<std::uint64_t>(bytes[i] & 0x7f) << (7 * i);
    if (bytes[i] >= 0x80) continue;
    rest.remove_prefix(i + 1);
    return true;
  }
  return false;
}

[[nodiscard]] inline bool take_double(std::string_view& rest, double& value) noexcept {
  if (rest.size() < sizeof value) return false;
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return true;
}

/// Cuts one delta-coded id off the front; `id` is the one before it, 0 at the start. @return false as take_varint(), or
/// when the id leaves 32 bits.
[[nodiscard]] inline bool take_id(std::string_view& rest, std::uint32_t& id) noexcept {
  std::uint64_t step = 0;
  if (!take_varint(rest, step) || step > UINT32_MAX - id) return false;
  id += static_cast<std::uint32_t>(step);
  return true;
}

}  // namespace midst::push::wire
