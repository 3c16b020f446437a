#include "lib/base/deadline.hpp"

#include "tests/support/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace midst {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// What a coroutine under test leaves behind; outlives it.
struct Trace {
  bool was_started = false;
  bool was_cancelled = false;
  bool has_ended = false;
};

asio::awaitable<Result<int>> answer(int value) {
  co_return value;
}

asio::awaitable<Result<int>> fail(Errc code) {
  co_return Error{code, "as told"};
}

/// Ends only by cancellation.
asio::awaitable<Result<int>> wait_for_ever(Trace* trace) {
  trace->was_started = true;
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  const auto [ec] = co_await timer.async_wait(as_result);
  trace->was_cancelled = ec == asio::error::operation_aborted;
  trace->has_ended = true;
  co_return 1;
}

/// Suspends once, so that the failure comes out of a running wait as that of a socket would.
asio::awaitable<Result<int>> throw_later(std::string what) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(as_result);
  throw std::runtime_error(what);
}

asio::awaitable<Result<int>> throw_code(error_code code) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(as_result);
  throw boost::system::system_error(code);
}

asio::awaitable<Result<int>> wait_without_as_result() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 1;
}

asio::awaitable<Result<std::unique_ptr<int>>> move_only() {
  co_return std::make_unique<int>(7);
}

TEST(WithDeadline, ReturnsTheValueOfWorkThatIsInTime) {
  asio::io_context io;
  EXPECT_EQ(*test::run(io, with_deadline(answer(42), Clock::now() + 10s)), 42);
  EXPECT_EQ(**test::run(io, with_deadline(move_only(), Clock::now() + 10s)), 7);
}

TEST(WithDeadline, ReturnsTheErrorOfWorkThatIsInTime) {
  asio::io_context io;
  const auto result = test::run(io, with_deadline(fail(Errc::auth), Clock::now() + 10s));
  EXPECT_EQ(result.error().code, Errc::auth);
  EXPECT_EQ(result.error().message, "as told");
}

/// `||` waits for the first success: without no_throw() this took until the deadline and was called a timeout.
TEST(WithDeadline, ReturnsAtOnceWithTheTrueErrorWhenWorkThrows) {
  asio::io_context io;
  const auto begin = Clock::now();
  const auto result = test::run(io, with_deadline(throw_later("out of plums"), begin + 20s));
  EXPECT_LT(Clock::now() - begin, 10s);
  EXPECT_EQ(result.error().code, Errc::internal);
  EXPECT_EQ(result.error().message, "out of plums");
}

TEST(WithDeadline, SaysWhatASystemErrorWas) {
  asio::io_context io;
  const auto result =
      test::run(io, with_deadline(throw_code(asio::error::make_error_code(asio::error::eof)), Clock::now() + 20s));
  EXPECT_EQ(result.error().code, Errc::internal);
  EXPECT_NE(result.error().message.find("End of file"), std::string::npos) << result.error().message;
}

TEST(WithDeadline, CancelsLateWorkAndYieldsTimeout) {
  asio::io_context io;
  Trace trace;
  const auto begin = Clock::now();
  const auto result = test::run(io, with_deadline(wait_for_ever(&trace), begin + 5ms));
  EXPECT_GE(Clock::now() - begin, 5ms);
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_EQ(result.error().message, "deadline passed");
  EXPECT_TRUE(trace.was_cancelled);
  EXPECT_TRUE(trace.has_ended);
}

TEST(WithDeadline, YieldsTimeoutWhenTheDeadlineIsPastAlready) {
  asio::io_context io;
  Trace trace;
  const auto result = test::run(io, with_deadline(wait_for_ever(&trace), Clock::now() - 1h));
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_TRUE(trace.was_cancelled);
}

TEST(WithDeadline, CancelsWorkThatThrowsOnCancellation) {
  asio::io_context io;
  const auto result = test::run(io, with_deadline(wait_without_as_result(), Clock::now() + 5ms));
  EXPECT_EQ(result.error().code, Errc::timeout);
}

TEST(WithDeadline, NestsSoThatTheNearerDeadlineCounts) {
  asio::io_context io;
  Trace trace;
  const auto begin = Clock::now();
  const auto outer = test::run(io, with_deadline(with_deadline(wait_for_ever(&trace), begin + 1h), begin + 5ms));
  EXPECT_EQ(outer.error().code, Errc::timeout);
  EXPECT_TRUE(trace.was_cancelled);
  const auto inner = test::run(io, with_deadline(with_deadline(wait_for_ever(&trace), begin + 5ms), begin + 1h));
  EXPECT_EQ(inner.error().code, Errc::timeout);
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(WithDeadline, LeavesNoTimerBehind) {
  asio::io_context io;
  (void)test::run(io, with_deadline(answer(1), Clock::now() + 1h));
  const auto begin = Clock::now();
  io.restart();
  io.run();
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(NoThrow, CallsACancelledOperationATimeout) {
  asio::io_context io;
  const auto result = test::run(io, no_throw(throw_code(asio::error::make_error_code(asio::error::operation_aborted))));
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_EQ(result.error().message, "cancelled");
}

}  // namespace
}  // namespace midst
