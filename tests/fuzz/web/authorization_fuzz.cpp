// An Authorization header before the whole guard: only the right login passes, and nothing of it reaches the handler.
#include "agent/web/guard.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace {

using midst::net::Request;
using midst::net::Response;

// "alice:secret"; at the lowest cost that bcrypt has.
constexpr std::string_view hash = "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W";

boost::asio::awaitable<Response> page(Request request) {
  if (!request.header("Authorization").empty()) std::abort();
  co_return Response{};
}

boost::asio::io_context& loop() {
  static boost::asio::io_context io{1};
  return io;
}

const midst::net::Handler& handler() {
  static const midst::web::Guard guard([] {
    midst::web::GuardOptions options;
    options.accounts = {{"alice", std::string(hash)}};
    return options;
  }());
  static const auto guarded = guard.protect(&page);
  return guarded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string header(reinterpret_cast<const char*>(data), size);
  const auto parsed = midst::web::parse_basic(header);
  // Hashing takes a millisecond: only what has the right name, so that the parser gets most of the time.
  if (parsed && parsed->name != "alice") return 0;
  Request request;
  request.headers = {{"Authorization", header}};
  std::optional<unsigned> status;
  boost::asio::co_spawn(loop(), handler()(std::move(request)),
                        [&](std::exception_ptr thrown, Response answer) { status = thrown ? 0 : answer.status; });
  loop().restart();
  loop().run();
  const bool is_right = parsed && parsed->password == "secret";
  if (status != (is_right ? 200U : 401U)) std::abort();
  return 0;
}
