#include "lib/net/sockets.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace midst::net {
namespace {

class SocketFiles : public testing::Test {
 protected:
  SocketFiles() {
    std::string pattern = testing::TempDir() + "midst-sockets-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~SocketFiles() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }

  static ListenAddress unix_address(const std::string& path) {
    ListenAddress address;
    address.unix_path = path;
    return address;
  }

  /// Binds and closes without unlinking, as a process that was killed does.
  static void abandon(const std::string& path, int type) {
    const int socket = ::socket(AF_UNIX, type, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(socket);
  }

  static int connect_to(const std::string& path) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }

  std::string directory_;
};

ListenAddress tcp_address(std::string host, std::uint16_t port) {
  ListenAddress address;
  address.host = std::move(host);
  address.port = port;
  return address;
}

struct GoodAddress {
  std::string_view text, host, unix_path;
  std::uint16_t port;
  std::string_view formatted;
};

constexpr GoodAddress good_addresses[] = {
    {"127.0.0.1:9464", "127.0.0.1", "", 9464, "127.0.0.1:9464"},
    {"[::1]:9464", "::1", "", 9464, "[::1]:9464"},
    {"[::]:0", "::", "", 0, "[::]:0"},
    {":9464", "", "", 9464, ":9464"},
    {"*:9464", "", "", 9464, ":9464"},
    {"localhost:0", "localhost", "", 0, "localhost:0"},
    {"a-b_c.example:65535", "a-b_c.example", "", 65535, "a-b_c.example:65535"},
    {"unix:/run/x.sock", "", "/run/x.sock", 0, "unix:/run/x.sock"},
    {"unix:////run/x.sock", "", "/run/x.sock", 0, "unix:/run/x.sock"},
};

TEST(ListenAddress, TakesEveryDocumentedForm) {
  for (const auto& good : good_addresses) {
    const auto address = parse_listen_address(good.text);
    ASSERT_TRUE(address.has_value()) << good.text;
    EXPECT_EQ(address->host, good.host) << good.text;
    EXPECT_EQ(address->port, good.port) << good.text;
    EXPECT_EQ(address->unix_path, good.unix_path) << good.text;
    EXPECT_EQ(format_address(*address), good.formatted) << good.text;
  }
}

struct BadAddress {
  std::string_view text, message;
};

constexpr BadAddress bad_addresses[] = {
    {"", "no port; write it like \"127.0.0.1:9464\", \":9464\" or \"unix:/path\""},
    {"9464", "no port; write it like \"127.0.0.1:9464\", \":9464\" or \"unix:/path\""},
    {"[::1]", "no port; write it like \"127.0.0.1:9464\", \":9464\" or \"unix:/path\""},
    {"host:", "the port is not a number from 0 to 65535"},
    {"host:65536", "the port is not a number from 0 to 65535"},
    {"host:-1", "the port is not a number from 0 to 65535"},
    {"host:+1", "the port is not a number from 0 to 65535"},
    {"host:http", "the port is not a number from 0 to 65535"},
    {"::1:9464", "write an IPv6 address in brackets, like \"[::1]:9464\""},
    {"[nonsense]:1", "what stands in brackets is not an IPv6 address"},
    {"[127.0.0.1]:1", "what stands in brackets is not an IPv6 address"},
    {"ho st:1", "the host has a character that no host name has"},
    {"http://127.0.0.1:1", "write it without a scheme, like \"127.0.0.1:9464\""},
    {"unix:", "the path after \"unix:\" must be absolute"},
    {"unix:/", "the path after \"unix:\" must be absolute"},
    {"unix:run/x.sock", "the path after \"unix:\" must be absolute"},
    {"unix:@name", "the path after \"unix:\" must be absolute"},
};

TEST(ListenAddress, SaysWhatIsWrongWithTheRest) {
  for (const auto& bad : bad_addresses) {
    const auto address = parse_listen_address(bad.text);
    ASSERT_FALSE(address.has_value()) << bad.text;
    EXPECT_EQ(address.error().code, Errc::config) << bad.text;
    EXPECT_EQ(address.error().message, "listen address \"" + std::string(bad.text) + "\": " + std::string(bad.message));
  }
}

TEST(ListenAddress, TakesAPathOf107BytesAndNotOneMore) {
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'a')).has_value());
  const auto longer = parse_listen_address("unix:/" + std::string(107, 'a'));
  ASSERT_FALSE(longer.has_value());
  EXPECT_NE(longer.error().message.find("longer than 107 bytes"), std::string::npos);
}

