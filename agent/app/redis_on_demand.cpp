#include "agent/app/redis_on_demand.hpp"

#include "agent/sources/redis/key_arguments.hpp"
#include "agent/sources/redis/redis_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace midst::app {
namespace {

using sources::RedisOptions;
using sources::redis_info::KeyArgument;

bool is_at(const RedisOptions& options, const redis::Uri& uri) {
  if (!uri.unix_path.empty() || !options.uri.unix_path.empty()) return uri.unix_path == options.uri.unix_path;
  return uri.host == options.uri.host && uri.port == options.uri.port;
}

/// Where the keys of one parameter of the request belong.
std::vector<KeyArgument>* list_of(RedisOptions& options, std::string_view parameter) {
  if (parameter == "check-keys") return &options.keys.check;
  if (parameter == "check-single-keys") return &options.keys.single;
  if (parameter == "count-keys") return &options.keys.count;
  return nullptr;
}

Result<Done> add_checks(RedisOptions& options, const web::ProbeRequest& request) {
  for (const auto& [parameter, text] : request.checks) {
    auto parsed = sources::redis_info::parse_key_arguments(text);
    if (!parsed) return parsed.error().with_context(parameter);
    if (auto* list = list_of(options, parameter); list != nullptr)
      list->insert(list->end(), parsed->begin(), parsed->end());
  }
  return Done{};
}

}  // namespace

Result<RedisOptions> RedisOnDemand::find(std::string_view target) const {
  if (target.empty() && targets_->size() == 1) return targets_->front();
  const auto uri = redis::parse_uri(target);
  for (const auto& options : *targets_)
    if (options.name == target || (uri && is_at(options, *uri))) return options;
  std::vector<std::string_view> names;
  for (const auto& options : *targets_) names.push_back(options.name);
  // The request's own text is not repeated: it may hold a password.
  return Error{Errc::config, fmt::format("name a Redis target of the configuration, like target={}; known: {}",
                                         names.empty() ? "NAME" : names.front(),
                                         names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")))};
}

asio::awaitable<Result<std::shared_ptr<const metrics::Exposition>>> RedisOnDemand::scrape(web::ProbeRequest request) {
  auto options = find(request.target);
  if (options) {
    options->collectors["sampler"] = false;
    if (const auto added = add_checks(*options, request); !added) options = added.error();
  }
  if (!options) {
    ++*refused_;
    co_return options.error();
  }
  sources::RedisSource source(executor_, std::move(*options));
  auto collecting = source.collect(request.deadline);
  auto collected = co_await std::move(collecting);
  auto snapshot = collected ? std::move(*collected) : source.down(collected.error());
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
  snapshots.push_back(std::make_shared<const metrics::Snapshot>(std::move(snapshot)));
  co_return std::make_shared<const metrics::Exposition>(metrics::merge(std::move(snapshots)));
}

}  // namespace midst::app
