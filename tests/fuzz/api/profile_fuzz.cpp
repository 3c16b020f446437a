// Any bytes as a request for profiles: the first byte chooses list, get or create, the rest is query, id or body.
// Every answer is one of the documented ones, what was stored is JSON, and no failure is the server's own.
#include "api/cache/memory_cache.hpp"
#include "api/http/routes/profiles.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace midst;
using Answer = Result<net::Response>;

std::optional<Answer> run(asio::awaitable<Answer> work) {
  asio::io_context io;
  std::optional<Answer> answer;
  asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, Answer result) {
    if (thrown) std::abort();
    answer.emplace(std::move(result));
  });
  io.run();
  return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const auto profiles = api::make_memory_profiles([] { return std::chrono::system_clock::time_point(); }, 1);
  api::MemoryCache cache(
      {}, {}, [] { return std::chrono::steady_clock::time_point(); }, [] { return 0.5; });
  api::ProfileRoutes routes(*profiles, cache);
  api::Call call;
  std::string rest(reinterpret_cast<const char*>(bytes + 1), size - 1);
  std::optional<Answer> answer;
  switch (bytes[0] % 3) {
    case 0:
      call.request.query = std::move(rest);
      answer = run(routes.list(std::move(call)));
      break;
    case 1:
      call.arguments.push_back(std::move(rest));
      answer = run(routes.get(std::move(call)));
      break;
    default:
      call.request.body = std::move(rest);
      answer = run(routes.create(std::move(call)));
  }
  if (!answer) std::abort();
  if (!*answer) {
    if (answer->error().code != Errc::not_found) std::abort();
    return 0;
  }
  const auto& response = answer->value();
  if (response.status != 200 && response.status != 201 && response.status != 400) std::abort();
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (!body.is_object() || body["ok"] != (response.status != 400)) std::abort();
  return 0;
}
