#include "tests/support/servers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace midst::test {
namespace {

constexpr const char* postgres_bin = "/usr/lib/postgresql/15/bin/";
constexpr auto start_limit = std::chrono::seconds(30);

void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

const passwd* service_user() {
  const auto* user = geteuid() == 0 ? getpwnam("postgres") : nullptr;
  return user;
}

void give_to_service_user(const std::filesystem::path& path) {
  if (const auto* user = service_user(); user != nullptr && chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
    fail("chown " + path.string());
}

/// In the child: become the service user, die with the parent, run the program.
[[noreturn]] void execute(const std::vector<std::string>& arguments, const passwd* user) {
  if (user != nullptr) {
    if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
      _exit(126);
    if (chdir("/") != 0) _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

pid_t spawn(const std::vector<std::string>& arguments, int output, bool as_service_user) {
  const auto* user = as_service_user ? service_user() : nullptr;
  const pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execute(arguments, user);
  }
  return pid;
}

/// @return a socket connected to the port of 127.0.0.1, or -1.
int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

bool accepts(std::uint16_t port) {
  const int fd = connect_to(port);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// initdb takes over a second, so one data folder is made once per machine and copied for each server.
std::filesystem::path postgres_template() {
  const auto root =
      std::filesystem::temp_directory_path() / ("midst-postgres-15-template-" + std::to_string(geteuid()));
  const auto lock_path = root.string() + ".lock";
  const int lock = open(lock_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX) != 0) fail("lock " + lock_path);
  if (!std::filesystem::exists(root / "complete")) {
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root);
    give_to_service_user(root);
    const auto made =
        run_command({std::string(postgres_bin) + "initdb", "--no-sync", "--auth=trust", "--username=postgres",
                     "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata=" + (root / "data").string()},
                    true);
    if (made.exit_code != 0) throw std::runtime_error("initdb: " + made.output);
    std::ofstream(root / "complete").put('\n');
  }
  close(lock);
  return root / "data";
}

bool is_free(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return is_bound;
}

}  // namespace

TempDir::TempDir() {
  auto name = (std::filesystem::temp_directory_path() / "midst-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) fail("mkdtemp");
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

/// Below the range of which the kernel takes the ports of clients, with the bus of a Redis cluster 10 000 above.
std::uint16_t free_port() {
  constexpr int bus_offset = 10'000;
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> ports(10'240, 22'000);
  for (;;) {
    const int port = ports(random);
    if (is_free(port) && is_free(port + bus_offset)) return static_cast<std::uint16_t>(port);
  }
}

Process::Process(std::vector<std::string> arguments, const std::filesystem::path& log, bool as_service_user) {
  const int output = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) fail("open " + log.string());
  pid_ = spawn(arguments, output, as_service_user);
  close(output);
}

Process::~Process() {
  if (is_running()) stop(SIGKILL);
}

void Process::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

int Process::stop(int number) {
  if (status_) return *status_;
  signal(number);
  if (number == SIGKILL) signal(SIGCONT);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = status;
  return status;
}

bool Process::is_running() {
  if (status_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = status;
  return false;
}

Server::Server() : port_(free_port()) {
}

void Server::start() {
  const auto log = directory_.path() / "server.log";
  process_.emplace(command(), log, runs_as_service_user());
  const auto end = std::chrono::steady_clock::now() + start_limit;
  while (std::chrono::steady_clock::now() < end && process_->is_running()) {
    if (answers()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error(command().front() + " did not start: " + read_file(log));
}

void Server::kill(int signal) {
  process_->stop(signal);
}
void Server::freeze() const {
  process_->signal(SIGSTOP);
}
void Server::thaw() const {
  process_->signal(SIGCONT);
}
bool Server::answers() const {
  return accepts(port_);
}

RedisServer::RedisServer(std::vector<std::string> options) : options_(std::move(options)) {
  start();
}

bool RedisServer::answers() const {
  const int fd = connect_to(port_);
  if (fd < 0) return false;
  const timeval limit{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char reply = 0;
  const bool has_reply = send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && recv(fd, &reply, 1, 0) == 1;
  close(fd);
  return has_reply;
}

std::vector<std::string> RedisServer::command() const {
  std::vector<std::string> all{"redis-server",
                               "--bind",
                               "127.0.0.1",
                               "--port",
                               std::to_string(port_),
                               "--dir",
                               directory_.path().string(),
                               "--save",
                               "",
                               "--unixsocket",
                               unix_socket()};
  all.insert(all.end(), options_.begin(), options_.end());
  return all;
}

PostgresServer::PostgresServer(std::vector<std::string> settings) : settings_(std::move(settings)) {
  const auto data = directory_.path() / "data";
  const auto copied = run_command({"cp", "-a", postgres_template().string(), data.string()});
  if (copied.exit_code != 0) throw std::runtime_error("cp: " + copied.output);
  give_to_service_user(directory_.path());
  give_to_service_user(data);
  start();
}

std::vector<std::string> PostgresServer::command() const {
  std::vector<std::string> all{std::string(postgres_bin) + "postgres", "-D", (directory_.path() / "data").string()};
  std::vector<std::string> settings{"port=" + std::to_string(port_), "listen_addresses=127.0.0.1", "fsync=off",
                                    "unix_socket_directories=" + directory_.path().string(), "shared_buffers=16MB"};
  settings.insert(settings.end(), settings_.begin(), settings_.end());
  for (const auto& setting : settings) {
    all.emplace_back("-c");
    all.push_back(setting);
  }
  return all;
}

bool PostgresServer::answers() const {
  return run_command({std::string(postgres_bin) + "pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)})
             .exit_code == 0;
}

std::string PostgresServer::dsn(std::string_view database, std::string_view user) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=" + std::string(database) +
         " user=" + std::string(user);
}

std::string PostgresServer::sql(std::string_view statement, std::string_view database) const {
  auto result =
      run_command({"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", directory_.path().string(), "-p",
                   std::to_string(port_), "-U", "postgres", "-d", std::string(database), "-c", std::string(statement)});
  if (result.exit_code != 0) throw std::runtime_error("psql: " + result.output);
  return result.output;
}

void PostgresServer::set_hba(std::string_view lines) const {
  std::ofstream(directory_.path() / "data" / "pg_hba.conf") << lines << '\n';
  process_->signal(SIGHUP);
}

PgBouncerServer::PgBouncerServer(const PostgresServer& postgres, std::vector<std::string> settings) {
  std::ofstream ini(directory_.path() / "pgbouncer.ini");
  ini << "[databases]\n* = host=127.0.0.1 port=" << postgres.port() << "\n\n[pgbouncer]\n"
      << "listen_addr = 127.0.0.1\nlisten_port = " << port_ << "\nunix_socket_dir =\nauth_type = trust\n"
      << "auth_file = " << (directory_.path() / "users.txt").string() << "\nadmin_users = postgres\n"
      << "stats_users = stats\npool_mode = transaction\nmax_client_conn = 200\ndefault_pool_size = 20\n";
  for (const auto& setting : settings) ini << setting << '\n';
  std::ofstream(directory_.path() / "users.txt") << "\"postgres\" \"\"\n\"stats\" \"\"\n";
  ini.close();
  give_to_service_user(directory_.path());
  start();
}

std::vector<std::string> PgBouncerServer::command() const {
  return {"/usr/sbin/pgbouncer", (directory_.path() / "pgbouncer.ini").string()};
}

std::string PgBouncerServer::dsn(std::string_view database) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=" + std::string(database) + " user=postgres";
}

CommandResult run_command(std::vector<std::string> arguments, bool as_service_user) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const pid_t pid = spawn(arguments, ends[1], as_service_user);
  close(ends[1]);
  CommandResult result{-1, {}};
  char buffer[4096];
  for (;;) {
    const auto count = read(ends[0], buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    result.output.append(buffer, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace midst::test
