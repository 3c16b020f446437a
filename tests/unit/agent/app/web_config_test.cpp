#include "agent/app/web_config.hpp"

#include "agent/app/config.hpp"
#include "agent/app/web_yaml.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view hash = "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W";

struct Read {
  WebConfig web;
  std::vector<std::string> problems;
};

Read read(const std::string& toml) {
  auto parsed = parse_config(toml, "a.toml", Environment({}));
  Read outcome{parsed.config.web, {}};
  for (const auto& problem : parsed.problems) outcome.problems.push_back(describe(problem));
  return outcome;
}

TEST(WebConfig, IsPlainAndOpenByDefault) {
  const auto [web, problems] = read("");
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_FALSE(web.has_tls());
  EXPECT_THAT(web.guard.accounts, IsEmpty());
  EXPECT_THAT(web.guard.allowed_hosts, IsEmpty());
  EXPECT_THAT(web.guard.own_hosts, ElementsAre("127.0.0.1"));
  EXPECT_THAT(web.guard.headers, ElementsAre(Pair("X-Content-Type-Options", "nosniff")));
  EXPECT_EQ(web.guard.max_requests, 40U);
  EXPECT_EQ(web.guard.rate_interval, 0ms);
  EXPECT_EQ(web.server_limits().connections, 256U);
  EXPECT_EQ(web.server_limits().body_bytes, 64U * 1024);
}

TEST(WebConfig, ReadsEveryTable) {
  const test::Certificates certificates;
  certificates.issue("server", "DNS:localhost");
  const auto [web, problems] = read(R"(
[web]
listen = ["MyHost:9464", "unix:/run/x.sock"]
max_connections = 10
max_requests = 2
allowed_hosts = ["Metrics.Example", "*"]
[web.tls]
cert_file = ")" + certificates.file("server.crt") +
                                    R"("
key_file = ")" + certificates.file("server.key") +
                                    R"("
client_ca_file = ")" + certificates.ca() +
                                    R"("
client_auth_type = "RequireAndVerifyClientCert"
client_allowed_sans = ["a", "b"]
min_version = "TLS13"
max_version = "TLS13"
cipher_suites = ["TLS_AES_128_GCM_SHA256"]
curve_preferences = ["CurveP256"]
[web.basic_auth_users]
alice = ")" + std::string(hash) + R"("
"bob b" = ")" + std::string(hash) + R"("
[web.headers]
Strict-Transport-Security = "max-age=1"
X-Content-Type-Options = ""
X-Frame-Options = "deny"
[web.rate_limit]
interval = "2s"
burst = 5
[[web.listener]]
listen = "other:1"
)");
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_TRUE(web.has_tls());
  EXPECT_EQ(web.tls.client_auth, net::ClientAuth::verify);
  EXPECT_THAT(web.tls.client_allowed_sans, ElementsAre("a", "b"));
  EXPECT_EQ(web.tls.min_version, net::tls_version("TLS13").value());
  EXPECT_THAT(web.tls.cipher_suites, ElementsAre("TLS_AES_128_GCM_SHA256"));
  EXPECT_THAT(web.tls.curve_preferences, ElementsAre("CurveP256"));
  ASSERT_EQ(web.guard.accounts.size(), 2U);
  EXPECT_EQ(web.guard.accounts[0].name, "alice");
  EXPECT_EQ(web.guard.accounts[1].name, "bob b");
  EXPECT_THAT(web.guard.headers,
              ElementsAre(Pair("Strict-Transport-Security", "max-age=1"), Pair("X-Frame-Options", "deny")));
  EXPECT_THAT(web.guard.allowed_hosts, ElementsAre("metrics.example", "*"));
  EXPECT_THAT(web.guard.own_hosts, ElementsAre("myhost", "other"));
  EXPECT_EQ(web.guard.max_requests, 2U);
  EXPECT_EQ(web.guard.rate_interval, 2s);
  EXPECT_EQ(web.guard.rate_burst, 5U);
  EXPECT_EQ(web.server_limits().connections, 10U);
}

TEST(WebConfig, SaysWhatIsWrongAtItsPlace) {
  const auto problems = read(R"([web]
max_connections = 0
allowed_hosts = ["http://a", "a:1"]
[web.tls]
client_auth_type = "Always"
min_version = "TLS9"
cert = "x"
[web.basic_auth_users]
alice = "secret"
"a:b" = "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W"
[web.headers]
X-Frame-Options = "sometimes"
X-Frame-Option = "deny"
)")
                            .problems;
  const std::string make = "; make one with: htpasswd -nBC 10 \"\", or mkpasswd -m bcrypt";
  EXPECT_THAT(
      problems,
      ElementsAre(
          "a.toml:2:19: error: web.max_connections = 0 is out of range; it takes 1 to 100000",
          "a.toml:3:18: error: web.allowed_hosts: \"http://a\" is no host name; write it without scheme and port",
          "a.toml:3:30: error: web.allowed_hosts: \"a:1\" is no host name; write it without scheme and port",
          "a.toml:5:20: error: web.tls.client_auth_type: unknown policy \"Always\"; one of NoClientCert, "
          "RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
          "a.toml:6:15: error: web.tls.min_version: unknown version \"TLS9\"; one of TLS10, TLS11, TLS12, TLS13",
          "a.toml:7:1: error: unknown key web.tls.cert",
          "a.toml:9:9: error: web.basic_auth_users.alice: this is no password hash" + make,
          "a.toml:10:9: error: web.basic_auth_users.a:b: a name for basic authentication has at least one character, "
          "and "
          "no colon",
          "a.toml:12:19: error: web.headers.X-Frame-Options: takes deny or sameorigin",
          "a.toml:13:1: error: unknown key web.headers.X-Frame-Option; did you mean web.headers.X-Frame-Options?"));
}

