// An HttpServer on a loop thread of its own, in front of a small site, so that a test may use blocking sockets.
#pragma once

#include "lib/net/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace midst::test {

inline asio::awaitable<net::Response> answer_with(std::string body) {
  net::Response response;
  response.body = std::move(body);
  co_return response;
}

/// Handlers of the fixture: what a path does. The gate is opened by the test.
class Site {
 public:
  explicit Site(asio::any_io_executor executor) : gate_(std::move(executor), Deadline::max()) {}

  asio::awaitable<net::Response> answer(net::Request request) {
    net::Response response;
    if (request.path == "/throws") throw std::runtime_error("boom");
    if (request.path == "/gated") {
      ++waiting;
      co_await gate_.async_wait(as_result);
      --waiting;
    }
    if (request.path == "/size") response.body = std::string(std::stoul(request.query), 'm');
    if (request.path == "/echo") response.body = request.method + ' ' + request.body;
    if (request.path == "/reach") response.body = name_of(request.reach);
    if (request.path == "/empty") response.status = 204;
    if (request.path == "/") response.body = "hello\n";
    co_return response;
  }
  static std::string name_of(net::Reach reach) {
    return reach == net::Reach::loopback ? "loopback" : reach == net::Reach::network ? "network" : "socket file";
  }
  void open_gate() { gate_.cancel(); }

  int waiting = 0;

 private:
  asio::steady_timer gate_;
};

/// A server on a loop thread of its own, so that the test may use blocking sockets.
class ServedSite : public testing::Test {
 protected:
  void start(net::ServerLimits limits = {}) {
    site_ = std::make_unique<Site>(io_.get_executor());
    auto* site = site_.get();
    server_ = std::make_unique<net::HttpServer>(
        io_.get_executor(),
        [site](net::Request request) {
          if (request.path == "/throws-at-once") throw std::runtime_error("boom");
          return site->answer(std::move(request));
        },
        limits);
    address_ = server_->listen("127.0.0.1:0").value();
    thread_ = std::thread([this] { io_.run(); });
  }

  /// Runs `work` on the loop thread and returns its value.
  template <class Work>
  auto on_loop(Work work) {
    std::promise<decltype(work())> promise;
    auto future = promise.get_future();
    asio::post(io_, [&] { promise.set_value(work()); });
    return future.get();
  }

  ~ServedSite() override {
    if (!thread_.joinable()) return;
    on_loop([this] { return server_.reset(), 0; });
    guard_.reset();
    io_.stop();
    thread_.join();
  }

  net::ServerCounters counters() {
    return on_loop([this] { return server_->counters(); });
  }

  /// Waits for an effect of the loop thread; ten seconds, then false.
  template <class Predicate>
  bool becomes_true(Predicate predicate) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (on_loop(predicate)) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::future<void> drain(std::chrono::milliseconds patience) {
    auto done = std::make_shared<std::promise<void>>();
    auto future = done->get_future();
    asio::post(io_, [this, patience, done] {
      asio::co_spawn(io_, server_->drain(std::chrono::steady_clock::now() + patience),
                     [done](std::exception_ptr) { done->set_value(); });
    });
    return future;
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  std::unique_ptr<Site> site_;
  std::unique_ptr<net::HttpServer> server_;
  std::string address_;
  std::thread thread_;
};

}  // namespace midst::test
