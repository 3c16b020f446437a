// TLS towards a Redis server: whom to trust, who we are, and which name the certificate must have.
// The options are for everyone; what is made of them is for transport.cpp.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <memory>
#include <string>

// OpenSSL and Asio's wrapping of it stay in the .cpp files.
namespace boost::asio::ssl {
class context;
}
struct ssl_st;

namespace midst::redis {

/// What rediss:// does. Files are PEM, at most 1 MiB, and read again at each connect, so that replaced ones count.
struct TlsOptions {
  std::string ca_file;       ///< Authorities to trust, in the place of the system's store; empty: that store.
  std::string cert_file;     ///< Our certificate with its chain, for servers that want one; needs key_file.
  std::string key_file;      ///< Its key, without a passphrase; needs cert_file.
  std::string server_name;   ///< Sent as SNI, and the name or address that the certificate must have; empty: the host.
  bool skip_verify = false;  ///< Take any certificate. Whoever answers there then gets the password.

  /// @return whether a context made of these depends on files that may be replaced.
  [[nodiscard]] bool has_files() const noexcept { return !ca_file.empty() || !cert_file.empty() || !key_file.empty(); }
};

/// Reads the files. Also what a check of the configuration calls.
/// @return Errc::config that names the file, or both settings when only one of cert_file and key_file is set; Errc::tls
/// when the system's store cannot be read.
[[nodiscard]] Result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(const TlsOptions& options);

/// Tells a session whom it is to meet: SNI, and the name that is verified.
/// @param host  of the URL; a name or an address.
/// @return Errc::tls when the name does not fit into the handshake.
[[nodiscard]] Result<Done> expect_peer(ssl_st* session, const TlsOptions& options, const std::string& host);

/// @return what OpenSSL found wrong with the peer's certificate, or empty.
[[nodiscard]] std::string verification_failure(const ssl_st* session);

}  // namespace midst::redis
