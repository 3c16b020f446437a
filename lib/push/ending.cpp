#include "lib/push/ending.hpp"

#include "lib/push/client.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace midst::push {
namespace detail {
namespace {

/// Of the places; a descriptor is kept as its number + 1.
constexpr int is_free = 0;

/// Plain memory, for a handler may touch nothing else. Sequentially consistent throughout: see ask_no_more().
struct Ending {
  std::array<std::atomic<int>, max_asked> places{};
  std::atomic<bool> has_begun{false};
  std::atomic<int> delivered{0};
};
constinit Ending ending;

void sleep_ms(long milliseconds) noexcept {
  const timespec pause{0, milliseconds * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

/// Asks, waits a little longer than a flush thread may take, and lets the signal do what it does by default.
extern "C" void deliver_and_end(int number) {
  const int error = errno;
  if (!ending.has_begun.exchange(true)) {
    int asked = 0;
    for (auto& place : ending.places) {
      const int kept = place.load();
      const std::uint64_t one = 1;
      if (kept != is_free && ::write(kept - 1, &one, sizeof one) == sizeof one) ++asked;
    }
    for (int waited_ms = 0; ending.delivered < asked && waited_ms < 60; ++waited_ms) sleep_ms(1);
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(number, &by_default, nullptr);
    ::raise(number);  // blocked until this handler returns
  }
  errno = error;
}

}  // namespace

int ask_at_end(int wake_descriptor) noexcept {
  for (int place = 0; place < max_asked; ++place) {
    int expected = is_free;
    if (ending.places[static_cast<std::size_t>(place)].compare_exchange_strong(expected, wake_descriptor + 1))
      return place;
  }
  return -1;
}

void ask_no_more(int place) noexcept {
  if (place < 0) return;
  ending.places[static_cast<std::size_t>(place)] = is_free;
  // A handler that has read the descriptor before may still write to it: nobody else may get its number meanwhile.
  for (int waited_ms = 0; ending.has_begun && waited_ms < 100; ++waited_ms) sleep_ms(1);
}

void ask_nobody() noexcept {
  for (auto& place : ending.places) place = is_free;
  ending.has_begun = false;
  ending.delivered = 0;
}

bool is_ending() noexcept {
  return ending.has_begun;
}

void has_delivered() noexcept {
  ++ending.delivered;
}

}  // namespace detail

bool deliver_at_signal(int number) noexcept {
  // Of these the default is the end, but for process 1 of a container, which they do not reach without a handler.
  constexpr std::array ends{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};
  if (std::find(ends.begin(), ends.end(), number) == ends.end() || ::getpid() == 1) return false;
  struct sigaction present {};
  if (::sigaction(number, nullptr, &present) != 0 || (present.sa_flags & SA_SIGINFO) != 0) return false;
  if (present.sa_handler == detail::deliver_and_end) return true;
  if (present.sa_handler != SIG_DFL) return false;
  struct sigaction wanted {};
  wanted.sa_handler = detail::deliver_and_end;
  ::sigemptyset(&wanted.sa_mask);
  return ::sigaction(number, &wanted, nullptr) == 0;
}

}  // namespace midst::push
