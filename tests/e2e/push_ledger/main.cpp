// A program that counts with the push client and keeps a ledger of it in a file that other processes see.
//   push_ledger SOCKET LEDGER FLUSH_MS THREADS
// Commands on standard input, each answered with a line: p (pause: what was counted is in the ledger), g (go on),
// f (a child counts and ends), q (end).
#include "lib/push/client.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

/// How often each of the ten counters was added 1 to, the fraction 0.25, and how often was observed.
struct Ledger {
  std::atomic<std::uint64_t> whole, quarters, observed;
};

Ledger& open_ledger(const char* path) {
  const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(Ledger)) != 0) std::exit(2);
  void* const memory = ::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) std::exit(2);
  return *static_cast<Ledger*>(memory);
}

class Work {
 public:
  Work(midst::push::Client& client, Ledger& ledger)
      : quarter_(client.counter("ledger_quarters_total", "Quarters.").with({})),
        took_(client.histogram("ledger_seconds", "Seconds.", {1, 2, 3}).with({})),
        ledger_(ledger) {
    const auto family = client.counter("ledger_total", "Counted.", {"n"});
    for (std::size_t n = 0; n < counters_.size(); ++n) counters_[n] = family.with({std::to_string(n)});
  }

  void batch() const {
    constexpr std::uint64_t rounds = 100;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      for (const auto& counter : counters_) counter.add();
      quarter_.add(0.25);
      took_.observe(static_cast<double>(i % 5));
    }
    ledger_.whole += rounds;
    ledger_.quarters += rounds;
    ledger_.observed += rounds;
  }

 private:
  std::array<midst::push::Counter, 10> counters_;
  midst::push::Counter quarter_;
  midst::push::Histogram took_;
  Ledger& ledger_;
};

void answer(const char* word) {
  std::printf("%s\n", word);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 64;
  auto& ledger = open_ledger(words[2]);
  midst::push::ClientOptions options;
  options.socket_path = words[1];
  options.flush_interval = std::chrono::milliseconds(std::atoi(words[3]));
  midst::push::Client client(options);
  const Work work(client, ledger);
  const int threads = std::atoi(words[4]);
  std::atomic<bool> must_stop{false}, must_pause{false};
  std::atomic<int> paused{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([&] {
      while (!must_stop) {
        if (must_pause) {
          ++paused;
          while (must_pause && !must_stop) std::this_thread::sleep_for(1ms);
          --paused;
        }
        work.batch();
        std::this_thread::sleep_for(1ms);
      }
    });
  answer("counting");
  for (int command = std::getchar(); command != EOF && command != 'q'; command = std::getchar()) {
    if (command == 'p') {
      must_pause = true;
      while (paused < threads) std::this_thread::sleep_for(1ms);
      answer("paused");
    } else if (command == 'g') {
      must_pause = false;
      while (paused > 0) std::this_thread::sleep_for(1ms);
      answer("counting");
    } else if (command == 'f') {
      const auto child = ::fork();
      if (child == 0) {
        if (!client.flush(10s)) ::_exit(1);
        work.batch();
        ::_exit(0);  // without a word: the agent has the memory
      }
      int status = -1;
      ::waitpid(child, &status, 0);
      answer(status == 0 ? "forked" : "the child failed");
    }
  }
  must_stop = true;
  for (auto& worker : workers) worker.join();
  answer("ended");
  return 0;
}
