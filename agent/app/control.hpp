// The control socket: everything the web side answers, and what is for the machine's own operators alone. HTTP over a
// Unix socket, so that curl --unix-socket works too.
#pragma once

#include "agent/ingest/store.hpp"
#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace midst::app {

/// @param web     answers what is not the control socket's own.
/// @param store   must outlive every request.
/// @param reload  takes a changed configuration over; its words, or its error's, are the answer.
/// @return the handler. GET /push/clients: a JSON array of the push clients. POST /reload: 200, or 400 with what is
/// wrong.
[[nodiscard]] net::Handler control_handler(net::Handler web, const ingest::Store& store,
                                           std::function<Result<std::string>()> reload);

/// Asks the daemon at the other end. Blocks, for `limit` at most.
/// @param method  "GET" or "POST".
/// @return the body of a 200; Errc::connect_refused when nobody is there, Errc::server with the body of another status.
[[nodiscard]] Result<std::string> ask_daemon(const std::string& socket, std::string_view method,
                                             std::string_view target, std::chrono::milliseconds limit);

/// @return the control socket of a configuration, also of one with errors: a daemon may run that was started with what
/// it was before. Errc::connect_refused when it has none.
[[nodiscard]] Result<std::string> control_socket_of(const std::optional<std::string>& config_path);

/// The two above, with a patience of ten seconds.
[[nodiscard]] Result<std::string> ask_daemon_of(const std::optional<std::string>& config_path, std::string_view method,
                                                std::string_view target);

/// Says on standard error why the daemon could not be asked, or what it refused.
/// @return exit_failed when it refused, else exit_no_daemon.
int report_failure(const Error& error);

}  // namespace midst::app
