// What makes samples of the console's answers that are more than a picture of their rows: pools and users of which
// there may be ten thousand, clients and servers that are counted, settings that are words.
#pragma once

#include "agent/sources/postgres/treatment.hpp"

#include <memory>

namespace midst::sources {

/// SHOW POOLS: the busiest, the rest summed up in one row; without the idle ones if so wished.
[[nodiscard]] std::unique_ptr<Treatment> make_pools_treatment(const Limits& limits);
/// SHOW USERS: the same by connections; settings that a user does not have are left out.
[[nodiscard]] std::unique_ptr<Treatment> make_users_treatment(const Limits& limits);
/// SHOW CLIENTS: counts by database, user, application and state.
[[nodiscard]] std::unique_ptr<Treatment> make_clients_treatment(const Limits& limits);
/// SHOW SERVERS: the same.
[[nodiscard]] std::unique_ptr<Treatment> make_servers_treatment(const Limits& limits);
/// SHOW CONFIG: the numbers of the table, and a few words as labels of one series.
[[nodiscard]] std::unique_ptr<Treatment> make_config_treatment(const Limits& limits);
/// SHOW STATE: yes and no as numbers.
[[nodiscard]] std::unique_ptr<Treatment> make_state_treatment(const Limits& limits);

}  // namespace midst::sources
