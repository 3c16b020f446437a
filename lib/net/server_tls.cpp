#include "lib/net/server_tls.hpp"

#include "lib/base/log.hpp"
#include "lib/base/pem.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/verify_context.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace midst::net {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using boost::system::error_code;
using Context = std::shared_ptr<ssl::context>;

struct Version {
  std::string_view word;
  int number;
};
constexpr std::array versions{Version{"TLS10", TLS1_VERSION}, Version{"TLS11", TLS1_1_VERSION},
                              Version{"TLS12", TLS1_2_VERSION}, Version{"TLS13", TLS1_3_VERSION}};

struct Policy {
  std::string_view word;
  ClientAuth value;
  int mode;  ///< Of SSL_CTX_set_verify().
};
constexpr std::array policies{
    Policy{"NoClientCert", ClientAuth::none, SSL_VERIFY_NONE},
    Policy{"RequestClientCert", ClientAuth::request, SSL_VERIFY_PEER},
    Policy{"RequireAnyClientCert", ClientAuth::require_any, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT},
    Policy{"VerifyClientCertIfGiven", ClientAuth::verify_if_given, SSL_VERIFY_PEER},
    Policy{"RequireAndVerifyClientCert", ClientAuth::verify, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT}};

struct Curve {
  std::string_view word;  ///< Go's.
  std::string_view openssl_name;
};
constexpr std::array curves{Curve{"X25519", "X25519"}, Curve{"CurveP256", "P-256"}, Curve{"CurveP384", "P-384"},
                            Curve{"CurveP521", "P-521"}};

/// As Go has them. OpenSSL's own also have finite fields of 8192 bits, whose handshakes cost a server a hundred times
/// more.
constexpr const char* default_curves = "X25519:P-256:P-384:P-521";

/// Forward secrecy and AEAD only: what sslscan and its kin call strong.
constexpr const char* default_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* old_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES";  // when TLS 1.0 or 1.1 is asked for

Error wrong(std::string_view setting, std::string_view why) {
  return Error{Errc::config, fmt::format("tls.{}: {}", setting, why)};
}

template <class Table>
std::string words_of(const Table& table) {
  std::string words;
  for (const auto& entry : table) words.append(words.empty() ? "" : ", ").append(entry.word);
  return words;
}

bool verifies(ClientAuth policy) noexcept {
  return policy == ClientAuth::verify || policy == ClientAuth::verify_if_given;
}

int least_version(const TlsOptions& options) noexcept {
  return options.min_version == 0 ? TLS1_2_VERSION : options.min_version;
}

Result<Done> check(const TlsOptions& options) {
  if (options.cert_file.empty()) return wrong("cert_file", "is missing; it needs a file, like key_file");
  if (options.key_file.empty()) return wrong("key_file", "is missing; it needs a file, like cert_file");
  if (!options.client_ca_file.empty() && !verifies(options.client_auth))
    return wrong("client_ca_file",
                 "nobody is checked against it; set client_auth_type = \"RequireAndVerifyClientCert\"");
  if (verifies(options.client_auth) && options.client_ca_file.empty())
    return wrong("client_auth_type", "it needs client_ca_file, the authorities to check against");
  if (!options.client_allowed_sans.empty() && !verifies(options.client_auth))
    return wrong(
        "client_allowed_sans",
        "a name that nobody vouches for is worth nothing; set client_auth_type = \"RequireAndVerifyClientCert\"");
  if (options.max_version != 0 && options.max_version < least_version(options))
    return wrong("max_version", "is below min_version");
  return Done{};
}

