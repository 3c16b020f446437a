#include "lib/redis/tls.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace midst::redis {
namespace {

namespace ssl = asio::ssl;

/// The system's store has about 220 kB; more is a wrong path.
constexpr std::size_t max_file_bytes = 1024 * 1024;

Error file_error(std::string_view setting, const std::string& path, const std::string& why) {
  return Error{Errc::config, "tls." + std::string(setting) + ": " + path + ": " + why};
}

/// A file that is read and closed with it.
class File {
 public:
  /// Not blocking, or a FIFO without a writer would hold up the loop.
  explicit File(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// @return the whole file; unset, with errno, when it cannot be read.
  [[nodiscard]] std::optional<std::string> read() const {
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) return std::nullopt;
    errno = S_ISDIR(status.st_mode) ? EISDIR : ENODEV;
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    std::string text(max_file_bytes + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
      const auto count = ::read(descriptor_, text.data() + size, text.size() - size);
      if (count < 0) return std::nullopt;
      if (count == 0) break;
      size += static_cast<std::size_t>(count);
    }
    errno = EFBIG;
    if (size > max_file_bytes) return std::nullopt;
    text.resize(size);
    return text;
  }

 private:
  int descriptor_;
};

Result<std::string> read_file(std::string_view setting, const std::string& path) {
  auto text = File(path).read();
  if (!text) return file_error(setting, path, std::generic_category().message(errno));
  return std::move(*text);
}

Result<Done> trust(ssl::context& context, const TlsOptions& options) {
  error_code error;
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(error);
    if (error) return Error{Errc::tls, "the system's CA store cannot be read: " + error.message()};
    return Done{};
  }
  const auto text = read_file("ca_file", options.ca_file);
  if (!text) return text.error();
  context.add_certificate_authority(asio::buffer(*text), error);
  if (error) return file_error("ca_file", options.ca_file, error.message());
  // Whatever certificate the file holds is trusted, an intermediate one as well.
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context.native_handle()), X509_V_FLAG_PARTIAL_CHAIN);
  return Done{};
}

Result<Done> present(ssl::context& context, const TlsOptions& options) {
  if (options.cert_file.empty() && options.key_file.empty()) return Done{};
  if (options.cert_file.empty() || options.key_file.empty())
    return Error{Errc::config, "tls.cert_file and tls.key_file need each other; only one is set"};
  const auto certificate = read_file("cert_file", options.cert_file);
  if (!certificate) return certificate.error();
  const auto key = read_file("key_file", options.key_file);
  if (!key) return key.error();
  error_code error;
  context.use_certificate_chain(asio::buffer(*certificate), error);
  if (error) return file_error("cert_file", options.cert_file, error.message());
  // Without one OpenSSL would ask at the terminal.
  context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
  if (!error) context.use_private_key(asio::buffer(*key), ssl::context::pem, error);
  if (error) return file_error("key_file", options.key_file, error.message()).with_context(options.cert_file);
  return Done{};
}

}  // namespace

Result<std::unique_ptr<ssl::context>> make_tls_context(const TlsOptions& options) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  if (auto done = trust(*context, options); !done) return done.error();
  if (auto done = present(*context, options); !done) return done.error();
  SSL_CTX_set_verify(context->native_handle(), options.skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  return context;
}

Result<Done> expect_peer(ssl_st* session, const TlsOptions& options, const std::string& host) {
  const auto& name = options.server_name.empty() ? host : options.server_name;
  const Error unfit{Errc::tls, "the name of the server does not fit into the handshake"};
  auto* wanted = SSL_get0_param(session);
  error_code not_numeric;
  const auto address = asio::ip::make_address(name, not_numeric);
  if (!not_numeric) {
    // RFC 6066 §3: server_name carries names only, never addresses.
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, address.to_string().c_str()) != 1) return unfit;
    return Done{};
  }
  if (X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size()) != 1) return unfit;
  if (SSL_set_tlsext_host_name(session, name.c_str()) != 1) return unfit;
  return Done{};
}

std::string verification_failure(const ssl_st* session) {
  const auto result = SSL_get_verify_result(session);
  return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
}

}  // namespace midst::redis
