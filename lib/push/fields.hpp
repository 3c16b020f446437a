// The fields of MPP/1 payloads, proto3 wire format: one at a time, written and read. For wire.cpp and snap.cpp only.
#pragma once

#include "lib/push/wire.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace midst::push::wire {

/// How the bytes of a field are laid out; proto3's own numbers.
enum WireType : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

[[nodiscard]] inline Error malformed(std::string_view what) {
  return Error{Errc::protocol, "push frame: " + std::string(what)};
}

[[nodiscard]] inline Error too_long(std::string_view what, std::size_t limit) {
  return Error{Errc::limit, "push frame: " + std::string(what) + " is longer than " + std::to_string(limit)};
}

/// Fields with proto3's default are left out.
inline void append_tag(std::string& out, std::uint32_t field, WireType type) {
  append_varint(out, field << 3 | type);
}

inline void put(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_tag(out, field, varint);
  append_varint(out, value);
}

inline void put_fixed(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_tag(out, field, fixed64);
  append_fixed64(out, value);
}

/// Also for the elements of a repeated field, which are written when empty too.
inline void put_element(std::string& out, std::uint32_t field, std::string_view value) {
  append_tag(out, field, bytes);
  append_varint(out, value.size());
  out.append(value);
}

inline void put(std::string& out, std::uint32_t field, std::string_view value) {
  if (!value.empty()) put_element(out, field, value);
}

/// Writes the header when it begins and the length when it ends.
class FrameWriter {
 public:
  FrameWriter(std::string& out, Type type) : out_(out), start_(out.size()) {
    const char header[header_bytes] = {0, 0, 0, 0, static_cast<char>(type), 0, 0, 0};
    out.append(header, header_bytes);
  }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;
  ~FrameWriter() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ - header_bytes);
    std::memcpy(out_.data() + start_, &length, sizeof length);
  }

 private:
  std::string& out_;
  std::size_t start_;
};

/// Walks the fields of a message, known or not.
class FieldReader {
 public:
  explicit FieldReader(std::string_view message) : rest_(message) {}

  /// @return whether there is one more field; false at the end and at the first fault, see is_whole().
  bool next() noexcept {
    if (rest_.empty()) return false;
    std::uint64_t tag = 0;
    if (!take_varint(rest_, tag) || tag > UINT32_MAX || tag >> 3 == 0) return fail();
    field = static_cast<std::uint32_t>(tag >> 3);
    const auto type = static_cast<std::uint32_t>(tag & 7);
    number = 0;
    text = {};
    kind_ = type;
    switch (type) {
      case varint:
        return take_varint(rest_, number) || fail();
      case fixed64:
        return take_raw(8) || fail();
      case fixed32:
        return take_raw(4) || fail();
      case bytes: {
        std::uint64_t size = 0;
        if (!take_varint(rest_, size) || size > rest_.size()) return fail();
        text = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
      }
      default:
        return fail();  // groups, which proto3 does not have
    }
  }

  /// @return whether the field just read is `wanted` and of that wire type. A field nobody asks for is skipped thereby.
  [[nodiscard]] bool is(std::uint32_t wanted, WireType type) const noexcept { return field == wanted && kind_ == type; }
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
  [[nodiscard]] std::uint32_t number32() const noexcept {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, UINT32_MAX));
  }

  std::uint32_t field = 0;
  std::uint64_t number = 0;  ///< Of a varint or fixed64 field.
  std::string_view text;     ///< Of a bytes field.

 private:
  bool fail() noexcept {
    is_whole_ = false;
    return false;
  }
  bool take_raw(std::size_t size) noexcept {
    if (rest_.size() < size) return false;
    std::memcpy(&number, rest_.data(), size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  std::uint32_t kind_ = 0;
  bool is_whole_ = true;
};

}  // namespace midst::push::wire