/// Go's names are IANA's; OpenSSL keeps those of TLS 1.3 apart, which stay as they are unless one of them is named.
Result<Done> set_ciphers(SSL_CTX* context, const TlsOptions& options) {
  std::string below, of_13;
  for (const auto& name : options.cipher_suites) {
    const std::string_view known = OPENSSL_cipher_name(name.c_str());
    if (known.empty() || known == "(NONE)") return wrong("cipher_suites", fmt::format("unknown suite \"{}\"", name));
    auto& list = known.starts_with("TLS_") ? of_13 : below;
    list.append(list.empty() ? "" : ":").append(known);
  }
  if (!of_13.empty() && SSL_CTX_set_ciphersuites(context, of_13.c_str()) != 1)
    return wrong("cipher_suites", "OpenSSL has none of these suites for TLS 1.3");
  const auto* usual = least_version(options) < TLS1_2_VERSION ? old_ciphers : default_ciphers;
  const auto* list = below.empty() ? usual : below.c_str();
  if (SSL_CTX_set_cipher_list(context, list) != 1)
    return wrong("cipher_suites", "OpenSSL has none of these suites for TLS 1.2");
  return Done{};
}

Result<Done> set_curves(SSL_CTX* context, const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    const auto* found =
        std::find_if(curves.begin(), curves.end(), [&](const Curve& each) { return each.word == name; });
    if (found == curves.end())
      return wrong("curve_preferences", fmt::format("unknown curve \"{}\"; one of {}", name, words_of(curves)));
    list.append(list.empty() ? "" : ":").append(found->openssl_name);
  }
  if (SSL_CTX_set1_groups_list(context, list.empty() ? default_curves : list.c_str()) != 1)
    return wrong("curve_preferences", "OpenSSL takes none of these curves");
  return Done{};
}

Result<Done> set_strength(SSL_CTX* context, const TlsOptions& options) {
  const int least = least_version(options);
  // Debian's security level 2 takes nothing below TLS 1.2; who asks for it knows why.
  if (least < TLS1_2_VERSION) SSL_CTX_set_security_level(context, 0);
  if (SSL_CTX_set_min_proto_version(context, least) != 1) return wrong("min_version", "OpenSSL does not have it");
  if (SSL_CTX_set_max_proto_version(context, options.max_version) != 1)
    return wrong("max_version", "OpenSSL does not have it");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Nothing is resumed: a client whose certificate was withdrawn would come in by its ticket. Prometheus keeps its
  // connections.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Idle connections hold no record buffers; writes go on where a full socket stopped them.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (auto done = set_ciphers(context, options); !done) return done;
  return set_curves(context, options.curve_preferences);
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

/// @return a name of a certificate as exporter-toolkit compares it; empty for kinds that it does not look at.
std::string name_of(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
      return text_of(name.d.ia5);
    case GEN_IPADD: {
      const auto bytes = text_of(name.d.iPAddress);
      asio::ip::address_v4::bytes_type v4{};
      asio::ip::address_v6::bytes_type v6{};
      if (bytes.size() == v4.size()) {
        std::copy(bytes.begin(), bytes.end(), v4.begin());
        return asio::ip::address_v4(v4).to_string();
      }
      if (bytes.size() != v6.size()) return {};
      std::copy(bytes.begin(), bytes.end(), v6.begin());
      return asio::ip::address_v6(v6).to_string();
    }
    default:
      return {};
  }
}

bool has_name_of(X509* certificate, const std::vector<std::string>& allowed) {
  using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
                    &GENERAL_NAMES_free);
  if (!names) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
    if (std::find(allowed.begin(), allowed.end(), name_of(*sk_GENERAL_NAME_value(names.get(), i))) != allowed.end())
      return true;
  return false;
}

/// Called for each certificate of the client's chain; the client's own has depth 0.
class ClientCheck {
 public:
  explicit ClientCheck(const TlsOptions& options)
      : is_verifying_(verifies(options.client_auth)), allowed_(options.client_allowed_sans) {}

  bool operator()(bool is_trusted, ssl::verify_context& verifying) const {
    if (!is_verifying_) return true;
    auto* chain = verifying.native_handle();
    if (!is_trusted || allowed_.empty() || X509_STORE_CTX_get_error_depth(chain) > 0) return is_trusted;
    if (has_name_of(X509_STORE_CTX_get_current_cert(chain), allowed_)) return true;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return false;
  }

