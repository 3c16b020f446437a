// INFO MODULES → which modules are loaded, and the fields of theirs that the catalogue knows.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace midst::sources::redis_info {

/// One loaded module. The texts point into the line; what it does not say is empty.
struct Module {
  std::string_view name, version, api, filters, used_by, uses;
};

/// @param fields  "name=search,ver=21005,api=1,filters=0,usedby=[],using=[ReJSON],options=[handle-io-errors]".
/// @return nothing without a name.
[[nodiscard]] std::optional<Module> parse_module(std::string_view fields) noexcept;

/// Collector "modules".
[[nodiscard]] std::unique_ptr<Collector> make_modules();

}  // namespace midst::sources::redis_info
