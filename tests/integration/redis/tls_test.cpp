// TLS to a real redis-server with certificates made for the test.
#include "tests/integration/redis/live.hpp"

#include <cstdlib>
#include <string>

namespace midst {
namespace {

using test::has_line;
using test::LiveSource;
using test::RedisServer;
using test::TempDir;

/// A CA of its own and a certificate for "localhost" from it.
class Certificates {
 public:
  Certificates() {
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=test CA", "-keyout", file("ca.key"), "-out", ca()});
    openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=redis",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", file("server.key"), "-out", file("server.csr")});
    openssl({"x509", "-req", "-in", file("server.csr"), "-CA", ca(), "-CAkey", file("ca.key"), "-CAcreateserial",
             "-days", "2", "-copy_extensions", "copy", "-out", file("server.crt")});
  }

  [[nodiscard]] std::string ca() const { return file("ca.crt"); }
  [[nodiscard]] std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

 private:
  static void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const auto result = test::run_command(arguments);
    if (result.exit_code != 0) throw std::runtime_error("openssl: " + result.output);
  }

  TempDir directory_;
};

/// The system's CA store, as OpenSSL lets the environment replace it.
class SystemStore {
 public:
  explicit SystemStore(const std::string& file) { ::setenv("SSL_CERT_FILE", file.c_str(), 1); }
  ~SystemStore() { ::unsetenv("SSL_CERT_FILE"); }
  SystemStore(const SystemStore&) = delete;
  SystemStore& operator=(const SystemStore&) = delete;
};

class RedisTls : public testing::Test {
 protected:
  Certificates certificates_;
  std::uint16_t port_ = test::free_port();
  RedisServer server_{{"--tls-port", std::to_string(port_), "--tls-cert-file", certificates_.file("server.crt"),
                       "--tls-key-file", certificates_.file("server.key"), "--tls-ca-cert-file", certificates_.ca(),
                       "--tls-auth-clients", "no"}};
};

TEST_F(RedisTls, TrustsAServerThatTheSystemsStoreTrusts) {
  const SystemStore store(certificates_.ca());
  LiveSource source("rediss://localhost:" + std::to_string(port_));
  EXPECT_TRUE(has_line(source.page(), "redis_up 1")) << describe(source.error().value_or(Error{}));
  EXPECT_TRUE(has_line(source.page(), "redis_connections_received_total 2"));  // 1: the check that it has started
}

TEST_F(RedisTls, RefusesAServerOfAnUnknownAuthority) {
  const Certificates others;
  const SystemStore store(others.ca());
  LiveSource source("rediss://localhost:" + std::to_string(port_));
  EXPECT_TRUE(has_line(source.page(), "redis_exporter_last_scrape_error{err=\"tls\"} 1"));
}

TEST_F(RedisTls, RefusesACertificateOfAnotherName) {
  const SystemStore store(certificates_.ca());
  LiveSource source("rediss://127.0.0.1:" + std::to_string(port_));
  EXPECT_TRUE(has_line(source.page(), "redis_exporter_last_scrape_error{err=\"tls\"} 1"));
}

}  // namespace
}  // namespace midst
