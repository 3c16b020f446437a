#include "lib/pq/readiness.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <tuple>

namespace midst::pq {
namespace {

using Descriptor = asio::posix::stream_descriptor;

Result<Done> outcome(const error_code& error) {
  if (!error) return Done{};
  if (error == asio::error::operation_aborted) return Error{Errc::timeout, "cancelled"};
  return Error{Errc::internal, "waiting for the socket: " + error.message()};
}

}  // namespace

Readiness::Readiness(const asio::any_io_executor& executor, int descriptor) : descriptor_(executor, descriptor) {
}

Readiness::~Readiness() {
  std::ignore = descriptor_.release();
}

asio::awaitable<Result<Done>> Readiness::wait(Ready what) {
  if (what != Ready::either) {
    const auto type = what == Ready::read ? Descriptor::wait_read : Descriptor::wait_write;
    const auto [error] = co_await descriptor_.async_wait(type, as_result);
    co_return outcome(error);
  }
  auto both = asio::experimental::make_parallel_group(descriptor_.async_wait(Descriptor::wait_read, asio::deferred),
                                                      descriptor_.async_wait(Descriptor::wait_write, asio::deferred));
  const auto [order, read_error, write_error] =
      co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  co_return outcome(order[0] == 0 ? read_error : write_error);
}

}  // namespace midst::pq
