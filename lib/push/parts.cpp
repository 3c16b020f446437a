#include "lib/push/parts.hpp"

#include "lib/push/ending.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace midst::push::detail {
namespace {

/// The living clients of this process.
struct ClientList {
  std::mutex mutex;
  std::vector<Parts*> clients;
};

/// Never destroyed: handles may be used until the very end of the process.
ClientList& client_list() {
  static auto* const list = new ClientList;
  return *list;
}

std::atomic<std::uint32_t> last_number{0};

/// Whether some client waits for its thread after a fork.
std::atomic<bool> needs_threads{false};

/// What this thread owns in each client it has touched; gives it back when the thread ends.
struct ThreadShards {
  struct Entry {
    std::uint32_t client;
    std::shared_ptr<Shard> shard;
    std::weak_ptr<Shards> shards;
  };
  std::vector<Entry> entries;

  ThreadShards() = default;
  ThreadShards(const ThreadShards&) = delete;
  ThreadShards& operator=(const ThreadShards&) = delete;
  ~ThreadShards();
};
constinit thread_local bool has_ended = false;
thread_local ThreadShards thread_shards;

ThreadShards::~ThreadShards() {
  has_ended = true;
  this_thread = ThreadCells{};
  for (const auto& entry : entries)
    if (const auto shards = entry.shards.lock()) shards->retire(entry.shard);
}

std::shared_ptr<Shards> find_shards(std::uint32_t client) {
  auto& list = client_list();
  const std::lock_guard lock(list.mutex);
  for (auto* parts : list.clients) {
    if (parts->shards->number() != client) continue;
    parts->start_if_forked();
    return parts->shards;
  }
  return nullptr;
}

Shard* find_shard(std::uint32_t client) {
  for (const auto& entry : thread_shards.entries)
    if (entry.client == client && !entry.shards.expired()) return entry.shard.get();
  return nullptr;
}

/// @return this thread's shard of the client, made if need be; nullptr when the client is gone.
Shard* find_or_join(std::uint32_t client) {
  if (auto* shard = find_shard(client)) return shard;
  const auto shards = find_shards(client);
  if (!shards) return nullptr;
  std::erase_if(thread_shards.entries, [](const auto& entry) { return entry.shards.expired(); });
  thread_shards.entries.push_back({client, shards->join(), shards});
  return thread_shards.entries.back().shard.get();
}

void before_fork() {
  auto& list = client_list();
  list.mutex.lock();
  for (auto* parts : list.clients) parts->lock_for_fork();
}

void after_fork_in_parent() {
  auto& list = client_list();
  for (auto* parts : list.clients) parts->unlock_after_fork();
  list.mutex.unlock();
}

void after_fork_in_child() {
  ask_nobody();
  auto& list = client_list();
  for (auto* parts : list.clients) {
    parts->start_over(has_ended ? nullptr : find_shard(parts->shards->number()));
    parts->unlock_after_fork();
  }
  needs_threads = !list.clients.empty();
  this_thread = ThreadCells{};  // so that the next touch is a slow one, which starts the thread
  list.mutex.unlock();
}

wire::InstanceId random_instance() {
  wire::InstanceId id{};
  if (::getrandom(id.data(), id.size(), 0) == static_cast<ssize_t>(id.size())) return id;
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const auto process = ::getpid();
  std::memcpy(id.data(), &now, sizeof now);
  std::memcpy(id.data() + sizeof now, &process, sizeof process);
  return id;
}

std::uint64_t unix_time_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void complain(std::string_view what, std::string_view detail) {
  std::string line = "midst-push: ";
  line.append(what).append(": ").append(detail).append("\n");
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

ClientOptions clamped(ClientOptions options) {
  constexpr std::chrono::milliseconds shortest{100}, longest{10'000};
  options.flush_interval = std::clamp(options.flush_interval, shortest, longest);
  if (!options.on_problem) options.on_problem = complain;
  return options;
}

/// The program's signal handlers must not run on the flush thread.
std::unique_ptr<std::thread> start_without_signals(Flusher& flusher) {
  sigset_t all{}, before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  auto thread = std::make_unique<std::thread>(&Flusher::run, &flusher);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

constinit thread_local ThreadCells this_thread;

Cell* touch(std::uint32_t client, std::uint32_t cell) noexcept {
  if (client == 0 || has_ended) return nullptr;
  if (needs_threads.load(std::memory_order_relaxed)) start_threads_after_fork();
  try {
    auto* shard = find_or_join(client);
    if (shard == nullptr) return nullptr;
    this_thread = {client, shard->chunks()};
    return shard->touch(cell);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void add_locked(std::uint32_t client, std::uint32_t cell, std::uint64_t amount) noexcept {
  if (client == 0) return;
  if (const auto shards = find_shards(client)) shards->add_locked(cell, amount);
}

void add_locked(std::uint32_t client, std::uint32_t cell, double amount) noexcept {
  if (client == 0) return;
  if (const auto shards = find_shards(client)) shards->add_locked(cell, amount);
}

void add_first(std::uint32_t client, std::uint32_t first, std::uint32_t offset, std::uint64_t amount) noexcept {
  if (auto* const cells = touch(client, first)) return add(cells[offset], amount);
  add_locked(client, first + offset, amount);
}

void add_first(std::uint32_t client, std::uint32_t first, std::uint32_t offset, double amount) noexcept {
  if (auto* const cells = touch(client, first)) return add(cells[offset], amount);
  add_locked(client, first + offset, amount);
}

void start_threads_after_fork() noexcept {
  if (!needs_threads.load(std::memory_order_relaxed) || !needs_threads.exchange(false)) return;
  auto& list = client_list();
  const std::lock_guard lock(list.mutex);
  for (auto* parts : list.clients) parts->start_if_forked();
}

Parts::Parts(ClientOptions wished)
    : options(clamped(std::move(wished))),
      shards(std::make_shared<Shards>(++last_number)),
      registry(shards, options.max_series, options.on_problem) {
  static const int handlers = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  static_cast<void>(handlers);
  start();
  auto& list = client_list();
  const std::lock_guard lock(list.mutex);
  list.clients.push_back(this);
}

Parts::~Parts() {
  auto& list = client_list();
  {
    const std::lock_guard lock(list.mutex);
    std::erase(list.clients, this);
  }
  if (thread_) {
    {
      const std::lock_guard lock(requests.mutex);
      requests.must_stop = true;
    }
    requests.wake();
    thread_->join();
  }
  ask_no_more(place_at_end_);
  ::close(requests.wake_descriptor);
}

void Parts::start() {
  requests.wake_descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  place_at_end_ = ask_at_end(requests.wake_descriptor);
  if (options.shared_memory) {
    shards->share(SharedMemory::make());
    registry.write_directory();
  }
  flusher_ = std::make_unique<Flusher>(
      FlusherOptions{options.socket_path, options.resource, options.flush_interval, random_instance(), unix_time_ns(),
                     options.on_problem, shards->memory() == nullptr ? -1 : shards->memory()->descriptor()},
      registry, requests);
  thread_ = start_without_signals(*flusher_);
}

void Parts::start_if_forked() {
  if (was_forked_.exchange(false)) start();
}

void Parts::lock_for_fork() {
  requests.mutex.lock();
  registry.mutex().lock();
  shards->mutex().lock();
}

void Parts::unlock_after_fork() {
  shards->mutex().unlock();
  registry.mutex().unlock();
  requests.mutex.unlock();
}

void Parts::start_over(const Shard* own) {
  // The thread that used these is not in this process and may have left them half-changed: let go, do not destroy.
  static_cast<void>(thread_.release());
  if (auto* const flusher = flusher_.release(); flusher != nullptr && flusher->descriptor() >= 0)
    ::close(flusher->descriptor());  // the copy; the parent's connection stays
  if (!was_forked_) ::close(requests.wake_descriptor);
  requests.wake_descriptor = -1;
  place_at_end_ = -1;
  new (&requests.changed) std::condition_variable;  // the old one may count waiters that do not exist here
  requests.wanted = requests.flushed = 0;
  requests.stats = {};
  registry.start_over();
  shards->start_over(own);
  was_forked_ = true;
}

}  // namespace midst::push::detail
