// HTTP/1.1 as bytes, without any I/O: request bytes in, a Request out; a Response in, its head out.
// Used by http_server.cpp and the fuzzer; Beast's parser is inside http_message.cpp.
#pragma once

#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace midst::net {

/// Why a request cannot be answered as asked: the status and one fixed sentence, free of the client's bytes.
struct Refusal {
  unsigned status = 400;
  std::string_view reason;
};

/// Reads one request, fed with bytes as they come.
class RequestReader {
 public:
  /// @param header_bytes  start line, headers and the empty line together; one more is refused with 431.
  /// @param body_bytes  one more is refused with 413, as soon as the headers announce it.
  RequestReader(std::size_t header_bytes, std::size_t body_bytes);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Takes the front of `bytes`. What is not taken must be offered again, with more behind it, while
  /// !is_done() && !refusal(); after is_done() it belongs to the next request.
  /// @return how many bytes were taken.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] bool is_header_done() const noexcept { return is_header_done_; }
  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  [[nodiscard]] const std::optional<Refusal>& refusal() const noexcept { return refusal_; }
  /// @return whether the client waits for "100 Continue" before it sends the body; valid once is_header_done().
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  /// @return whether the client allows another request on this connection; valid once is_header_done().
  [[nodiscard]] bool keeps_alive() const noexcept { return keeps_alive_; }
  /// @return 10 or 11; valid once is_header_done().
  [[nodiscard]] unsigned version() const noexcept { return version_; }
  /// Moves the request out; once, after is_done().
  [[nodiscard]] Request take();

 private:
  class Parser;
  bool has_whole_header(std::string_view bytes);
  std::size_t put(std::string_view bytes);
  void check_header();
  void refuse(unsigned status, std::string_view reason) { refusal_ = Refusal{status, reason}; }

  std::unique_ptr<Parser> parser_;
  std::size_t header_bytes_;
  std::size_t searched_ = 0;  ///< How much of the headers has been seen to lack their end.
  Request request_;
  std::optional<Refusal> refusal_;
  bool is_header_done_ = false, is_done_ = false, expects_continue_ = false, keeps_alive_ = false;
  bool has_begun_ = false;
  unsigned version_ = 11;
};

/// What the server itself says about one answer.
struct HeadFacts {
  std::size_t content_length = 0;
  bool is_gzip = false;        ///< Content-Encoding: gzip.
  bool is_negotiated = false;  ///< Vary: Accept-Encoding.
  bool keeps_alive = true;
  unsigned version = 11;  ///< Of the request.
  std::string_view date;  ///< As http_date() writes it.
};

/// @return status line and headers with the empty line. Control characters in header values become spaces, so that no
/// value can start a header of its own. Statuses 1xx, 204 and 304 carry no Content-Length.
[[nodiscard]] std::string response_head(const Response& response, const HeadFacts& facts);

/// @return whether an answer of this status has a body at all (RFC 9110, 6.4.1).
[[nodiscard]] bool has_body(unsigned status) noexcept;

/// @return "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
[[nodiscard]] std::string http_date(std::time_t when);

}  // namespace midst::net
