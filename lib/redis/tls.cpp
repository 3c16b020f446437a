#include "lib/redis/tls.hpp"

#include "lib/base/pem.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace midst::redis {
namespace {

namespace ssl = asio::ssl;

Result<Done> trust(ssl::context& context, const TlsOptions& options) {
  error_code error;
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(error);
    if (error) return Error{Errc::tls, "the system's CA store cannot be read: " + error.message()};
    return Done{};
  }
  const pem::File file{"tls.ca_file", options.ca_file};
  const auto text = pem::read(file);
  if (!text) return text.error();
  context.add_certificate_authority(asio::buffer(*text), error);
  if (error) return pem::unfit(file, error.message());
  // Whatever certificate the file holds is trusted, an intermediate one as well.
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context.native_handle()), X509_V_FLAG_PARTIAL_CHAIN);
  return Done{};
}

Result<Done> present(ssl::context& context, const TlsOptions& options) {
  if (options.cert_file.empty() && options.key_file.empty()) return Done{};
  if (options.cert_file.empty() || options.key_file.empty())
    return Error{Errc::config, "tls.cert_file and tls.key_file need each other; only one is set"};
  return pem::present(context, {"tls.cert_file", options.cert_file}, {"tls.key_file", options.key_file});
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
