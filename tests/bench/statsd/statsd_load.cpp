// Load on a Unix datagram socket: "statsd_load send PATH BYTES SECONDS CONTEXTS c|h|mixed" sends packets of at most
// BYTES as fast as they are taken, "burst PATH PACKETS PERIOD_MS SECONDS" sends so many at a time without waiting,
// "sink PATH" only reads, "attack PATH LINES" sends lines that are all different. Prints what it did as JSON; a sink
// when it is killed.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Socket {
  explicit Socket(const char* path, int flags = 0) : number(::socket(AF_UNIX, SOCK_DGRAM | flags, 0)) {
    address.sun_family = AF_UNIX;
    std::strncpy(static_cast<char*>(address.sun_path), path, sizeof address.sun_path - 1);
  }
  [[nodiscard]] const sockaddr* where() const { return reinterpret_cast<const sockaddr*>(&address); }
  int number;
  sockaddr_un address{};
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// 66 or 67 bytes with its newline.
std::string line_of(std::size_t context, std::size_t value, std::string_view types) {
  char line[128];
  const char* const all[] = {"c", "ms", "g", "h"};
  const auto kind = types == "c" ? 0 : types == "h" ? 3 : context % 4;
  const auto size =
      std::snprintf(line, sizeof line, "api.m%03zu.requests:%zu|%s|#method:GET,route:/v1/r/%06zu,status:200\n",
                    context % 50 * 4 + kind, value % 900 + 100, all[kind], context);
  return {line, static_cast<std::size_t>(size)};
}

struct Packet {
  std::string bytes;
  std::size_t lines = 0;
};

std::vector<Packet> packets_of(std::size_t bytes, std::size_t contexts, std::string_view types) {
  std::vector<Packet> packets(1);
  std::uint64_t state = 88172645463325252ULL;
  for (std::size_t i = 0; i < contexts * 2 + 4096; ++i) {
    state ^= state << 13U, state ^= state >> 7U, state ^= state << 17U;
    const auto line = line_of(i < contexts ? i : state % contexts, state >> 20U, types);
    if (packets.back().lines > 0 && packets.back().bytes.size() + line.size() > bytes) packets.emplace_back();
    packets.back().bytes += line;
    ++packets.back().lines;
  }
  return packets;
}

int send(const char* path, std::size_t bytes, double seconds, std::size_t contexts, std::string_view types) {
  const Socket socket(path);
  if (::connect(socket.number, socket.where(), sizeof socket.address) != 0) fail("connect");
  const auto packets = packets_of(bytes, contexts, types);
  std::uint64_t lines = 0, sent = 0;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  for (std::size_t i = 0; (i & 63U) != 0 || Clock::now() < end; ++i) {
    const auto& packet = packets[i % packets.size()];
    if (::send(socket.number, packet.bytes.data(), packet.bytes.size(), 0) < 0) fail("send");
    lines += packet.lines;
    ++sent;
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::printf("{\"packets\": %llu, \"lines\": %llu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(lines), took.count(),
              cpu_seconds());
  return 0;
}

int burst(const char* path, std::size_t packets, std::size_t period_ms, double seconds) {
  const Socket socket(path, SOCK_NONBLOCK);
  if (::connect(socket.number, socket.where(), sizeof socket.address) != 0) fail("connect");
  std::string text = "burst:1|c|#";
  text.append(100 - text.size(), 'x');
  std::uint64_t sent = 0, lost = 0;
  const auto begin = Clock::now();
  auto next = begin;
  while (Clock::now() - begin < std::chrono::duration<double>(seconds)) {
    for (std::size_t i = 0; i < packets; ++i) {
      if (::send(socket.number, text.data(), text.size(), 0) >= 0)
        ++sent;
      else if (errno == EAGAIN)
        ++lost;
      else
        fail("send");
    }
    next += std::chrono::milliseconds(period_ms);
    std::this_thread::sleep_until(next);
  }
  std::printf("{\"sent\": %llu, \"lost\": %llu}\n", static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(lost));
  return 0;
}

int attack(const char* path, std::size_t lines) {
  const Socket socket(path);
  if (::connect(socket.number, socket.where(), sizeof socket.address) != 0) fail("connect");
  std::string packet;
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < lines; ++i) {
    packet += i % 10 == 0 ? "legit:1|c|#k:v\n" : "attack:1|c|#user:" + std::to_string(i) + "\n";
    if (i % 100 == 0) packet += "boom:1|ms|@1e-9\n";
    if (packet.size() < 8000 && i + 1 < lines) continue;
    if (::send(socket.number, packet.data(), packet.size(), 0) < 0) fail("send");
    packet.clear();
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::printf("{\"lines\": %zu, \"seconds\": %.6f}\n", lines, took.count());
  return 0;
}

volatile std::sig_atomic_t is_stopped = 0;

int sink(const char* path) {
  const Socket socket(path);
  ::unlink(path);
  if (::bind(socket.number, socket.where(), sizeof socket.address) != 0) fail("bind");
  struct sigaction stop {};
  stop.sa_handler = [](int) { is_stopped = 1; };
  ::sigaction(SIGTERM, &stop, nullptr);
  std::vector<char> buffer(64 * 1024);
  std::uint64_t packets = 0, bytes = 0;
  while (is_stopped == 0) {
    const auto size = ::recv(socket.number, buffer.data(), buffer.size(), 0);
    if (size < 0) continue;
    ++packets;
    bytes += static_cast<std::uint64_t>(size);
  }
  std::printf("{\"packets\": %llu, \"bytes\": %llu, \"cpu\": %.6f}\n", static_cast<unsigned long long>(packets),
              static_cast<unsigned long long>(bytes), cpu_seconds());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int index) { return std::strtoull(argv[index], nullptr, 10); };
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "send" && argc == 7) return send(argv[2], number(3), std::strtod(argv[4], nullptr), number(5), argv[6]);
  if (what == "burst" && argc == 6) return burst(argv[2], number(3), number(4), std::strtod(argv[5], nullptr));
  if (what == "attack" && argc == 4) return attack(argv[2], number(3));
  if (what == "sink" && argc == 3) return sink(argv[2]);
  std::fputs(
      "statsd_load send PATH BYTES SECONDS CONTEXTS c|h|mixed | burst PATH PACKETS PERIOD_MS SECONDS | attack PATH "
      "LINES | sink "
      "PATH\n",
      stderr);
  return 64;
}