 private:
  bool is_verifying_;
  std::vector<std::string> allowed_;
};

/// Tells clients whose certificates are taken, so that one with several knows which to show.
void name_authorities(SSL_CTX* context, const std::string& pem_text) {
  using Bytes = std::unique_ptr<BIO, decltype(&BIO_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  const Bytes bytes(BIO_new_mem_buf(pem_text.data(), static_cast<int>(pem_text.size())), &BIO_free);
  while (const auto authority = Certificate(PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr), &X509_free))
    SSL_CTX_add_client_CA(context, authority.get());
  ERR_clear_error();  // the end of the file is one
}

Result<Done> set_clients(ssl::context& context, const TlsOptions& options) {
  const auto* policy = std::find_if(policies.begin(), policies.end(),
                                    [&](const Policy& each) { return each.value == options.client_auth; });
  error_code error;
  context.set_verify_callback(ClientCheck(options), error);
  SSL_CTX_set_verify(context.native_handle(), policy->mode, SSL_CTX_get_verify_callback(context.native_handle()));
  if (options.client_ca_file.empty()) return Done{};
  const pem::File file{"tls.client_ca_file", options.client_ca_file};
  const auto text = pem::read(file);
  if (!text) return text.error();
  if (!error) context.add_certificate_authority(asio::buffer(*text), error);
  if (error) return pem::unfit(file, error.message());
  name_authorities(context.native_handle(), *text);
  return Done{};
}

}  // namespace

Result<int> tls_version(std::string_view word) {
  for (const auto& [name, number] : versions)
    if (name == word) return number;
  return Error{Errc::config, fmt::format("unknown version \"{}\"; one of {}", word, words_of(versions))};
}

Result<ClientAuth> client_auth(std::string_view word) {
  for (const auto& policy : policies)
    if (policy.word == word) return policy.value;
  return Error{Errc::config, fmt::format("unknown policy \"{}\"; one of {}", word, words_of(policies))};
}

Result<std::shared_ptr<ServerTls>> ServerTls::load(TlsOptions options) {
  if (auto done = check(options); !done) return done.error();
  const std::shared_ptr<ServerTls> tls(new ServerTls(std::move(options)));
  tls->seen_ = tls->stamp();
  auto context = tls->read();
  if (!context) return context.error();
  tls->use(std::move(*context));
  return tls;
}

Context ServerTls::current() {
  auto now = stamp();
  if (now == seen_) return context_;
  seen_ = std::move(now);
  auto context = read();
  if (context) {
    use(std::move(*context));
    log::info("a new TLS certificate is in force", {{"cert_file", options_.cert_file}});
    return context_;
  }
  ++failed_reloads_;
  log::warn("changed TLS files are of no use; the last good ones stay in force", {{"error", context.error().message}});
  return context_;
}

ServerTls::Stamp ServerTls::stamp() const {
  Stamp stamp;
  for (const auto* path : {&options_.cert_file, &options_.key_file, &options_.client_ca_file}) {
    struct stat status {};
    if (path->empty() || ::stat(path->c_str(), &status) != 0) status = {};
    stamp.numbers.insert(stamp.numbers.end(),
                         {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_size),
                          status.st_mtim.tv_sec, status.st_mtim.tv_nsec});
  }
  return stamp;
}

Result<Context> ServerTls::read() const {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  if (auto done = set_strength(context->native_handle(), options_); !done) return done.error();
  if (auto done = pem::present(*context, {"tls.cert_file", options_.cert_file}, {"tls.key_file", options_.key_file});
      !done)
    return done.error();
  if (auto done = set_clients(*context, options_); !done) return done.error();
  return context;
}

void ServerTls::use(Context context) {
  context_ = std::move(context);
  std::tm utc{};
  const auto* certificate = SSL_CTX_get0_certificate(context_->native_handle());
  if (certificate != nullptr && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) == 1)
    expiry_ = std::chrono::system_clock::from_time_t(::timegm(&utc));
}

}  // namespace midst::net
