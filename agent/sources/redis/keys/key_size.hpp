// What keys.cpp asks of one key: its type once, then its size, its memory and, where wanted, its value. A known key
// costs at most two hits in the server's statistics, and no error reply unless its type has changed. Pure.
#pragma once

#include "agent/sources/redis/keys/key_checks.hpp"
#include "lib/metrics/spec.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// How a key's size is found out. A string is taken for a HyperLogLog when it begins like one.
enum class KeyKind : std::uint8_t {
  unknown,
  string,
  hyperloglog,
  list,
  set,
  zset,
  hash,
  stream,
  array,
  other  ///< Of a module: it has no size that we know of.
};
/// @return the kind of a reply of TYPE; `unknown` for "none".
[[nodiscard]] KeyKind kind_of_type(std::string_view type) noexcept;

/// What is wanted of each key.
struct KeySizeOptions {
  bool has_values = false;            ///< Whether the values of strings are read and shown.
  std::size_t max_value_bytes = 256;  ///< Longer ones are not; 1 to 64 KiB.
  bool has_zero_for_missing = true;   ///< Whether a named key that does not exist has size 0, as an empty list would.
};

/// @return the families of one key: size (the first), value, value as text, memory; all with labels db and key.
[[nodiscard]] std::span<const metrics::MetricSpec> key_size_specs() noexcept;

/// One key. The first look of a named key asks MEMORY USAGE alone, which counts neither as a hit nor as a miss, and
/// goes on only if the key exists. Later looks know the type and need one step; a changed type shows as an error reply
/// or a size of nothing and is asked again.
class KeySizeLook final : public KeyLook {
 public:
  KeySizeLook(const KeySizeOptions& options, KeyOrigin origin) : options_(options), origin_(origin) {}

  void begin() override;
  [[nodiscard]] bool is_done() const noexcept override { return next_ == 0; }
  [[nodiscard]] std::vector<redis::Command> ask(const std::string& key) override;
  [[nodiscard]] Result<Done> take(std::vector<redis::Reply> replies) override;
  void add(std::string_view database, std::string_view key, metrics::SnapshotBuilder& builder) const override;

  [[nodiscard]] bool is_elsewhere() const noexcept override { return shown_.is_elsewhere; }

 private:
  /// Bits of next_, in the order of the commands.
  enum Question : std::uint8_t { type = 1, memory = 2, text = 4, length = 8, start = 16, size = 32 };
  struct Known {
    std::optional<double> size, memory;
    std::optional<std::string> value;
    bool is_missing = false, is_elsewhere = false;
  };

  void take_one(Question question, redis::Reply& reply);
  void take_error(Question question, const redis::Reply& reply);
  void take_type(const redis::Reply& reply);
  void take_text(redis::Reply& reply);
  void take_length(const redis::Reply& reply);
  void take_start(const redis::Reply& reply);
  void ask_size();
  void set_size(double size);
  void set_missing();
  void ask_type_again();
  [[nodiscard]] std::size_t text_bytes() const noexcept;

  const KeySizeOptions& options_;
  KeyOrigin origin_;
  KeyKind kind_ = KeyKind::unknown;
  std::uint8_t next_ = 0, asked_ = 0;
  bool is_long_ = false;            ///< A string that exceeded text_bytes() when it was last read.
  bool is_no_hyperloglog_ = false;  ///< Begins like one, but the server says that it is none.
  bool was_retyped_ = false;        ///< In this look; a second change of type waits for the next.
  std::int64_t plain_length_ = -1;  ///< Length at which the string was seen not to be a HyperLogLog.
  int skipped_looks_ = 0;           ///< Still to be skipped: the key is another node's, or denied.
  std::optional<Error> error_;      ///< Of this look.
  Known fresh_, shown_;
};

}  // namespace midst::sources::redis_info
