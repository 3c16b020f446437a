// The HTTP server of both programs: plain structs in, plain structs out; Beast stays in http_message.cpp.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One request, read whole. Header names are compared without case.
struct Request {
  std::string method;  ///< As sent: "GET", "POST", …
  std::string path;    ///< Percent-decoded path, without the query.
  std::string query;   ///< Raw text after '?', or empty.
  Headers headers;
  std::string body;

  /// @return the first header of that name, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
  /// @return every decoded value of a query parameter (`?target=a&target=b`), in order.
  [[nodiscard]] std::vector<std::string> parameters(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  Headers headers;  ///< Further headers; Content-Length, Content-Encoding, Date and Connection are the server's.
};

/// Answers one request. Runs on the loop thread; several requests may be inside at the same time.
/// An exception that leaves it is answered with 500 and logged: the second of the two doors.
using Handler = std::function<asio::awaitable<Response>(Request)>;

/// Bounds of one server; each has a test at its edge.
struct ServerLimits {
  std::size_t connections = 256;         ///< Open at once; one more is answered 503 and closed.
  std::size_t header_bytes = 16 * 1024;  ///< Start line and headers; more is answered 431.
  std::size_t body_bytes = 1024 * 1024;  ///< More is answered 413.
  /// From accept, or the first byte, to the end of the headers; then 408, or a silent close when nothing came at all.
  std::chrono::milliseconds header_timeout{5000};
  std::chrono::milliseconds body_timeout{30'000};   ///< To read the body, and to write the answer.
  std::chrono::milliseconds idle_timeout{120'000};  ///< Between requests of a kept connection.
  std::size_t gzip_from_bytes = 1024;               ///< Answers shorter than this are sent as they are.
};

/// What a server has counted since it started.
struct ServerCounters {
  std::uint64_t requests = 0, refused_connections = 0, bad_requests = 0;
  std::size_t open_connections = 0;
};

/// An HTTP/1.1 server over any number of listeners. Construct, listen() as often as needed, then drain() once.
class HttpServer {
 public:
  /// @param handler  kept until the server is destroyed.
  HttpServer(asio::any_io_executor executor, Handler handler, ServerLimits limits);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Starts to accept on "127.0.0.1:9464", "[::1]:9464", ":9464", "localhost:0" or "unix:/path".
  /// @return the bound address in the same form (the port that 0 became), or why not: Errc::config for a text that
  /// is no address, Errc::connect_refused when it cannot be bound.
  Result<std::string> listen(std::string_view address);

  /// Starts to accept on a listening descriptor (systemd); takes it over.
  Result<std::string> adopt(int listening_descriptor);

  /// Closes every listener; connections go on. listen() opens anew.
  void stop_accepting();

  /// Stops accepting, closes idle connections and waits for answers under way, until `deadline` at the latest.
  asio::awaitable<void> drain(Deadline deadline);

  [[nodiscard]] ServerCounters counters() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midst::net
