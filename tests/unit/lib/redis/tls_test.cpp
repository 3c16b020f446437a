#include "lib/redis/tls.hpp"

#include "tests/support/certificates.hpp"

#include <boost/asio/ssl/context.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace midst::redis {
namespace {

class RedisTlsOptions : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates = new test::Certificates;
    certificates->issue("client", "DNS:agent");
    certificates->issue("other", "DNS:agent");
  }
  static void TearDownTestSuite() { delete certificates; }

  static TlsOptions pair(const std::string& certificate, const std::string& key) {
    TlsOptions options;
    options.cert_file = certificate;
    options.key_file = key;
    return options;
  }
  static TlsOptions authority(const std::string& file) {
    TlsOptions options;
    options.ca_file = file;
    return options;
  }
  static std::string file(const std::string& name) { return certificates->file(name); }
  static std::string write(const std::string& name, const std::string& text) {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  /// @return "config: …", or "good".
  static std::string told(const TlsOptions& options) {
    const auto context = make_tls_context(options);
    return context ? "good" : describe(context.error());
  }

  static inline test::Certificates* certificates = nullptr;
};

TEST_F(RedisTlsOptions, TakesGoodFilesAndNone) {
  EXPECT_EQ(told({}), "good");
  EXPECT_EQ(told(authority(certificates->ca())), "good");
  EXPECT_EQ(told(pair(file("client.crt"), file("client.key"))), "good");
}

TEST_F(RedisTlsOptions, NamesBothSettingsWhenOneIsMissing) {
  const std::string both = "config: tls.cert_file and tls.key_file need each other; only one is set";
  EXPECT_EQ(told(pair(file("client.crt"), "")), both);
  EXPECT_EQ(told(pair("", file("client.key"))), both);
}

TEST_F(RedisTlsOptions, NamesTheFileThatCannotBeRead) {
  const auto missing = file("missing");
  EXPECT_EQ(told(authority(missing)), "config: tls.ca_file: " + missing + ": No such file or directory");
  EXPECT_EQ(told(pair(missing, file("client.key"))),
            "config: tls.cert_file: " + missing + ": No such file or directory");
  EXPECT_EQ(told(pair(file("client.crt"), missing)),
            "config: tls.key_file: " + missing + ": No such file or directory");
  EXPECT_EQ(told(authority("/tmp")), "config: tls.ca_file: /tmp: Is a directory");
  const auto fifo = file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(told(authority(fifo)), "config: tls.ca_file: " + fifo + ": No such device");
}

TEST_F(RedisTlsOptions, NamesTheFileThatHoldsSomethingElse) {
  const auto text = write("text", "no certificate\n");
  const auto empty = write("empty", "");
  const auto broken = write("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(told(authority(text)), "config: tls.ca_file: " + text + ": no start line (PEM routines)");
  EXPECT_EQ(told(authority(empty)), "config: tls.ca_file: " + empty + ": no start line (PEM routines)");
  EXPECT_EQ(told(authority(broken)).find("config: tls.ca_file: " + broken + ": "), 0u) << told(authority(broken));
  EXPECT_EQ(told(pair(text, file("client.key"))).find("config: tls.cert_file: " + text + ": "), 0u);
  const auto key = told(pair(file("client.crt"), text));
  EXPECT_EQ(key.find("config: " + file("client.crt") + ": tls.key_file: " + text + ": "), 0u) << key;
}

TEST_F(RedisTlsOptions, RefusesAKeyOfAnotherCertificate) {
  const auto told_of = told(pair(file("client.crt"), file("other.key")));
  EXPECT_EQ(told_of.find("config: " + file("client.crt") + ": tls.key_file: " + file("other.key") + ": "), 0u);
  EXPECT_NE(told_of.find("key values mismatch"), std::string::npos) << told_of;
}

TEST_F(RedisTlsOptions, RefusesAKeyWithAPassphraseWithoutAskingForIt) {
  const auto made = test::run_command(
      {"openssl", "ec", "-in", file("client.key"), "-out", file("locked.key"), "-aes256", "-passout", "pass:secret"});
  ASSERT_EQ(made.exit_code, 0) << made.output;
  EXPECT_EQ(told(pair(file("client.crt"), file("locked.key"))).find("config: " + file("client.crt") + ": tls.key_file"),
            0u);
}

TEST_F(RedisTlsOptions, ReadsFilesUpToItsLimitToTheByte) {
  const auto certificate = test::read_file(certificates->ca());
  const std::size_t limit = 1024 * 1024;
  const auto largest = write("largest", certificate + std::string(limit - certificate.size(), '\n'));
  const auto larger = write("larger", certificate + std::string(limit - certificate.size() + 1, '\n'));
  EXPECT_EQ(told(authority(largest)), "good");
  EXPECT_EQ(told(authority(larger)), "config: tls.ca_file: " + larger + ": File too large");
}

/// A session as transport.cpp has it. @return the SNI that it would send; "-" for none.
std::string sni(const TlsOptions& options, const std::string& host) {
  const auto context = make_tls_context(options).value();
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context->native_handle()), SSL_free);
  if (const auto ready = expect_peer(session.get(), options, host); !ready) return describe(ready.error());
  const auto* name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "-" : name;
}

TEST_F(RedisTlsOptions, SendsNamesAndNeverAddresses) {
  TlsOptions named;
  named.server_name = "redis.internal";
  TlsOptions numbered;
  numbered.server_name = "10.0.0.1";
  EXPECT_EQ(sni({}, "localhost"), "localhost");
  EXPECT_EQ(sni({}, "127.0.0.1"), "-");
  EXPECT_EQ(sni({}, "2001:db8::1"), "-");
  EXPECT_EQ(sni(named, "127.0.0.1"), "redis.internal");
  EXPECT_EQ(sni(named, "localhost"), "redis.internal");
  EXPECT_EQ(sni(numbered, "localhost"), "-");
  EXPECT_EQ(sni({}, std::string(300, 'a')), "tls: the name of the server does not fit into the handshake");
}

}  // namespace
}  // namespace midst::redis
