// Inflates what a server compressed, by zlib's own reader. Link ZLIB::ZLIB where it is used.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace midst::test {

/// @return the text of one gzip member; throws std::runtime_error when it is not exactly one.
inline std::string gunzip(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::runtime_error("gunzip: no memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int outcome = Z_OK;
  while (outcome == Z_OK) {
    char chunk[16 * 1024];
    stream.next_out = reinterpret_cast<Bytef*>(chunk);
    stream.avail_out = sizeof chunk;
    outcome = inflate(&stream, Z_NO_FLUSH);
    out.append(static_cast<const char*>(chunk), sizeof chunk - stream.avail_out);
  }
  const bool has_rest = stream.avail_in != 0;
  inflateEnd(&stream);
  if (outcome != Z_STREAM_END || has_rest) throw std::runtime_error("gunzip: not one gzip member");
  return out;
}

}  // namespace midst::test
