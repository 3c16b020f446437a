// The agent's half of push in a thread of its own: a Store that outlives listeners, and a Listener that comes and goes.
#pragma once

#include "agent/ingest/listener.hpp"
#include "agent/ingest/store.hpp"
#include "lib/metrics/snapshot.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

namespace midst::test {

/// A fresh directory, removed with its content.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "midst-push-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

class AgentThread {
 public:
  explicit AgentThread(ingest::StoreLimits limits = {}, ingest::ListenerOptions options = {})
      : limits_(std::move(limits)),
        options_(std::move(options)),
        guard_(io_.get_executor()),
        thread_([this] { io_.run(); }) {
    replace_store();
  }
  AgentThread(const AgentThread&) = delete;
  AgentThread& operator=(const AgentThread&) = delete;
  ~AgentThread() {
    on_loop([this] {
      listener_.reset();
      return 0;
    });
    guard_.reset();
    io_.stop();
    thread_.join();
  }

  [[nodiscard]] std::string path() const { return directory_.file("push.sock"); }

  void listen() {
    on_loop([this] {
      listener_ = std::make_unique<ingest::Listener>(io_.get_executor(), *store_, options_);
      const auto bound = listener_->listen(path());
      EXPECT_TRUE(bound) << (bound ? "" : bound.error().message);
      return 0;
    });
  }
  /// Closes the listener and all connections at once, as if the process had been killed.
  void hang_up() {
    on_loop([this] {
      listener_.reset();
      return 0;
    });
  }
  /// A new Store, as after a restart without saved state; the listener must be gone.
  void replace_store() {
    on_loop([this] {
      store_ = std::make_unique<ingest::Store>(limits_);
      return 0;
    });
  }

  /// The same with a state file, which the Store before has written if it was made by this too.
  void replace_store_and_keep_state() {
    on_loop([this] {
      store_.reset();
      store_ = std::make_unique<ingest::Store>(limits_);
      const auto kept = store_->keep_state(directory_.file("push.state"), std::chrono::steady_clock::now());
      EXPECT_TRUE(kept) << (kept ? "" : kept.error().message);
      return 0;
    });
  }

  template <class Function>
  std::invoke_result_t<Function> on_loop(Function function) {
    std::promise<std::invoke_result_t<Function>> promise;
    auto future = promise.get_future();
    boost::asio::post(io_, [&] { promise.set_value(function()); });
    return future.get();
  }

  /// `later` is added to the clock, for what happens after the grace period.
  [[nodiscard]] metrics::Snapshot snapshot(std::chrono::seconds later = std::chrono::seconds(0)) {
    return on_loop([this, later] { return store_->snapshot(std::chrono::steady_clock::now() + later); });
  }
  [[nodiscard]] ingest::Store& store() { return *store_; }

  /// Waits until `is_true(snapshot)`, for at most 10 s. @return whether it became true.
  template <class Predicate>
  bool wait_for(Predicate is_true) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (is_true(snapshot())) return true;
      std::this_thread::yield();
    }
    return false;
  }

 private:
  TemporaryDirectory directory_;
  const ingest::StoreLimits limits_;
  const ingest::ListenerOptions options_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::unique_ptr<ingest::Store> store_;
  std::unique_ptr<ingest::Listener> listener_;
  std::thread thread_;
};

/// @return the value of a sample, or nothing. `labels` is the text between the braces, sorted by name.
inline std::optional<double> value_of(const metrics::Snapshot& snapshot, std::string_view family,
                                      std::string_view labels = "") {
  const auto* found = snapshot.find(family);
  if (found == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < found->values.size(); ++i)
    if (found->labels[i].text == labels) return found->values[i];
  return std::nullopt;
}

inline const metrics::Distribution* distribution_of(const metrics::Snapshot& snapshot, std::string_view family,
                                                    std::string_view labels = "") {
  const auto* found = snapshot.find(family);
  if (found == nullptr) return nullptr;
  for (std::size_t i = 0; i < found->distributions.size(); ++i)
    if (found->labels[i].text == labels) return &found->distributions[i];
  return nullptr;
}

}  // namespace midst::test
