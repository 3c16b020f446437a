// What a thread has looked up last: label values to the place of their series, without a lock. Used by client.cpp.
#pragma once

#include "lib/push/registry.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace midst::push::detail {

/// Registry::find(), answered from the calling thread's memory when it has asked the same before. A series stays where
/// it is for the life of its client, so what is remembered stays true; overflow series are not remembered.
/// @param client  number of the registry's client, see Shards::number().
[[nodiscard]] Registry::Place look_up(Registry& registry, std::uint32_t client, std::uint32_t family,
                                      std::span<const std::string_view> label_values);

}  // namespace midst::push::detail