TEST(WebConfig, TriesTheCertificates) {
  EXPECT_THAT(read("[web.tls]\ncert_file = \"/absent\"\nkey_file = \"/absent\"\n").problems,
              ElementsAre("a.toml:1:1: error: web.tls.cert_file: /absent: No such file or directory"));
  EXPECT_THAT(read("\n[web.tls]\nclient_ca_file = \"/absent\"\n").problems,
              ElementsAre("a.toml:2:1: error: web.tls.cert_file: is missing; it needs a file, like key_file"));
}

TEST(WebConfig, WarnsOfPasswordsInTheClear) {
  const auto accounts = "[web.basic_auth_users]\na = \"" + std::string(hash) + "\"\n";
  EXPECT_THAT(read("[web]\nlisten = [\":9464\"]\n" + accounts).problems,
              ElementsAre(HasSubstr("warning: passwords for HTTP go over the network in the clear")));
  EXPECT_THAT(read(accounts).problems, IsEmpty());
}

TEST(ExposedSecrets, AreWarnedOfWhereEveryUserMayReadTheFile) {
  const test::TempDir folder;
  const auto path = (folder.path() / "agent.toml").string();
  std::ofstream(path) << "[[redis]]\nurl = \"redis://:canary@h\"\n[[postgres]]\ndsn = \"host=h password=canary\"\n"
                         "[[redis]]\nname = \"b\"\nurl = \"redis://h\"\npassword = \"canary\"\n"
                         "[[redis]]\nname = \"c\"\nurl = \"redis://h\"\npassword_env = \"NOTHING\"\n";
  const auto warnings = [&] {
    std::vector<std::string> lines;
    for (const auto& problem : load_config(path, Environment({})).problems) lines.push_back(describe(problem));
    return lines;
  };
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  EXPECT_THAT(warnings(), IsEmpty());
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  const std::string why =
      " has a password in it, and every user may read this file; chmod o= it, or give the password by a file, variable "
      "or credential";
  EXPECT_THAT(warnings(),
              ElementsAre(path + ":2:7: warning: redis.url" + why, path + ":4:7: warning: postgres.dsn" + why,
                          path + ":8:12: warning: redis.password" + why));
}

class WebYaml : public testing::Test {
 protected:
  std::string write(const std::string& text) const {
    const auto path = file("web.yml");
    std::ofstream(path) << text;
    return path;
  }
  [[nodiscard]] std::string file(const std::string& name) const { return certificates_.file(name); }

  test::Certificates certificates_;
};

TEST_F(WebYaml, IsTakenAsExporterToolkitHasItAndPromtoolToo) {
  certificates_.issue("server", "DNS:localhost");
  const auto path = write(R"(tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
  prefer_server_cipher_suites: true
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
basic_auth_users:
  alice: )" + std::string(hash) +
                          "\n");
  const auto [web, problems] = read("[web]\nconfig_file = \"" + path + "\"\n");
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(web.tls.cert_file, file("server.crt"));
  EXPECT_EQ(web.tls.client_ca_file, certificates_.ca());
  EXPECT_EQ(web.tls.client_auth, net::ClientAuth::verify);
  EXPECT_THAT(web.tls.cipher_suites, ElementsAre("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
  ASSERT_EQ(web.guard.accounts.size(), 1U);
  EXPECT_EQ(web.guard.accounts[0].hash, hash);
  EXPECT_THAT(web.guard.headers,
              ElementsAre(Pair("X-Content-Type-Options", "nosniff"), Pair("X-Frame-Options", "deny")));
  const auto judged = test::run_command({"promtool", "check", "web-config", path});
  EXPECT_EQ(judged.exit_code, 0) << judged.output;
}

TEST_F(WebYaml, RefusesWhatItDoesNotKnowAtItsPlace) {
  const auto path = write(R"(tls_server_config:
  cert_fle: server.crt
  key: |
    text
basic_auth_users:
  alice: secret
rate_limit: {interval: soon, burst: 0}
nonsense: 1
)");
  const auto problems = read("[web]\nconfig_file = \"" + path + "\"\n").problems;
  const auto at = [&](std::string_view rest) { return path + std::string(rest); };
  EXPECT_THAT(
      problems,
      ElementsAre(
          at(":2:3: error: unknown key cert_fle in tls_server_config; did you mean cert_file?"),
          at(":3:8: error: certificates and keys are taken from files only; name one with cert_file, key_file or "
             "client_ca_file"),
          at(":2:3: error: tls_server_config has no cert_file and key_file"),
          at(":6:10: error: basic_auth_users.alice: this is no password hash; make one with: htpasswd -nBC 10 \"\", or "
             "mkpasswd -m bcrypt"),
          at(":7:24: error: interval takes a duration like \"1s\", of an hour at most"),
          at(":7:37: error: burst takes a whole number from 1 to 100000"),
          at(":8:1: error: unknown key nonsense in the file")));
}

TEST_F(WebYaml, StandsAloneAndMustBeThere) {
  EXPECT_THAT(read("[web]\nconfig_file = \"/absent\"\n").problems,
              ElementsAre("a.toml:2:15: error: web.config_file: cannot read /absent"));
  const auto path = write("{}\n");
  EXPECT_THAT(
      read("[web]\nconfig_file = \"" + path + "\"\n[web.basic_auth_users]\na = \"" + std::string(hash) + "\"\n")
          .problems,
      ElementsAre("a.toml:2:15: error: web.config_file stands for [web.tls] and [web.basic_auth_users]; give the "
                  "one or the others"));
}

}  // namespace
}  // namespace midst::app