TEST(OpenListener, NamesThePortThatZeroBecame) {
  const auto listener = open_listener(tcp_address("127.0.0.1", 0), SocketFile{});
  ASSERT_TRUE(listener.has_value());
  const auto bound = parse_listen_address(listener->address);
  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(bound->host, "127.0.0.1");
  EXPECT_NE(bound->port, 0);
}

TEST(OpenListener, PrefersIpv4ForANameThatHasBoth) {
  const auto listener = open_listener(tcp_address("localhost", 0), SocketFile{});
  ASSERT_TRUE(listener.has_value());
  EXPECT_TRUE(listener->address.starts_with("127.0.0.1:")) << listener->address;
}

TEST(OpenListener, SaysWhichAddressIsTaken) {
  const auto first = open_listener(tcp_address("127.0.0.1", 0), SocketFile{});
  ASSERT_TRUE(first.has_value());
  const auto second = open_listener(*parse_listen_address(first->address), SocketFile{});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::connect_refused);
  EXPECT_EQ(second.error().message, "cannot listen on " + first->address + ": bind: Address already in use");
}

TEST(OpenListener, SaysWhichNameHasNoAddress) {
  const auto listener = open_listener(tcp_address("no-such-host.invalid", 0), SocketFile{});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code, Errc::dns);
  EXPECT_TRUE(listener.error().message.starts_with("cannot listen on no-such-host.invalid:0: "));
}

TEST_F(SocketFiles, HaveExactlyTheModeAskedForWhateverTheUmask) {
  const auto umask_before = ::umask(0077);
  const auto listener = open_listener(unix_address(path("s")), SocketFile{0666, ""});
  ::umask(umask_before);
  ASSERT_TRUE(listener.has_value());
  EXPECT_EQ(listener->address, "unix:" + path("s"));
  struct stat there {};
  ASSERT_EQ(::stat(path("s").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777U, 0666U);
}

TEST_F(SocketFiles, BelongToTheGroupAskedFor) {
  const auto own = std::to_string(::getgid());
  const auto listener = open_listener(unix_address(path("s")), SocketFile{0660, own});
  ASSERT_TRUE(listener.has_value()) << listener.error().message;
  struct stat there {};
  ASSERT_EQ(::stat(path("s").c_str(), &there), 0);
  EXPECT_EQ(there.st_gid, ::getgid());
}

TEST_F(SocketFiles, NeedAGroupThatExists) {
  const auto listener = open_listener(unix_address(path("s")), SocketFile{0660, "no-such-group"});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code, Errc::config);
  EXPECT_EQ(listener.error().message, "unix:" + path("s") + ": no group \"no-such-group\" on this system");
  EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_F(SocketFiles, OfADeadProcessAreReplaced) {
  abandon(path("s"), SOCK_STREAM);
  ASSERT_TRUE(std::filesystem::exists(path("s")));
  const auto listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(listener.has_value()) << listener.error().message;
  ::close(connect_to(path("s")));
}

TEST_F(SocketFiles, OfALivingProcessAreLeftAlone) {
  const auto first = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(first.has_value());
  const auto second = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::connect_refused);
  EXPECT_EQ(second.error().message, "cannot listen on unix:" + path("s") + ": another process is using it");
  ::close(connect_to(path("s")));
}

TEST_F(SocketFiles, ReplaceNothingThatIsNoSocket) {
  std::ofstream(path("s")) << "precious";
  const auto listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code, Errc::connect_refused);
  EXPECT_EQ(listener.error().message, "cannot listen on unix:" + path("s") +
                                          ": there is a file that is not a socket; move it away or set another path");
  std::string content;
  std::ifstream(path("s")) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(SocketFiles, SayThatTheDirectoryIsMissing) {
  const auto listener = open_listener(unix_address(path("none/s")), SocketFile{});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().message, "cannot listen on unix:" + path("none/s") + ": bind: No such file or directory");
}

