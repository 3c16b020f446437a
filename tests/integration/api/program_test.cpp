// The program as a shell and an init system see it: arguments, exit codes, log lines, signals.
#include "tests/integration/api/api_process.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>

namespace midst {
namespace {

using test::ApiProcess;
using test::run_command;

TEST(ApiProgram, AnswersVersionAndHelp) {
  const auto version = run_command({MIDST_API_BINARY, "--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.output.find("midst-api "), 0U);
  const auto help = run_command({MIDST_API_BINARY, "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.output.find("--config FILE"), std::string::npos) << help.output;
}

TEST(ApiProgram, SaysWithItsExitCodeWhatWasWrong) {
  EXPECT_EQ(run_command({MIDST_API_BINARY, "--nonsense"}).exit_code, 64);
  EXPECT_EQ(run_command({MIDST_API_BINARY, "serve"}).exit_code, 64);
  EXPECT_EQ(run_command({MIDST_API_BINARY, "--config"}).exit_code, 64);
  EXPECT_EQ(run_command({MIDST_API_BINARY, "--config", "/nonexistent.toml"}).exit_code, 78);
  ApiProcess unknown({}, "[http]\nlisen = \"127.0.0.1:0\"\n");
  EXPECT_EQ(unknown.wait_for_exit(), 78);
  EXPECT_NE(unknown.log().find(":2:1: error: unknown key http.lisen; did you mean http.listen?"), std::string::npos)
      << unknown.log();
  ApiProcess no_address(ApiProcess::Variables{{"API_LISTEN", "nonsense"}});
  EXPECT_EQ(no_address.wait_for_exit(), 78);
}

TEST(ApiProgram, DoesNotServeProductionWithoutASecret) {
  ApiProcess without(ApiProcess::Variables{{"MIDST_ENV", "production"}});
  EXPECT_EQ(without.wait_for_exit(), 78);
  EXPECT_NE(without.log().find("set JWT_SECRET"), std::string::npos) << without.log();
  const ApiProcess with(
      ApiProcess::Variables{{"MIDST_ENV", "production"}, {"JWT_SECRET", "hunter2-hunter2-hunter2-hunter2-x"}});
  EXPECT_EQ(with.get("/health").status, 200);
  EXPECT_NE(with.log().find("requests are not authenticated"), std::string::npos);
  EXPECT_EQ(with.log().find("hunter2"), std::string::npos);
}

TEST(ApiProgram, FailsPlainlyWhenItsAddressIsTaken) {
  const ApiProcess first({});
  ApiProcess second({{"API_LISTEN", first.address()}});
  EXPECT_EQ(second.wait_for_exit(), 1);
  EXPECT_NE(second.log().find("cannot start"), std::string::npos) << second.log();
}

TEST(ApiProgram, KeepsPasswordsOutOfItsLog) {
  const ApiProcess api({{"DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x"},
                        {"REDIS_URL", "redis://:hunter2@127.0.0.1:1"},
                        {"LOG_LEVEL", "debug"}});
  EXPECT_EQ(api.get("/ready").status, 503);
  EXPECT_TRUE(test::eventually([&] {
    return api.log().find("redis is away") != std::string::npos &&
           api.log().find("cannot be brought up to date") != std::string::npos;
  })) << api.log();
  EXPECT_EQ(api.log().find("hunter2"), std::string::npos) << api.log();
}

TEST(ApiProgram, TellsSystemdWhenItServesAndWhenItStops) {
  test::TempDir directory;
  const auto path = (directory.path() / "notify.sock").string();
  const int receiver = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), path.size());
  ASSERT_EQ(::bind(receiver, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto next = [&] {
    pollfd waiting{receiver, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return std::string("(nothing)");
    char buffer[256];
    const auto size = ::recv(receiver, static_cast<char*>(buffer), sizeof buffer, 0);
    return std::string(static_cast<const char*>(buffer), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  };
  ApiProcess api({{"NOTIFY_SOCKET", path}});
  EXPECT_EQ(next(), "READY=1\nSTATUS=serving on " + api.address());
  api.signal(SIGTERM);
  EXPECT_EQ(next(), "STOPPING=1");
  EXPECT_EQ(api.wait_for_exit(), 0);
  ::close(receiver);
}

TEST(ApiProgram, ServesOnAUnixSocket) {
  test::TempDir directory;
  const auto address = "unix:" + (directory.path() / "http.sock").string();
  const ApiProcess api({{"API_LISTEN", address}});
  EXPECT_EQ(test::http_get(address, "/health").body, R"({"status":"ok"})");
}

}  // namespace
}  // namespace midst
