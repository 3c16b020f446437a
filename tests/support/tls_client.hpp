// A small blocking HTTPS client: HttpClient's connection with OpenSSL on it, so that tests can choose versions, ciphers
// and certificates, or break the handshake.
#pragma once

#include "tests/support/http_client.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace midst::test {

struct TlsChoice {
  std::string ca_file;              ///< Verified against; empty: anything goes.
  std::string cert_file, key_file;  ///< The client's own; empty: none.
  int min_version = 0, max_version = 0;
  std::string ciphers;  ///< Of TLS 1.2 and below; empty: OpenSSL's own.
};

class TlsClient {
 public:
  TlsClient(const std::string& address, const TlsChoice& choice)
      : tcp_(address), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), session_(nullptr, &SSL_free) {
    // OpenSSL writes without MSG_NOSIGNAL; of this thread alone, so that a server that does so still dies of it.
    sigset_t broken_pipe;
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    SSL_CTX_set_security_level(context_.get(), 0);  // the tests offer what is refused
    SSL_CTX_set_min_proto_version(context_.get(), choice.min_version);
    SSL_CTX_set_max_proto_version(context_.get(), choice.max_version);
    if (!choice.ciphers.empty()) require(SSL_CTX_set_cipher_list(context_.get(), choice.ciphers.c_str()));
    if (!choice.ca_file.empty()) {
      require(SSL_CTX_load_verify_locations(context_.get(), choice.ca_file.c_str(), nullptr));
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    if (!choice.cert_file.empty()) {
      require(SSL_CTX_use_certificate_chain_file(context_.get(), choice.cert_file.c_str()));
      require(SSL_CTX_use_PrivateKey_file(context_.get(), choice.key_file.c_str(), SSL_FILETYPE_PEM));
    }
    session_.reset(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), tcp_.descriptor());
    const timeval patience{10, 0};
    ::setsockopt(tcp_.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  /// @return whether both sides agreed; under TLS 1.3 a client learns only by reading that its certificate was refused.
  bool shake_hands() { return SSL_connect(session_.get()) == 1; }

  /// Sends a request on the connection. @return the whole answer until its body is there; empty when there is none.
  std::string get(std::string_view target, std::string_view headers = {}) {
    const auto request =
        "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n";
    if (!send(request)) return {};
    std::string text;
    std::size_t expected = std::string::npos;
    while (text.size() < expected) {
      char chunk[16 * 1024];
      const int size = SSL_read(session_.get(), static_cast<char*>(chunk), sizeof chunk);
      if (size <= 0) return {};
      text.append(static_cast<const char*>(chunk), static_cast<std::size_t>(size));
      const auto end = text.find("\r\n\r\n");
      if (expected != std::string::npos || end == std::string::npos) continue;
      const auto length = text.find("Content-Length: ");
      expected = end + 4 + (length < end ? std::stoul(text.substr(length + 16)) : 0);
    }
    return text;
  }

  bool send(std::string_view bytes) {
    return SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }

  [[nodiscard]] std::string version() const { return SSL_get_version(session_.get()); }
  /// @return the common name of the server's certificate.
  [[nodiscard]] std::string server_name() const {
    const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(session_.get()), &X509_free);
    char name[256] = {};
    if (peer)
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, static_cast<char*>(name), 256);
    return static_cast<const char*>(name);
  }
  [[nodiscard]] ssl_st* session() { return session_.get(); }
  HttpClient& tcp() { return tcp_; }

 private:
  static void require(int done) {
    if (done != 1) throw std::runtime_error(ERR_reason_error_string(ERR_get_error()));
  }

  HttpClient tcp_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
};

}  // namespace midst::test
