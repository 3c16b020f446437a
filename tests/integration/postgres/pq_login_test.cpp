// lib/pq at the door: TLS modes, certificates, password files, services, several hosts, rotated secrets.
#include "lib/pq/connection.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

namespace midst::pq {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

/// A variable of the process while the object is there.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

ConnectionOptions without_backoff() {
  ConnectionOptions options;
  options.backoff_first = options.backoff_max = 0ms;
  return options;
}

class PqLogin : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<test::Certificates>();
    certificates_->issue("server", "DNS:localhost,IP:127.0.0.1");
    certificates_->issue("client", "DNS:agent");
    server_ = std::make_unique<test::PostgresServer>();
    server_->sql("CREATE ROLE agent LOGIN PASSWORD 'first'");
    install("server.crt");
    install("server.key");
    std::filesystem::copy_file(certificates_->ca(), server_->directory() / "data/ca.crt");
    std::filesystem::permissions(server_->directory() / "data/ca.crt", std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    server_->sql("ALTER SYSTEM SET ssl = on");
    server_->sql("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
    server_->set_hba(
        "local all all trust\nhostssl all agent 127.0.0.1/32 scram-sha-256\n"
        "host all postgres 127.0.0.1/32 trust\n");
    server_->kill(15);
    server_->start();
  }
  static void TearDownTestSuite() {
    server_.reset();
    certificates_.reset();
  }

  /// The server takes a key only when it is its own and nobody else's.
  static void install(const std::string& name) {
    const auto source = certificates_->file(name);
    std::filesystem::permissions(source, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    std::filesystem::permissions(std::filesystem::path(source).parent_path(),
                                 std::filesystem::perms::others_exec | std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    const auto target = (server_->directory() / "data" / name).string();
    const auto done = test::run_command({"install", "-m", "600", source, target}, true);
    ASSERT_EQ(done.exit_code, 0) << done.output;
  }

  static std::string dsn(const std::string& more) {
    return "host=127.0.0.1 port=" + std::to_string(server_->port()) + " dbname=postgres user=agent " + more;
  }

  /// Whether the login's line is encrypted ("t" or "f"), or the word of the failure.
  std::string encrypted(const std::string& text, PasswordProvider password = {}) {
    Connection connection(io_.get_executor(), parse_conninfo(text).value(), without_backoff(), std::move(password));
    return ask(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
  }

  std::string ask(Connection& connection, const std::string& sql) {
    Statement statement;
    statement.sql = sql;
    const auto rows = test::run(io_, connection.pipeline({statement}, std::chrono::steady_clock::now() + 5s));
    if (!rows) {
      EXPECT_THAT(rows.error().message, Not(HasSubstr("first")));
      last_error_ = rows.error().message;
      return std::string(word(rows.error().code));
    }
    return std::string(rows->front().text(0, 0));
  }

  asio::io_context io_;
  std::string last_error_;
  static std::unique_ptr<test::Certificates> certificates_;
  static std::unique_ptr<test::PostgresServer> server_;
};

std::unique_ptr<test::Certificates> PqLogin::certificates_;
std::unique_ptr<test::PostgresServer> PqLogin::server_;

TEST_F(PqLogin, EncryptsInEveryModeThatAllowsIt) {
  const auto ca = "sslrootcert=" + certificates_->ca();
  EXPECT_EQ(encrypted(dsn("password=first sslmode=prefer")), "t");
  EXPECT_EQ(encrypted(dsn("password=first sslmode=require")), "t");
  EXPECT_EQ(encrypted(dsn("password=first sslmode=verify-ca " + ca)), "t");
  EXPECT_EQ(encrypted(dsn("password=first sslmode=verify-full " + ca)), "t");
  EXPECT_EQ(encrypted(dsn("password=first sslmode=disable")), "auth");
}

TEST_F(PqLogin, RefusesAServerOfAnotherAuthorityOrName) {
  const test::Certificates others;
  EXPECT_EQ(encrypted(dsn("password=first sslmode=verify-ca sslrootcert=" + others.ca())), "tls");
  auto elsewhere = dsn("password=first sslmode=verify-full sslrootcert=" + certificates_->ca());
  elsewhere.replace(elsewhere.find("host=127.0.0.1"), 14, "host=another.test hostaddr=127.0.0.1");
  EXPECT_EQ(encrypted(elsewhere), "tls");
}

TEST_F(PqLogin, ReadsTheServiceFileAndThePasswordFile) {
  const test::TempDir folder;
  const auto service = (folder.path() / "services").string(), passwords = (folder.path() / "passwords").string();
  std::ofstream(service) << "[shop]\nhost=127.0.0.1\nport=" << server_->port()
                         << "\ndbname=postgres\nuser=agent\nsslmode=require\n";
  std::ofstream(passwords) << "127.0.0.1:" << server_->port() << ":*:agent:first\n";
  std::filesystem::permissions(passwords, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const Variable variable("PGSERVICEFILE", service);
  EXPECT_EQ(encrypted("service=shop passfile=" + passwords), "t");
  EXPECT_EQ(encrypted("service=shop"), "auth");
}

TEST_F(PqLogin, TriesTheHostsOfAListInTurn) {
  const auto dead = std::to_string(test::free_port()), alive = std::to_string(server_->port());
  EXPECT_EQ(encrypted("host=127.0.0.1,127.0.0.1 port=" + dead + "," + alive +
                      " dbname=postgres user=agent password=first sslmode=require"),
            "t");
  EXPECT_EQ(encrypted("postgresql://agent:first@127.0.0.1:" + dead + ",127.0.0.1:" + alive +
                      "/postgres?sslmode=require&target_session_attrs=primary"),
            "t");
}

TEST_F(PqLogin, TakesARotatedPasswordAtTheNextConnect) {
  const test::TempDir folder;
  const auto file = (folder.path() / "password").string();
  std::ofstream(file) << "first";
  Connection connection(io_.get_executor(), parse_conninfo(dsn("sslmode=require")).value(), without_backoff(),
                        [file]() -> Result<std::string> { return test::read_file(file); });
  EXPECT_EQ(ask(connection, "SELECT 1"), "1");
  server_->sql("ALTER ROLE agent PASSWORD 'second'");
  EXPECT_EQ(ask(connection, "SELECT 2"), "2");  // the kept connection does not care
  connection.close();
  EXPECT_EQ(ask(connection, "SELECT 3"), "auth");
  std::ofstream(file) << "second";
  EXPECT_EQ(ask(connection, "SELECT 4"), "4");
  server_->sql("ALTER ROLE agent PASSWORD 'first'");
}

}  // namespace
}  // namespace midst::pq
