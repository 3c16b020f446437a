// TLS to a real redis-server with certificates made for the test.
#include "tests/integration/redis/live.hpp"
#include "tests/support/certificates.hpp"

#include <filesystem>
#include <string>

namespace midst {
namespace {

using test::Certificates;
using test::has_line;
using test::LiveSource;
using test::RedisServer;
using test::SystemStore;

/// Certificates with one for a server whose address is 127.0.0.1, whatever it is called.
class ServerCertificates : public Certificates {
 public:
  explicit ServerCertificates(const std::string& alternatives) {
    issue("server", alternatives);
    issue("client", "DNS:agent");
  }
};

/// A server with TLS and plain text, and a connection to it by the options of a test.
class RedisTls : public testing::Test {
 protected:
  static constexpr const char* not_trusted =
      "TLS handshake: the certificate: self-signed certificate in certificate chain";

  void start(const std::string& wants_clients, std::vector<std::string> more = {}) {
    std::vector<std::string> options{"--tls-port",         std::to_string(port_),
                                     "--tls-cert-file",    certificates_.file("server.crt"),
                                     "--tls-key-file",     certificates_.file("server.key"),
                                     "--tls-ca-cert-file", certificates_.ca(),
                                     "--tls-auth-clients", wants_clients};
    options.insert(options.end(), more.begin(), more.end());
    server_.emplace(options);
  }

  [[nodiscard]] redis::TlsOptions trusting() const {
    redis::TlsOptions tls;
    tls.ca_file = certificates_.ca();
    return tls;
  }

  void connect(redis::TlsOptions tls, const std::string& host = "localhost", const std::string& login = "") {
    redis::ConnectionOptions options;
    options.tls = std::move(tls);
    options.backoff_first = options.backoff_max = std::chrono::milliseconds(0);
    const auto uri = redis::parse_uri("rediss://" + login + host + ":" + std::to_string(port_)).value();
    connection_.emplace(io_.get_executor(), uri, options);
  }

  /// @return the reply's text, or why there is none.
  std::string ask(redis::Command command) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto replies = test::run(io_, connection_->pipeline({std::move(command)}, deadline));
    if (replies) return replies->front().text;
    return std::string(word(replies.error().code)) + ": " + after_address(replies.error().message);
  }

  /// @return the message without its "rediss://localhost:1234/0: ".
  static std::string after_address(const std::string& message) { return message.substr(message.find(": ") + 2); }

