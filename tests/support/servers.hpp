// Real servers for the integration tests: private, on free loopback ports, under a temporary folder, ended with the
// test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::test {

/// A folder that is removed with the object. Others may enter it (the database user does).
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// @return a TCP port of 127.0.0.1 that was free a moment ago.
[[nodiscard]] std::uint16_t free_port();

/// A child process; killed with the object, and by the kernel if the test dies.
class Process {
 public:
  /// @param as_service_user  when the test runs as root: run it as "postgres", which Postgres and PgBouncer insist on.
  Process(std::vector<std::string> arguments, const std::filesystem::path& log, bool as_service_user);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const;
  /// Sends the signal and waits for the end. @return the wait status.
  int stop(int number);
  /// @return whether it has not ended yet.
  [[nodiscard]] bool is_running();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

/// A server that can be stopped and started again on the same port and data.
class Server {
 public:
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts it and waits until it answers; throws std::runtime_error with its log when it does not.
  void start();
  /// Ends it at once with SIGKILL (the default), or with another signal, and waits.
  void kill(int signal = 9);
  /// SIGSTOP and SIGCONT: a server that is there but hangs.
  void freeze() const;
  void thaw() const;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_.path(); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }

 protected:
  Server();
  [[nodiscard]] virtual std::vector<std::string> command() const = 0;
  [[nodiscard]] virtual bool runs_as_service_user() const { return false; }
  [[nodiscard]] virtual bool answers() const;

  TempDir directory_;
  std::uint16_t port_;
  std::optional<Process> process_;
};

/// redis-server on 127.0.0.1:port() and on unix_socket(); no persistence. Started by the constructor.
class RedisServer final : public Server {
 public:
  /// @param options  further command line: {"--requirepass", "secret"}.
  explicit RedisServer(std::vector<std::string> options = {});
  [[nodiscard]] std::string unix_socket() const { return (directory_.path() / "redis.sock").string(); }
  [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

 protected:
  [[nodiscard]] std::vector<std::string> command() const override;
  /// Its port accepts before its Unix socket is there, so it is asked, and answers from its event loop.
  [[nodiscard]] bool answers() const override;

 private:
  std::vector<std::string> options_;
};

/// Postgres 15 on 127.0.0.1:port() and on a socket in directory(); superuser "postgres", trust. Started by the
/// constructor.
class PostgresServer final : public Server {
 public:
  /// @param settings  further settings: {"max_connections=5"}.
  explicit PostgresServer(std::vector<std::string> settings = {});
  [[nodiscard]] std::string dsn(std::string_view database = "postgres", std::string_view user = "postgres") const;
  /// Runs SQL through psql as the superuser; throws with psql's message when it fails. @return unaligned output.
  std::string sql(std::string_view statement, std::string_view database = "postgres") const;
  /// Replaces pg_hba.conf and reloads.
  void set_hba(std::string_view lines) const;

 protected:
  [[nodiscard]] std::vector<std::string> command() const override;
  [[nodiscard]] bool runs_as_service_user() const override { return true; }
  [[nodiscard]] bool answers() const override;

 private:
  std::vector<std::string> settings_;
};

/// PgBouncer in transaction mode in front of a Postgres, on 127.0.0.1:port(). Started by the constructor.
class PgBouncerServer final : public Server {
 public:
  explicit PgBouncerServer(const PostgresServer& postgres, std::vector<std::string> settings = {});
  [[nodiscard]] std::string dsn(std::string_view database) const;
  /// @return the admin console's conninfo.
  [[nodiscard]] std::string console_dsn() const { return dsn("pgbouncer"); }

 protected:
  [[nodiscard]] std::vector<std::string> command() const override;
  [[nodiscard]] bool runs_as_service_user() const override { return true; }
};

/// Runs a command and waits. @return its exit code and what it wrote to standard output and error.
struct CommandResult {
  int exit_code;
  std::string output;
};
[[nodiscard]] CommandResult run_command(std::vector<std::string> arguments, bool as_service_user = false);

/// @return the whole file; throws when it cannot be read.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

}  // namespace midst::test
