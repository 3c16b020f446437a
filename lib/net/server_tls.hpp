// TLS of our own listeners: who we are, whom we ask for a certificate, which versions and ciphers. Settings as in
// Prometheus' exporter-toolkit. Used by http_server; OpenSSL stays in the .cpp files.
#pragma once

#include "lib/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio::ssl {
class context;
}

namespace midst::net {

/// Whether a client must show a certificate; the words are Go's.
enum class ClientAuth {
  none,             ///< NoClientCert: it is not asked for one.
  request,          ///< RequestClientCert: asked, but nothing is made of it.
  require_any,      ///< RequireAnyClientCert: there must be one, whoever signed it.
  verify_if_given,  ///< VerifyClientCertIfGiven: one that is shown must be signed by client_ca_file.
  verify,           ///< RequireAndVerifyClientCert: the only one that keeps strangers out.
};

/// [web.tls]. Files are PEM, at most 1 MiB, and read again when they have changed.
struct TlsOptions {
  std::string cert_file;       ///< Our certificate with its chain; required.
  std::string key_file;        ///< Its key, without a passphrase; required.
  std::string client_ca_file;  ///< Authorities of clients' certificates; needs a client_auth that verifies.
  ClientAuth client_auth = ClientAuth::none;
  std::vector<std::string> client_allowed_sans;  ///< The certificate must have one of these names; empty: any.
  int min_version = 0;                           ///< From tls_version(); 0: TLS 1.2.
  int max_version = 0;                           ///< 0: TLS 1.3.
  std::vector<std::string> cipher_suites;        ///< IANA names; empty: those of TLS 1.2 with forward secrecy and AEAD.
  std::vector<std::string> curve_preferences;  ///< X25519, CurveP256, CurveP384, CurveP521; empty: all, in this order.
};

/// @return what TlsOptions have for "TLS10" … "TLS13" and for Go's words of client authentication; Errc::config names
/// the words there are.
[[nodiscard]] Result<int> tls_version(std::string_view word);
[[nodiscard]] Result<ClientAuth> client_auth(std::string_view word);

/// A certificate in force, shared by listeners. One thread.
class ServerTls {
 public:
  /// Reads the files. Also what a check of the configuration calls.
  /// @return Errc::config that names the setting at fault.
  [[nodiscard]] static Result<std::shared_ptr<ServerTls>> load(TlsOptions options);

  /// @return what the next handshake is to use. Files that have changed since are read; when they are of no use, the
  /// last good ones stay in force, which is logged once for each change and counted.
  [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> current();

  /// @return how often changed files were of no use.
  [[nodiscard]] std::uint64_t failed_reloads() const noexcept { return failed_reloads_; }
  /// @return when the certificate in force ends.
  [[nodiscard]] std::chrono::system_clock::time_point expiry() const noexcept { return expiry_; }

 private:
  /// What tells one version of the files from another.
  struct Stamp {
    std::vector<std::int64_t> numbers;
    bool operator==(const Stamp&) const = default;
  };

  explicit ServerTls(TlsOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Stamp stamp() const;
  [[nodiscard]] Result<std::shared_ptr<boost::asio::ssl::context>> read() const;
  void use(std::shared_ptr<boost::asio::ssl::context> context);

  TlsOptions options_;
  Stamp seen_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::chrono::system_clock::time_point expiry_;
  std::uint64_t failed_reloads_ = 0;
};

}  // namespace midst::net
