#include "agent/ingest/listener.hpp"

#include "tests/integration/push/agent_thread.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>
#include <string>

namespace midst::ingest {
namespace {

using namespace std::chrono_literals;
using test::TemporaryDirectory;
using test::value_of;

std::string hello_frame(std::uint8_t instance = 1) {
  wire::Hello hello;
  hello.instance.fill(instance);
  std::string out;
  wire::encode(out, hello);
  return out;
}

/// A client made of bare system calls.
class Peer {
 public:
  explicit Peer(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    is_connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(socket_); }

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  [[nodiscard]] ssize_t send(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  /// Reads what is there. @return whether the other end is still open.
  bool read() {
    char bytes[4096];
    for (;;) {
      const auto size = ::recv(socket_, bytes, sizeof bytes, 0);
      if (size == 0) return false;
      if (size < 0) return errno == EAGAIN;
      received.append(bytes, static_cast<std::size_t>(size));
    }
  }
  std::string received;

 private:
  int socket_;
  bool is_connected_ = false;
};

class ListenerTest : public testing::Test {
 protected:
  std::string path() { return directory_.file("push.sock"); }
  std::unique_ptr<Listener> listen(ListenerOptions options = {}) {
    auto made = std::make_unique<Listener>(io_.get_executor(), store_, options);
    const auto bound = made->listen(path());
    EXPECT_TRUE(bound) << (bound ? "" : bound.error().message);
    return made;
  }
  bool closes(Peer& peer) {
    return test::run_until(io_, [&] { return !peer.read(); });
  }
  double disconnects(const char* reason) {
    return value_of(store_.snapshot({}), "midst_push_disconnects_total", std::string("reason=\"") + reason + "\"")
        .value_or(-1);
  }

