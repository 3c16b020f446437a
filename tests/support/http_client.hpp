// A small blocking HTTP client on a raw socket: tests see the bytes as they are and can send what no library would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::test {

/// One answer, as it came over the wire: the body still in its Content-Encoding.
struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// @return the first header of that name, case ignored, or empty.
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (::strcasecmp(key.c_str(), std::string(name).c_str()) == 0) return value;
    return {};
  }
};

/// One connection. Every wait ends after ten seconds with std::runtime_error, so that a hanging server fails the test.
class HttpClient {
 public:
  /// @param address  "127.0.0.1:80", "[::1]:80" or "unix:/path", as HttpServer::listen() returns it.
  explicit HttpClient(const std::string& address) {
    if (address.starts_with("unix:"))
      connect_unix(address.substr(5));
    else
      connect_tcp(address);
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  [[nodiscard]] int descriptor() const { return socket_; }

  /// Sends bytes as they are; false when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Sends one request with a Host header and reads its answer.
  HttpAnswer request(std::string_view method, std::string_view target, std::string_view headers = {},
                     std::string_view body = {}) {
    std::string text = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
    text += headers;
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n";
    text += body;
    send(text);
    return read_answer(method);
  }
  HttpAnswer get(std::string_view target, std::string_view headers = {}) { return request("GET", target, headers); }

  /// Reads one answer: head and Content-Length bytes. `method` is the request's, since HEAD is answered without a body.
  HttpAnswer read_answer(std::string_view method = "GET") {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) throw std::runtime_error("connection closed before an answer, after: " + received_);
    auto answer = parse_head(std::string_view(received_).substr(0, end));
    received_.erase(0, end + 4);
    const auto length = answer.header("Content-Length");
    const std::size_t size = length.empty() || method == "HEAD" ? 0 : std::stoul(length);
    while (received_.size() < size)
      if (!receive()) throw std::runtime_error("connection closed inside a body");
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }

  /// @return what else comes until the server closes; empty when it closes without another byte.
  std::string read_rest() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

 private:
  void connect_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size());
    connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  void connect_tcp(const std::string& text) {
    const auto colon = text.rfind(':');
    const auto port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
    auto host = text.substr(0, colon);
    if (host.starts_with('[')) {
      host = host.substr(1, host.size() - 2);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = port;
      ::inet_pton(AF_INET6, host == "::" ? "::1" : host.c_str(), &address.sin6_addr);
      connect(AF_INET6, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = port;
    ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    connect(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }

  void connect(int family, const sockaddr* address, socklen_t size) {
    socket_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_, address, size) == 0) return;
    const std::string reason = std::strerror(errno);
    close();
    throw std::runtime_error("cannot connect: " + reason);
  }

  bool receive() {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) throw std::runtime_error("no answer within ten seconds");
    char chunk[16 * 1024];
    const auto size = ::recv(socket_, static_cast<char*>(chunk), sizeof chunk, 0);
    if (size <= 0) return false;
    received_.append(static_cast<const char*>(chunk), static_cast<std::size_t>(size));
    return true;
  }

  static HttpAnswer parse_head(std::string_view head) {
    HttpAnswer answer;
    answer.status = std::stoi(std::string(head.substr(head.find(' ') + 1, 3)));
    while (true) {
      const auto end = head.find("\r\n");
      if (end == std::string_view::npos) return answer;
      head.remove_prefix(end + 2);
      const auto line = head.substr(0, head.find("\r\n"));
      const auto colon = line.find(": ");
      answer.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
  }

  int socket_ = -1;
  std::string received_;
};

/// One request on a connection of its own.
inline HttpAnswer http_get(const std::string& address, std::string_view target, std::string_view headers = {}) {
  HttpClient client(address);
  return client.get(target, headers);
}

}  // namespace midst::test
