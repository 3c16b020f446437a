// TLS of our own listeners, against OpenSSL as a client and sslscan as a judge.
#include "lib/net/server_tls.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/served_site.hpp"
#include "tests/support/tls_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace midst::net {
namespace {

using namespace std::chrono_literals;
using test::TlsChoice;
using test::TlsClient;

/// One authority for all tests of this file, whose certificates are made when they are first asked for: making keys
/// takes its time.
class Issued {
 public:
  [[nodiscard]] std::string ca() const { return made_.ca(); }
  /// @param name  "server.crt", "client.key" and so on.
  [[nodiscard]] std::string file(const std::string& name) const {
    const auto who = name.substr(0, name.find('.'));
    const auto* alternatives =
        who == "client" ? "DNS:prometheus.test,IP:10.1.2.3,email:ops@test" : "DNS:localhost,IP:127.0.0.1";
    if (!std::filesystem::exists(made_.file(name))) made_.issue(who, alternatives);
    return made_.file(name);
  }

 private:
  test::Certificates made_;
};

const Issued& certificates() {
  static const Issued made;
  return made;
}

/// The files of a listener in a folder of its own, so that a test may replace them.
class ServerTlsTest : public test::ServedSite {
 protected:
  void install(const std::string& name) {
    for (const auto* ending : {".crt", ".key"}) {
      const auto part = file("next");
      std::filesystem::copy_file(certificates().file(name + ending), part,
                                 std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(part, file(std::string("tls") + ending));
    }
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  [[nodiscard]] TlsOptions options() {
    install("server");
    TlsOptions options;
    options.cert_file = file("tls.crt");
    options.key_file = file("tls.key");
    return options;
  }

  void start_tls(TlsOptions options, ServerLimits limits = {}) {
    auto loaded = ServerTls::load(std::move(options));
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    tls_ = *loaded;
    start(limits);
    on_loop([this] { return server_->set_tls(tls_), 0; });
  }

  [[nodiscard]] static TlsChoice trusting() {
    TlsChoice choice;
    choice.ca_file = certificates().ca();
    return choice;
  }
  [[nodiscard]] static TlsChoice as_client(const std::string& name) {
    auto choice = trusting();
    choice.cert_file = certificates().file(name + ".crt");
    choice.key_file = certificates().file(name + ".key");
    return choice;
  }

  /// @return whether a client gets an answer.
  bool is_served(const TlsChoice& choice) {
    TlsClient client(address_, choice);
    return client.shake_hands() && client.get("/").ends_with("hello\n");
  }

  std::uint64_t failed_reloads() {
    return on_loop([this] { return tls_->failed_reloads(); });
  }

  test::TempDir folder_;
  std::shared_ptr<ServerTls> tls_;
};

TEST_F(ServerTlsTest, ServesRequestsOverTls12And13) {
  start_tls(options());
  for (const auto& [number, name] : {std::pair(TLS1_2_VERSION, "TLSv1.2"), std::pair(TLS1_3_VERSION, "TLSv1.3")}) {
    auto choice = trusting();
    choice.min_version = choice.max_version = number;
    TlsClient client(address_, choice);
    ASSERT_TRUE(client.shake_hands());
    EXPECT_EQ(client.version(), name);
    EXPECT_TRUE(client.get("/").ends_with("\r\n\r\nhello\n"));
    EXPECT_TRUE(client.get("/reach").ends_with("\r\n\r\nloopback")) << "the connection is kept";
    EXPECT_EQ(client.get("/size?5000000").size() / 5'000'000, 1U) << "more than a record and a socket hold";
  }
  EXPECT_EQ(counters().failed_handshakes, 0U);
}

TEST_F(ServerTlsTest, RefusesOldVersionsAndWeakCiphers) {
  start_tls(options());
  std::vector<TlsChoice> weak(2);
  weak[0].max_version = TLS1_VERSION;
  weak[1].max_version = TLS1_1_VERSION;
  for (const auto* ciphers : {"AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                              "NULL-SHA256", "aNULL", "PSK"}) {
    auto& choice = weak.emplace_back();
    choice.max_version = TLS1_2_VERSION;
    choice.ciphers = ciphers;
  }
  for (const auto& choice : weak) {
    TlsClient client(address_, choice);
    EXPECT_FALSE(client.shake_hands()) << choice.ciphers;
  }
  // Two of them the client does not even begin: it has no certificates for the one and no key for the other.
  EXPECT_TRUE(becomes_true([&] { return server_->counters().failed_handshakes >= weak.size() - 2; }));
  EXPECT_TRUE(is_served(trusting()));
}

TEST_F(ServerTlsTest, KeepsToTheVersionsAndSuitesOfItsSettings) {
  auto chosen = options();
  chosen.min_version = chosen.max_version = TLS1_2_VERSION;
  chosen.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"};
  chosen.curve_preferences = {"CurveP384"};
  start_tls(chosen);
  auto choice = trusting();
  TlsClient client(address_, choice);
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.version(), "TLSv1.2");
  EXPECT_STREQ(SSL_get_cipher_name(client.session()), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(SSL_get_negotiated_group(client.session()), NID_secp384r1);
  choice.min_version = TLS1_3_VERSION;
  EXPECT_FALSE(is_served(choice));
}

TEST_F(ServerTlsTest, AllowsOldVersionsToWhoAsksForThem) {
  auto chosen = options();
  chosen.min_version = TLS1_VERSION;
  start_tls(chosen);
  auto choice = trusting();
  choice.min_version = choice.max_version = TLS1_1_VERSION;
  EXPECT_TRUE(is_served(choice));
}

TEST_F(ServerTlsTest, ShowsAReplacedCertificateAtTheNextHandshake) {
  start_tls(options());
  TlsClient before(address_, trusting());
  ASSERT_TRUE(before.shake_hands());
  EXPECT_EQ(before.server_name(), "server");
  install("renewed");
  TlsClient after(address_, trusting());
  ASSERT_TRUE(after.shake_hands());
  EXPECT_EQ(after.server_name(), "renewed");
  EXPECT_TRUE(before.get("/").ends_with("hello\n")) << "a connection outlives its certificate";
  EXPECT_EQ(failed_reloads(), 0U);
}

TEST_F(ServerTlsTest, KeepsTheLastGoodPairWhenTheNewOneIsBroken) {
  start_tls(options());
  std::filesystem::copy_file(certificates().file("renewed.crt"), file("tls.crt"),
                             std::filesystem::copy_options::overwrite_existing);
  for (int i = 0; i < 3; ++i) {
    TlsClient client(address_, trusting());
    ASSERT_TRUE(client.shake_hands());
    EXPECT_EQ(client.server_name(), "server");
  }
  EXPECT_EQ(failed_reloads(), 1U) << "once for each change, not for each handshake";
  std::ofstream(file("tls.key")) << "no key";
  EXPECT_TRUE(is_served(trusting()));
  EXPECT_EQ(failed_reloads(), 2U);
  std::filesystem::remove(file("tls.crt"));
  EXPECT_TRUE(is_served(trusting()));
  EXPECT_EQ(failed_reloads(), 3U);
  install("renewed");
  TlsClient client(address_, trusting());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.server_name(), "renewed");
}

TEST_F(ServerTlsTest, TellsWhenItsCertificateEnds) {
  const auto loaded = ServerTls::load(options());
  ASSERT_TRUE(loaded.has_value());
  const auto left = (*loaded)->expiry() - std::chrono::system_clock::now();
  EXPECT_GT(left, 47h);
  EXPECT_LE(left, 48h);
}

struct PolicyCase {
  ClientAuth policy;
  bool without, of_stranger, of_ours;  ///< Whether a client is served.
};

TEST_F(ServerTlsTest, AsksClientsForCertificatesAsThePolicySays) {
  const test::Certificates strangers;
  strangers.issue("stranger", "DNS:prometheus.test");
  auto stranger = trusting();
  stranger.cert_file = strangers.file("stranger.crt");
  stranger.key_file = strangers.file("stranger.key");
  start();
  for (const auto& each :
       {PolicyCase{ClientAuth::none, true, true, true}, PolicyCase{ClientAuth::request, true, true, true},
        PolicyCase{ClientAuth::require_any, false, true, true},
        PolicyCase{ClientAuth::verify_if_given, true, false, true},
        PolicyCase{ClientAuth::verify, false, false, true}}) {
    SCOPED_TRACE(static_cast<int>(each.policy));
    auto chosen = options();
    chosen.client_auth = each.policy;
    if (each.policy == ClientAuth::verify || each.policy == ClientAuth::verify_if_given)
      chosen.client_ca_file = certificates().ca();
    const auto loaded = ServerTls::load(chosen);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    on_loop([&] { return server_->set_tls(*loaded), 0; });
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      auto none = trusting(), other = stranger, ours = as_client("client");
      for (auto* choice : {&none, &other, &ours}) choice->max_version = choice->min_version = version;
      EXPECT_EQ(is_served(none), each.without);
      EXPECT_EQ(is_served(other), each.of_stranger);
      EXPECT_EQ(is_served(ours), each.of_ours);
    }
  }
}

TEST_F(ServerTlsTest, LetsInOnlyClientsWithAnAllowedName) {
  start();
  const std::vector<std::pair<std::string, bool>> names{
      {"prometheus.test", true}, {"10.1.2.3", true}, {"ops@test", true}, {"other.test", false}, {"test", false}};
  for (const auto& [name, is_allowed] : names) {
    auto chosen = options();
    chosen.client_auth = ClientAuth::verify;
    chosen.client_ca_file = certificates().ca();
    chosen.client_allowed_sans = {"first.test", name};
    const auto loaded = ServerTls::load(chosen);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    on_loop([&] { return server_->set_tls(*loaded), 0; });
    EXPECT_EQ(is_served(as_client("client")), is_allowed) << name;
  }
}

TEST_F(ServerTlsTest, TellsAPlainClientThatThisIsHttps) {
  start_tls(options());
  test::HttpClient client(address_);
  const auto answer = client.get("/");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "an HTTP request was sent to an HTTPS port; write https:// in front\n");
  EXPECT_EQ(client.read_rest(), "");
  EXPECT_EQ(counters().bad_requests, 1U);
}

TEST_F(ServerTlsTest, DoesNotEncryptUnixSockets) {
  start_tls(options());
  const auto path = "unix:" + file("http.sock");
  ASSERT_EQ(on_loop([&] { return server_->listen(path); }).value(), path);
  EXPECT_EQ(test::http_get(path, "/").body, "hello\n");
}

TEST_F(ServerTlsTest, GivesUpOnHandshakesThatStall) {
  ServerLimits limits;
  limits.header_timeout = 100ms;
  start_tls(options(), limits);
  test::HttpClient silent(address_);
  test::HttpClient begun(address_);
  begun.send(std::string("\x16\x03\x01\x02", 4));
  EXPECT_EQ(begun.read_rest(), "");
  EXPECT_EQ(silent.read_rest(), "");
  EXPECT_EQ(counters().failed_handshakes, 1U) << "nothing was begun on the silent one";
  EXPECT_TRUE(is_served(trusting()));
}

TEST_F(ServerTlsTest, EndsAHandshakeThatIsNoTls) {
  start_tls(options());
  test::HttpClient client(address_);
  client.send("\x16 this is no TLS at all, but long enough for a record's head");
  client.read_rest();  // an alert, then the end
  EXPECT_TRUE(becomes_true([this] { return server_->counters().failed_handshakes == 1; }));
}

TEST_F(ServerTlsTest, RefusesRenegotiation) {
  start_tls(options());
  auto choice = trusting();
  choice.max_version = TLS1_2_VERSION;
  TlsClient client(address_, choice);
  ASSERT_TRUE(client.shake_hands());
  ASSERT_EQ(SSL_renegotiate(client.session()), 1);
  EXPECT_NE(SSL_do_handshake(client.session()), 1);
  EXPECT_TRUE(is_served(choice));
}

TEST_F(ServerTlsTest, SaysGoodbyeBeforeItCloses) {
  start_tls(options());
  TlsClient client(address_, trusting());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_NE(client.get("/", "Connection: close\r\n"), "");
  char byte = 0;
  const int size = SSL_read(client.session(), &byte, 1);
  EXPECT_EQ(SSL_get_error(client.session(), size), SSL_ERROR_ZERO_RETURN) << "a cut would look the same otherwise";
}

TEST_F(ServerTlsTest, DrainsConnectionsThatAreOpen) {
  start_tls(options());
  TlsClient idle(address_, trusting());
  ASSERT_TRUE(idle.shake_hands());
  test::HttpClient silent(address_);
  ASSERT_TRUE(becomes_true([this] { return server_->counters().open_connections == 2; }));
  drain(10s).get();
  EXPECT_EQ(counters().open_connections, 0U);
  EXPECT_EQ(idle.get("/"), "");
}

struct SettingCase {
  std::string wrong;  ///< What the message has.
  TlsOptions options;
};

TEST_F(ServerTlsTest, NamesTheSettingThatIsWrong) {
  const auto good = options();
  std::vector<SettingCase> cases;
  const auto add = [&](std::string wrong, auto change) {
    auto changed = good;
    change(changed);
    cases.push_back({std::move(wrong), changed});
  };
  std::ofstream(file("empty")) << "";
  add("tls.cert_file: is missing", [](TlsOptions& each) { each.cert_file = ""; });
  add("tls.key_file: is missing", [](TlsOptions& each) { each.key_file = ""; });
  add("tls.cert_file: /absent: No such file", [](TlsOptions& each) { each.cert_file = "/absent"; });
  add("tls.key_file: /absent: No such file", [](TlsOptions& each) { each.key_file = "/absent"; });
  add("tls.cert_file: /: Is a directory", [](TlsOptions& each) { each.cert_file = "/"; });
  add("tls.cert_file: " + file("empty"), [&](TlsOptions& each) { each.cert_file = file("empty"); });
  add("key values mismatch", [](TlsOptions& each) { each.key_file = certificates().file("renewed.key"); });
  add("tls.client_ca_file: nobody is checked", [](TlsOptions& each) { each.client_ca_file = certificates().ca(); });
  add("tls.client_auth_type: it needs client_ca_file", [](TlsOptions& each) { each.client_auth = ClientAuth::verify; });
  add("tls.client_ca_file: /absent", [](TlsOptions& each) {
    each.client_auth = ClientAuth::verify;
    each.client_ca_file = "/absent";
  });
  add("tls.client_allowed_sans: a name", [](TlsOptions& each) { each.client_allowed_sans = {"a"}; });
  add("tls.max_version: is below", [](TlsOptions& each) { each.max_version = TLS1_1_VERSION; });
  add("unknown suite \"NONSENSE\"", [](TlsOptions& each) { each.cipher_suites = {"NONSENSE"}; });
  add("unknown curve \"P-256\"; one of X25519, CurveP256",
      [](TlsOptions& each) { each.curve_preferences = {"P-256"}; });
  for (const auto& each : cases) {
    const auto loaded = ServerTls::load(each.options);
    ASSERT_FALSE(loaded.has_value()) << each.wrong;
    EXPECT_EQ(loaded.error().code, Errc::config) << each.wrong;
    EXPECT_NE(loaded.error().message.find(each.wrong), std::string::npos) << loaded.error().message;
  }
  EXPECT_EQ(tls_version("TLS14").error().message, "unknown version \"TLS14\"; one of TLS10, TLS11, TLS12, TLS13");
  EXPECT_FALSE(client_auth("Require").has_value());
  EXPECT_EQ(client_auth("RequireAndVerifyClientCert").value(), ClientAuth::verify);
}

TEST_F(ServerTlsTest, PassesSslscan) {
  start_tls(options());
  const auto scan = test::run_command({"sslscan", "--no-colour", "--ocsp", address_});
  if (scan.output.find("Testing SSL server") == std::string::npos) GTEST_SKIP() << "sslscan is not installed";
  for (const auto* line :
       {"SSLv2     disabled", "SSLv3     disabled", "TLSv1.0   disabled", "TLSv1.1   disabled", "TLSv1.2   enabled",
        "TLSv1.3   enabled", "Session renegotiation not supported", "TLSv1.3 not vulnerable to heartbleed"})
    EXPECT_NE(scan.output.find(line), std::string::npos) << line << " is missing in\n" << scan.output;
  for (const auto* weak : {"-SHA ", "CBC", "RC4", "3DES", "NULL", "EXP-", "ffdhe"})
    EXPECT_EQ(scan.output.find(weak), std::string::npos) << scan.output;
}

}  // namespace
}  // namespace midst::net