  TemporaryDirectory directory_;
  boost::asio::io_context io_;
  Store store_{StoreLimits{}};
};

TEST_F(ListenerTest, WelcomesAClientAndRecordsWhoItIs) {
  const auto listener = listen();
  Peer peer(path());
  ASSERT_TRUE(peer.is_connected());
  ASSERT_GT(peer.send(hello_frame()), 0);
  ASSERT_TRUE(test::run_until(io_, [&] { return peer.read() && !peer.received.empty(); }));
  EXPECT_EQ(wire::decode_header(peer.received.data()).type, 2);
  ASSERT_EQ(store_.clients().size(), 1u);
  EXPECT_EQ(store_.clients()[0].peer.pid, ::getpid());
  EXPECT_EQ(store_.clients()[0].peer.uid, ::getuid());
  EXPECT_EQ(listener->client_count(), 1u);
}

TEST_F(ListenerTest, TheSocketFileHasTheModeAskedForAndGoesWithTheListener) {
  ListenerOptions options;
  options.socket_mode = 0600;
  auto listener = listen(options);
  struct stat there {};
  ASSERT_EQ(::stat(path().c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777, 0600u);
  listener.reset();
  EXPECT_NE(::stat(path().c_str(), &there), 0);
}

TEST_F(ListenerTest, ASilentConnectionEndsAfterTheHelloTimeout) {
  ListenerOptions options;
  options.hello_timeout = 20ms;
  const auto listener = listen(options);
  Peer peer(path());
  ASSERT_GT(peer.send(hello_frame().substr(0, 9)), 0);
  EXPECT_TRUE(closes(peer));
  EXPECT_EQ(disconnects("hello_timeout"), 1);
}

TEST_F(ListenerTest, AGreetedConnectionMayBeSilent) {
  ListenerOptions options;
  options.hello_timeout = 20ms;
  const auto listener = listen(options);
  Peer greeted(path());
  ASSERT_GT(greeted.send(hello_frame()), 0);
  ASSERT_TRUE(test::run_until(io_, [&] { return greeted.read() && !greeted.received.empty(); }));
  Peer silent(path());
  ASSERT_TRUE(closes(silent)) << "by then the greeted one has been silent for as long";
  EXPECT_TRUE(greeted.read());
}

TEST_F(ListenerTest, OneClientTooManyIsToldSo) {
  ListenerOptions options;
  options.max_clients = 1;
  const auto listener = listen(options);
  Peer first(path());
  ASSERT_GT(first.send(hello_frame()), 0);
  ASSERT_TRUE(test::run_until(io_, [&] { return listener->client_count() == 1; }));
  {
    Peer second(path());
    ASSERT_TRUE(closes(second));
    EXPECT_EQ(wire::decode_err(std::string_view(second.received).substr(8)).value().code, wire::ErrorCode::busy);
    EXPECT_EQ(disconnects("too_many_clients"), 1);
  }
  EXPECT_TRUE(first.read());
}

TEST_F(ListenerTest, AFaultIsToldBeforeTheEnd) {
  const auto listener = listen();
  Peer peer(path());
  ASSERT_GT(peer.send("GET /metrics HTTP/1.1\r\n\r\n"), 0);
  ASSERT_TRUE(closes(peer));
  EXPECT_EQ(wire::decode_header(peer.received.data()).type, 8);
  EXPECT_EQ(disconnects("protocol_error"), 1);
}

TEST_F(ListenerTest, AClientThatReadsNoRepliesIsDropped) {
  ListenerOptions options;
  options.write_timeout = 50ms;
  const auto listener = listen(options);
  Peer peer(path());
  ASSERT_GT(peer.send(hello_frame()), 0);
  // Every one of these is answered with ERR; nobody reads the answers.
  wire::FamilyDefinition refused;
  refused.name = "pg_up";
  std::string frames;
  for (int i = 0; i < 1000; ++i) wire::encode(frames, refused);
  std::size_t sent = 0;
  EXPECT_TRUE(test::run_until(io_, [&] {
    sent += static_cast<std::size_t>(std::max<ssize_t>(0, peer.send(std::string_view(frames).substr(sent))));
    if (sent == frames.size()) sent = 0;
    return store_.counters().disconnects[static_cast<std::size_t>(Disconnect::slow_reader)] == 1;
  }));
  EXPECT_TRUE(test::run_until(io_, [&] { return listener->client_count() == 0; }));
}

TEST_F(ListenerTest, ADrainTakesInWhatWasSentAndCloses) {
  const auto listener = listen();
  Peer peer(path());
  ASSERT_GT(peer.send(hello_frame()), 0);
  ASSERT_TRUE(test::run_until(io_, [&] { return peer.read() && !peer.received.empty(); }));
  wire::FamilyDefinition family;
  family.name = "late_total";
  std::string frames;
  wire::encode(frames, family);
  wire::encode(frames, wire::SeriesDefinition{});
  wire::SnapEncoder encoder;
  encoder.add(0, 5.0);
  wire::Snap head;
  head.seq = 1;
  head.is_last = true;
  encoder.finish(frames, head);
  ASSERT_EQ(peer.send(frames), static_cast<ssize_t>(frames.size()));
  test::run(io_, listener->drain(std::chrono::steady_clock::now() + 1s));
  EXPECT_EQ(value_of(store_.snapshot({}), "late_total"), 5);
  EXPECT_FALSE(peer.read());
  EXPECT_FALSE(Peer(path()).is_connected());
  EXPECT_EQ(disconnects("shutdown"), 1);
}

TEST_F(ListenerTest, AStaleSocketFileIsReplacedAndALivingOneIsNot) {
  {
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(dead);
  }
  const auto listener = listen();
  Listener second(io_.get_executor(), store_, {});
  const auto refused = second.listen(path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::connect_refused);
  EXPECT_TRUE(Peer(path()).is_connected());
}

TEST_F(ListenerTest, AdoptsADescriptorThatListens) {
  const int passed = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(passed, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(passed, 8), 0);
  Listener listener(io_.get_executor(), store_, {});
  const auto adopted = listener.listen(net::adopt_listener(net::Descriptor(passed)).value());
  ASSERT_TRUE(adopted) << adopted.error().message;
  Peer peer(path());
  ASSERT_GT(peer.send(hello_frame()), 0);
  EXPECT_TRUE(test::run_until(io_, [&] { return peer.read() && !peer.received.empty(); }));
}

TEST_F(ListenerTest, RefusesAPathThatIsTooLong) {
  Listener listener(io_.get_executor(), store_, {});
  const auto refused = listener.listen("/" + std::string(200, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::config);
}

TEST_F(ListenerTest, GoingAwayUnderTheClientsIsClean) {
  auto listener = listen();
  Peer greeted(path()), silent(path());
  ASSERT_GT(greeted.send(hello_frame()), 0);
  ASSERT_TRUE(test::run_until(io_, [&] { return listener->client_count() == 2; }));
  listener.reset();
  EXPECT_TRUE(closes(greeted));
  EXPECT_TRUE(closes(silent));
  EXPECT_EQ(store_.levels().attached, 0u);
}

TEST(AllowList, KnowsUsersAndGroupsByNameAndNumber) {
  EXPECT_TRUE(AllowList().allows({1, 4242, 4242}));
  const auto list = AllowList::resolve({"root", "4000"}, {"daemon", "4001"}).value();
  EXPECT_TRUE(list.allows({1, 0, 5000}));
  EXPECT_TRUE(list.allows({1, 4000, 5000}));
  EXPECT_TRUE(list.allows({1, 4242, 1}));
  EXPECT_TRUE(list.allows({1, 4242, 4001}));
  EXPECT_FALSE(list.allows({1, 4242, 4242}));
  EXPECT_EQ(AllowList::resolve({"nobody-here"}, {}).error().message,
            "allow_users: no user \"nobody-here\" on this system");
  EXPECT_EQ(AllowList::resolve({}, {"nobody-here"}).error().code, Errc::config);
}

}  // namespace
}  // namespace midst::ingest
