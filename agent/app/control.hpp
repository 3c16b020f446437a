// The control socket: everything the web side answers, and what is for the machine's own operators alone. HTTP over a
// Unix socket, so that curl --unix-socket works too.
#pragma once

#include "agent/ingest/store.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace midst::app {

/// @param web    answers what is not the control socket's own.
/// @param store  must outlive every request.
/// @return the handler: GET /push/clients is a JSON array of the push clients.
[[nodiscard]] net::Handler control_handler(net::Handler web, const ingest::Store& store);

/// Asks the daemon at the other end. Blocks, for `limit` at most.
/// @return the body of a 200; Errc::connect_refused when nobody is there, Errc::server for another status.
[[nodiscard]] Result<std::string> ask_daemon(const std::string& socket, std::string_view target,
                                             std::chrono::milliseconds limit);

}  // namespace midst::app