TEST_F(SocketFiles, GoWithTheirListener) {
  { const auto listener = open_listener(unix_address(path("s")), SocketFile{}); }
  EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_F(SocketFiles, OfASuccessorStayWhenTheOldListenerGoes) {
  auto old_listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(old_listener.has_value());
  ASSERT_EQ(::unlink(path("s").c_str()), 0);
  const auto new_listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(new_listener.has_value());
  { const Listener gone = std::move(*old_listener); }
  EXPECT_TRUE(std::filesystem::exists(path("s")));
}

TEST_F(SocketFiles, OfDatagramSocketsFollowTheSameRules) {
  abandon(path("d"), SOCK_DGRAM);
  const auto first = open_datagram(unix_address(path("d")), SocketFile{0622, ""});
  ASSERT_TRUE(first.has_value()) << first.error().message;
  struct stat there {};
  ASSERT_EQ(::stat(path("d").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777U, 0622U);
  const auto second = open_datagram(unix_address(path("d")), SocketFile{});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message, "cannot listen on unix:" + path("d") + ": another process is using it");
}

TEST(DatagramSockets, AreBoundOnceOnly) {
  const auto first = open_datagram(*parse_listen_address("127.0.0.1:0"), SocketFile{});
  ASSERT_TRUE(first.has_value()) << first.error().message;
  const auto second = open_datagram(*parse_listen_address(first->address), SocketFile{});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().message, "cannot listen on " + first->address + ": bind: Address already in use");
}

TEST_F(SocketFiles, TellWhoConnected) {
  const auto listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(listener.has_value());
  const int client = connect_to(path("s"));
  const Descriptor accepted(::accept(listener->descriptor.get(), nullptr, nullptr));
  const auto peer = peer_credentials(accepted.get());
  ::close(client);
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, ::getuid());
  EXPECT_EQ(peer->gid, ::getgid());
}

TEST(PeerCredentials, AreUnknownOverTcp) {
  const Descriptor tcp(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(peer_credentials(tcp.get()).error().code, Errc::unsupported);
}

TEST_F(SocketFiles, ArePartOfAnAdoptedAddressAndStayWhenItGoes) {
  auto listener = open_listener(unix_address(path("s")), SocketFile{});
  ASSERT_TRUE(listener.has_value());
  {
    const auto adopted = adopt_listener(Descriptor(::dup(listener->descriptor.get())));
    ASSERT_TRUE(adopted.has_value());
    EXPECT_EQ(adopted->address, "unix:" + path("s"));
  }
  EXPECT_TRUE(std::filesystem::exists(path("s")));
}

TEST(AdoptListener, RefusesWhatDoesNotListen) {
  const auto number_of = [](int descriptor) { return std::to_string(descriptor); };
  const int silent = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto unready = adopt_listener(Descriptor(silent));
  EXPECT_EQ(unready.error().code, Errc::config);
  EXPECT_EQ(unready.error().message, "descriptor " + number_of(silent) + " is a stream socket that does not listen");
  const int datagram = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT_EQ(adopt_listener(Descriptor(datagram)).error().message,
            "descriptor " + number_of(datagram) + " is not a stream socket");
  int ends[2];
  ASSERT_EQ(::pipe(static_cast<int*>(ends)), 0);
  EXPECT_EQ(adopt_datagram(Descriptor(ends[0])).error().message,
            "descriptor " + number_of(ends[0]) + " is not a socket");
  ::close(ends[1]);
}

TEST(SystemdDescriptors, AreNoneWithoutSocketActivation) {
  ::unsetenv("LISTEN_FDS");
  const auto passed = systemd_descriptors();
  ASSERT_TRUE(passed.has_value());
  EXPECT_EQ(passed->size(), 0U);
}

/// Plays systemd: descriptors 3 and 4 are sockets, and the environment says so. Runs in a child, whose 3 and 4 are free
/// to take. @return 0 when both came out under their names, once.
int receive_from_systemd() {
  for (const int number : {3, 4}) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (socket != number) {
      ::dup2(socket, number);
      ::close(socket);
    }
    ::listen(number, 1);
  }
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "2", 1);
  ::setenv("LISTEN_FDNAMES", "http:push", 1);
  const auto passed = systemd_descriptors();
  if (!passed || passed->size() != 2) return 1;
  if ((*passed)[0].name != "http" || (*passed)[0].descriptor.get() != 3) return 2;
  if ((*passed)[1].name != "push" || (*passed)[1].descriptor.get() != 4) return 3;
  const auto again = systemd_descriptors();
  return again && again->empty() ? 0 : 4;
}

TEST(SystemdDescriptorsDeathTest, ComeWithTheirNamesOnce) {
  EXPECT_EXIT(::_exit(receive_from_systemd()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace midst::net
