#include "agent/ingest/statsd/listener.hpp"

#include "tests/integration/push/agent_thread.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

namespace midst::ingest::statsd {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDirectory;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  return address;
}

/// A client made of bare system calls.
class Client {
 public:
  Client(const std::string& path, int type) : socket_(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const auto address = address_of(path);
    is_connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  [[nodiscard]] bool send(std::string_view bytes) const {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// @return whether the other end has closed the connection.
  [[nodiscard]] bool is_ended() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  int socket_;
  bool is_connected_ = false;
};

class StatsdListener : public ::testing::Test {
 protected:
  std::string path(const std::string& name) { return folder_.file(name); }
  net::ListenAddress at(const std::string& name) {
    net::ListenAddress address;
    address.unix_path = path(name);
    return address;
  }
  double value(std::string_view family) {
    metrics::SnapshotBuilder builder;
    statsd_.write(builder, std::chrono::steady_clock::now());
    const auto snapshot = builder.freeze();
    const auto* found = snapshot.find(family);
    return found == nullptr ? -1 : found->values[0];
  }
  bool becomes(std::string_view family, double wanted) {
    return test::run_until(io_, [&] { return value(family) == wanted; });
  }

  TemporaryDirectory folder_;
  asio::io_context io_;
  Statsd statsd_{{}};
  std::optional<Listener> listener_{std::in_place, io_.get_executor(), statsd_, ListenerOptions{}};
};

TEST_F(StatsdListener, TakesDatagramsOfAnyUserAtItsSocketFile) {
  const auto bound = listener_->listen_datagrams(at("d"));
  ASSERT_TRUE(bound) << bound.error().message;
  EXPECT_EQ(*bound, "unix:" + path("d"));
  struct stat there {};
  ASSERT_EQ(::stat(path("d").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777U, 0666U);
  const Client client(path("d"), SOCK_DGRAM);
  ASSERT_TRUE(client.is_connected());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.send("a:1|c\na:2|c"));
  EXPECT_TRUE(becomes("a_total", 15));
  EXPECT_EQ(statsd_.counters().of(Protocol::datagram).packets, 5U);
}

TEST_F(StatsdListener, ReplacesTheSocketFileOfADeadProcess) {
  const int dead = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  const auto address = address_of(path("d"));
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(listener_->listen_datagrams(at("d")));
  ::close(dead);
  EXPECT_TRUE(listener_->listen_datagrams(at("d")));
  listener_.reset();
  EXPECT_TRUE(test::run_until(io_, [&] { return ::access(path("d").c_str(), F_OK) != 0; }))
      << "a listener removes its own file";
}

TEST_F(StatsdListener, DropsTheLineThatADatagramTooLongIsCutIn) {
  ASSERT_TRUE(listener_->listen_datagrams(at("d")));
  const Client client(path("d"), SOCK_DGRAM);
  ASSERT_TRUE(client.send("a:1|c\nb:1|c|#k:" + std::string(70'000, 'x')));
  EXPECT_TRUE(becomes("a_total", 1));
  EXPECT_EQ(value("b_total"), -1);
  EXPECT_EQ(statsd_.counters().of(Protocol::datagram).truncated, 1U);
}

TEST_F(StatsdListener, TakesStreamsOfBothFramingsAtOneSocket) {
  ASSERT_TRUE(listener_->listen_streams(at("s")));
  const Client lines(path("s"), SOCK_STREAM);
  const Client frames(path("s"), SOCK_STREAM);
  ASSERT_TRUE(lines.send("a:1|c\na:2|c\n"));
  ASSERT_TRUE(frames.send(std::string_view("\x05\0\0\0a:4|c\x05\0\0\0a:8|c", 18)));
  EXPECT_TRUE(becomes("a_total", 15));
  EXPECT_EQ(value("midst_push_stream_clients"), 2);
}

TEST_F(StatsdListener, CountsTheLastLineOfAClientThatGoes) {
  ASSERT_TRUE(listener_->listen_streams(at("s")));
  {
    const Client client(path("s"), SOCK_STREAM);
    ASSERT_TRUE(client.send("a:1|c\na:2|c"));
  }
  EXPECT_TRUE(becomes("a_total", 3));
  EXPECT_EQ(value("midst_push_stream_clients"), 0);
}

TEST_F(StatsdListener, EndsAClientWhoseFrameIsTooLongAndOneTooMany) {
  listener_.emplace(io_.get_executor(), statsd_, ListenerOptions{1, 0600, ""});
  ASSERT_TRUE(listener_->listen_streams(at("s")));
  const Client first(path("s"), SOCK_STREAM);
  ASSERT_TRUE(test::run_until(io_, [&] { return statsd_.counters().stream_clients == 1; }));
  const Client second(path("s"), SOCK_STREAM);
  EXPECT_TRUE(test::run_until(io_, [&] { return second.is_ended(); }));
  ASSERT_TRUE(first.send(std::string_view("\x05\0\0\0a:4|c\0\0\0\x01", 13)));
  EXPECT_TRUE(test::run_until(io_, [&] { return first.is_ended(); }));
  EXPECT_EQ(value("a_total"), 4);
  const auto& ends = statsd_.counters().stream_ends;
  EXPECT_EQ(ends[static_cast<std::size_t>(StreamEnd::too_many_clients)], 1U);
  EXPECT_EQ(ends[static_cast<std::size_t>(StreamEnd::frame_too_long)], 1U);
}

TEST_F(StatsdListener, TakesUdpWhereASignOfAGaugeIsAChange) {
  const auto bound = listener_->listen_datagrams(*net::parse_listen_address("127.0.0.1:0"));
  ASSERT_TRUE(bound) << bound.error().message;
  const Client client(net::parse_listen_address(*bound)->port);
  ASSERT_TRUE(client.send("g:5|g\ng:-2|g"));
  EXPECT_TRUE(becomes("g", 3));
  EXPECT_EQ(statsd_.counters().of(Protocol::udp).lines, 2U);
}

TEST_F(StatsdListener, TakesSocketsThatAreOpenAlready) {
  auto datagrams = net::open_datagram(at("d"), {});
  ASSERT_TRUE(datagrams);
  const Client early(path("d"), SOCK_DGRAM);
  ASSERT_TRUE(early.send("a:1|c"));
  ASSERT_TRUE(listener_->listen(std::move(*datagrams)));
  auto streams = net::open_listener(at("s"), {});
  ASSERT_TRUE(streams);
  ASSERT_TRUE(listener_->listen(std::move(*streams)));
  const Client client(path("s"), SOCK_STREAM);
  ASSERT_TRUE(client.send("a:2|c\n"));
  EXPECT_TRUE(becomes("a_total", 3));
}

TEST_F(StatsdListener, TakesInWhatHasBeenSentWhenItDrains) {
  ASSERT_TRUE(listener_->listen_datagrams(at("d")));
  ASSERT_TRUE(listener_->listen_streams(at("s")));
  const Client stream(path("s"), SOCK_STREAM);
  ASSERT_TRUE(test::run_until(io_, [&] { return statsd_.counters().stream_clients == 1; }));
  const Client datagrams(path("d"), SOCK_DGRAM);
  ASSERT_TRUE(datagrams.send("a:1|c"));
  ASSERT_TRUE(stream.send("a:2|c\na:4|c"));
  test::run(io_, listener_->drain(std::chrono::steady_clock::now() + 1s));
  EXPECT_EQ(value("a_total"), 7);
  EXPECT_TRUE(stream.is_ended());
}

}  // namespace
}  // namespace midst::ingest::statsd
