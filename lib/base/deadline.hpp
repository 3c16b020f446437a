// The only place where a timer meets a cancellation. Every wait in the project goes through with_deadline().
#pragma once

#include "lib/base/error.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <variant>

namespace midst {

namespace asio = boost::asio;
using boost::system::error_code;

/// An absolute point on the steady clock by which an answer is due.
using Deadline = std::chrono::steady_clock::time_point;

/// Completion token for leaf operations: they return std::tuple<error_code, …> and never throw.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Turns whatever `work` throws into Errc::internal. Needed under `||`, which waits for the first *success*:
/// a throwing branch would otherwise sit until the deadline and be reported as a timeout (asio #900, #1594).
/// A cancelled operation that threw operation_aborted becomes Errc::timeout.
template <class T>
asio::awaitable<Result<T>> no_throw(asio::awaitable<Result<T>> work) {
  try {
    co_return co_await std::move(work);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) co_return Error{Errc::timeout, "cancelled"};
    co_return Error{Errc::internal, error.what()};
  } catch (const std::exception& error) {
    co_return Error{Errc::internal, error.what()};
  }
}

/// Runs `work` until `deadline`, then cancels it (terminal) and yields Errc::timeout.
/// `work` must honour cancellation within one I/O step: the call returns only when it has ended.
template <class T>
asio::awaitable<Result<T>> with_deadline(asio::awaitable<Result<T>> work, Deadline deadline) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  auto first = co_await (no_throw(std::move(work)) || timer.async_wait(as_result));
  if (auto* done = std::get_if<0>(&first)) co_return std::move(*done);
  co_return Error{Errc::timeout, "deadline passed"};
}

}  // namespace midst