  ServerCertificates certificates_{"DNS:localhost,DNS:redis.internal"};
  std::uint16_t port_ = test::free_port();
  std::optional<RedisServer> server_;
  asio::io_context io_;
  std::optional<redis::Connection> connection_;
};

TEST_F(RedisTls, TrustsAServerThatTheSystemsStoreTrusts) {
  start("no");
  const SystemStore store(certificates_.ca());
  LiveSource source("rediss://localhost:" + std::to_string(port_));
  EXPECT_TRUE(has_line(source.page(), "redis_up 1")) << describe(source.error().value_or(Error{}));
  EXPECT_TRUE(has_line(source.page(), "redis_connections_received_total 2"));  // 1: the check that it has started
}

TEST_F(RedisTls, RefusesAServerOfAnUnknownAuthority) {
  start("no");
  const Certificates others;
  const SystemStore store(others.ca());
  LiveSource source("rediss://localhost:" + std::to_string(port_));
  EXPECT_TRUE(has_line(source.page(), "redis_exporter_last_scrape_error{err=\"tls\"} 1"));
}

TEST_F(RedisTls, RefusesACertificateOfAnotherName) {
  start("no");
  connect(trusting(), "127.0.0.1");
  EXPECT_EQ(ask({"PING"}), "tls: TLS handshake: the certificate: IP address mismatch");
  auto tls = trusting();
  tls.server_name = "other.internal";
  connect(tls);
  EXPECT_EQ(ask({"PING"}), "tls: TLS handshake: the certificate: hostname mismatch");
}

TEST_F(RedisTls, TrustsTheAuthorityOfItsFileAlone) {
  start("no");
  connect({});
  EXPECT_EQ(ask({"PING"}), std::string("tls: ") + not_trusted);
  connect(trusting());
  EXPECT_EQ(ask({"PING"}), "PONG");
  const Certificates others;
  const SystemStore store(certificates_.ca());
  redis::TlsOptions tls;
  tls.ca_file = others.ca();
  connect(tls);
  EXPECT_EQ(ask({"PING"}), std::string("tls: ") + not_trusted);
}

TEST_F(RedisTls, VerifiesTheServerNameInThePlaceOfTheAddress) {
  start("no");
  auto tls = trusting();
  tls.server_name = "redis.internal";
  connect(tls, "127.0.0.1");
  EXPECT_EQ(ask({"PING"}), "PONG");
}

TEST_F(RedisTls, VerifiesAnAddressThatTheCertificateNames) {
  certificates_.issue("server", "IP:127.0.0.1");
  start("no");
  connect(trusting(), "127.0.0.1");
  EXPECT_EQ(ask({"PING"}), "PONG");
  connect(trusting(), "localhost");
  EXPECT_EQ(ask({"PING"}), "tls: TLS handshake: the certificate: hostname mismatch");
  auto tls = trusting();
  tls.server_name = "127.0.0.1";
  connect(tls, "localhost");
  EXPECT_EQ(ask({"PING"}), "PONG");
}

TEST_F(RedisTls, TakesAnyCertificateWhenToldTo) {
  start("no");
  redis::TlsOptions tls;
  tls.skip_verify = true;
  connect(tls, "127.0.0.1");
  EXPECT_EQ(ask({"PING"}), "PONG");
}

TEST_F(RedisTls, ShowsItsCertificateToAServerThatWantsOne) {
  start("yes");
  connect(trusting());
  EXPECT_TRUE(ask({"PING"}).starts_with("tls: read: ")) << ask({"PING"});
  auto tls = trusting();
  tls.cert_file = certificates_.file("client.crt");
  tls.key_file = certificates_.file("client.key");
  connect(tls);
  EXPECT_EQ(ask({"PING"}), "PONG");
}

TEST_F(RedisTls, LogsInAsAUserOfTheAccessList) {
  start("no", {"--user", "watcher", "on", ">s3cret", "~*", "+ping", "+acl|whoami"});
  connect(trusting(), "localhost", "watcher:s3cret@");
  EXPECT_EQ(ask({"ACL", "WHOAMI"}), "watcher");
  connect(trusting(), "localhost", "watcher:wrong@");
  EXPECT_EQ(ask({"PING"}),
            "auth: AUTH refused, check user name and password: WRONGPASS invalid username-password pair or user is "
            "disabled.");
}

TEST_F(RedisTls, TakesReplacedFilesAtTheNextConnect) {
  start("yes");
  const auto replaced = [this](const std::string& name) { return certificates_.file("my-" + name); };
  const auto put = [&](const std::string& from, const std::string& name) {
    std::filesystem::copy_file(from, replaced(name), std::filesystem::copy_options::overwrite_existing);
  };
  const Certificates others;
  others.issue("client", "DNS:agent");
  put(others.ca(), "ca.crt");
  put(others.file("client.crt"), "client.crt");
  put(others.file("client.key"), "client.key");
  redis::TlsOptions tls;
  tls.ca_file = replaced("ca.crt");
  tls.cert_file = replaced("client.crt");
  tls.key_file = replaced("client.key");
  connect(tls);
  EXPECT_EQ(ask({"PING"}), std::string("tls: ") + not_trusted);
  put(certificates_.ca(), "ca.crt");
  EXPECT_TRUE(ask({"PING"}).starts_with("tls: read: ")) << ask({"PING"});
  put(certificates_.file("client.crt"), "client.crt");
  EXPECT_TRUE(ask({"PING"}).starts_with("config: ")) << "the key does not fit yet";
  put(certificates_.file("client.key"), "client.key");
  EXPECT_EQ(ask({"PING"}), "PONG");
  std::filesystem::remove(replaced("ca.crt"));
  EXPECT_EQ(ask({"PING"}), "PONG") << "a kept connection needs no file";
  connection_->close();
  EXPECT_EQ(ask({"PING"}), "config: tls.ca_file: " + replaced("ca.crt") + ": No such file or directory");
}

}  // namespace
}  // namespace midst
