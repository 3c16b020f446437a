// The list of collectors: which exist, which are on by default, how each is made from the options.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/redis_options.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace midst::sources {

/// What the list says of one collector.
struct CollectorRow {
  std::string_view name;
  bool is_on_by_default;
  std::unique_ptr<redis_info::Collector> (*make)(const asio::any_io_executor&, const RedisOptions&);
};

/// @return the enabled collectors, in the order of the page.
[[nodiscard]] std::vector<std::unique_ptr<redis_info::Collector>> make_collectors(const asio::any_io_executor& executor,
                                                                                  const RedisOptions& options);

}  // namespace midst::sources
