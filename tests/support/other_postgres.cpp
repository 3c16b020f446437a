#include "tests/support/other_postgres.hpp"

#include <fmt/core.h>

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace midst::test {
namespace {

/// The major that the distribution has.
constexpr int packaged_major = 15;

void succeed(std::vector<std::string> arguments, bool as_service_user) {
  const auto name = arguments.front();
  const auto done = run_command(std::move(arguments), as_service_user);
  if (done.exit_code != 0) throw std::runtime_error(name + ": " + done.output);
}

}  // namespace

PostgresPrograms postgres_programs(int major) {
  if (major == packaged_major) return {"/usr/lib/postgresql/15/bin", ""};
  auto done = run_command(
      {"python3", std::string(MIDST_SOURCE_DIR) + "/tests/support/other_postgres.py", std::to_string(major)});
  while (!done.output.empty() && done.output.back() == '\n') done.output.pop_back();
  if (done.exit_code == 0) return {std::filesystem::path(done.output) / "bin", ""};
  if (done.exit_code == 3) return {"", done.output};
  throw std::runtime_error("other_postgres.py: " + done.output);
}

OtherPostgresServer::OtherPostgresServer(int major, std::filesystem::path bin, std::vector<std::string> settings)
    : major_(major), bin_(std::move(bin)), settings_(std::move(settings)) {
  // The service user makes its data folder itself.
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
  succeed({(bin_ / "initdb").string(), "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
           "--no-locale", "--pgdata=" + data()},
          true);
  start();
}

OtherPostgresServer::OtherPostgresServer(OtherPostgresServer& primary, std::string_view slot)
    : major_(primary.major_), bin_(primary.bin_), settings_(primary.settings_) {
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
  primary.kill(SIGINT);
  succeed({"cp", "-a", primary.data(), data()}, true);
  primary.start();
  auto upstream = fmt::format("primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n", primary.port());
  if (!slot.empty()) upstream += fmt::format("primary_slot_name = '{}'\n", slot);
  if (major_ >= 12) {
    std::ofstream(data() + "/postgresql.auto.conf") << upstream;
    std::ofstream(data() + "/standby.signal") << "";
  } else {
    std::ofstream(data() + "/recovery.conf") << "standby_mode = 'on'\n" << upstream;
  }
  settings_.emplace_back("hot_standby=on");
  settings_.emplace_back("archive_mode=off");
  start();
}

std::vector<std::string> OtherPostgresServer::command() const {
  std::vector<std::string> settings{"port=" + std::to_string(port_),
                                    "listen_addresses=127.0.0.1",
                                    "unix_socket_directories=" + directory_.path().string(),
                                    "fsync=off",
                                    "shared_buffers=16MB",
                                    "wal_level=logical",
                                    "wal_receiver_status_interval=1s"};
  settings.insert(settings.end(), settings_.begin(), settings_.end());
  std::vector<std::string> all{(bin_ / "postgres").string(), "-D", data()};
  for (const auto& setting : settings) all.insert(all.end(), {"-c", setting});
  return all;
}

bool OtherPostgresServer::answers() const {
  return run_command({"pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)}).exit_code == 0;
}

std::string OtherPostgresServer::dsn(std::string_view database) const {
  return fmt::format("host=127.0.0.1 port={} user=postgres dbname={}", port_, database);
}

std::string OtherPostgresServer::sql(std::string_view statement, std::string_view database) const {
  auto done =
      run_command({"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn(database), "-c", std::string(statement)});
  if (done.exit_code != 0) throw std::runtime_error("psql: " + done.output);
  return done.output;
}

}  // namespace midst::test
