// Certificates and keys from files into an OpenSSL context; what TLS towards servers and TLS of our own listeners
// share. Blocking, on small files.
#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>

// OpenSSL and Asio's wrapping of it stay in the .cpp files.
namespace boost::asio::ssl {
class context;
}

namespace midst::pem {

/// A file that a setting names: "redis.tls.ca_file" and its path.
struct File {
  std::string_view setting;
  const std::string& path;
};

/// @return the bytes of a regular file of at most 1 MiB; Errc::config with the setting, the path and the reason.
[[nodiscard]] Result<std::string> read(const File& file);

/// @return the failure of a file whose bytes were read but are not what they should be.
[[nodiscard]] Error unfit(const File& file, const std::string& why);

/// Lets the context present a certificate, with its chain, and its key, which must have no passphrase.
/// @return Errc::config that names the file at fault.
[[nodiscard]] Result<Done> present(boost::asio::ssl::context& context, const File& certificate, const File& key);

}  // namespace midst::pem
