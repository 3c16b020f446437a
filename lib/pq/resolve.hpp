// Host names to addresses before libpq sees them: libpq would look them up by a blocking call.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/pq/conninfo.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace midst::pq {

/// Adds `hostaddr` for every name in `host`; a name with several addresses becomes as many hosts, in the resolver's
/// order. Socket folders, addresses and a given hostaddr stay as they are, and so does a name that only the service
/// file or the environment holds. Cancellation ends the wait, not the lookup behind it.
/// @return the conninfo to connect with, or Errc::dns when no host of the list has an address.
[[nodiscard]] asio::awaitable<Result<Conninfo>> resolve_hosts(asio::any_io_executor executor, Conninfo conninfo);

}  // namespace midst::pq
