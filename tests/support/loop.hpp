// Runs a coroutine to its end on an io_context of the test, so that a test reads as straight code.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace midst::test {

/// Runs `work` on `io` until it has ended and returns what it returned. Other work on the same io_context runs too.
/// Throws what it threw; throws std::runtime_error after `limit`, so that a hanging test fails with a message.
template <class T>
T run(boost::asio::io_context& io, boost::asio::awaitable<T> work,
      std::chrono::seconds limit = std::chrono::seconds(30)) {
  std::optional<T> value;
  std::exception_ptr failure;
  bool is_done = false;
  boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, T result) {
    failure = thrown;
    if (!thrown) value.emplace(std::move(result));
    is_done = true;
  });
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!is_done && std::chrono::steady_clock::now() < end) io.run_one_until(end);
  if (failure) std::rethrow_exception(failure);
  if (!is_done) throw std::runtime_error("the coroutine did not end in time");
  return std::move(*value);
}

inline void run(boost::asio::io_context& io, boost::asio::awaitable<void> work,
                std::chrono::seconds limit = std::chrono::seconds(30)) {
  std::exception_ptr failure;
  bool is_done = false;
  boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown) {
    failure = thrown;
    is_done = true;
  });
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!is_done && std::chrono::steady_clock::now() < end) io.run_one_until(end);
  if (failure) std::rethrow_exception(failure);
  if (!is_done) throw std::runtime_error("the coroutine did not end in time");
}

/// Lets whatever is on `io` run until `is_true()` or `limit`; for waiting on effects, never for a fixed time.
/// @return whether it became true.
template <class Predicate>
bool run_until(boost::asio::io_context& io, Predicate is_true,
               std::chrono::milliseconds limit = std::chrono::milliseconds(10'000)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!is_true() && std::chrono::steady_clock::now() < end)
    io.run_one_until(std::min(end, std::chrono::steady_clock::now() + std::chrono::milliseconds(10)));
  return is_true();
}

}  // namespace midst::test
