#include "agent/app/redis_on_demand.hpp"

#include "agent/sources/redis/keys/key_arguments.hpp"
#include "agent/sources/redis/redis_source.hpp"
#include "agent/sources/redis/server_facts.hpp"

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
  scrape::SeriesRules rules(options->rules, true);
  sources::RedisSource source(executor_, std::move(*options));
  auto collecting = source.collect(request.deadline);
  auto collected = co_await std::move(collecting);
  auto snapshot = collected ? std::move(*collected) : source.down(collected.error());
  rules.apply(snapshot);
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
  snapshots.push_back(std::make_shared<const metrics::Snapshot>(std::move(snapshot)));
  co_return std::make_shared<const metrics::Exposition>(metrics::merge(std::move(snapshots)));
}

asio::awaitable<Result<std::string>> RedisOnDemand::ask(RedisOptions options, redis::Command command,
                                                        Deadline deadline) const {
  redis::Connection connection(executor_, options.uri, options.connection, options.login);
  std::vector<redis::Command> commands;
  commands.push_back(std::move(command));
  auto pipeline = connection.pipeline(std::move(commands), deadline);
  const auto replies = co_await std::move(pipeline);
  if (!replies) co_return replies.error();
  const auto text = replies->front().as_text();
  if (!text) co_return text.error();
  co_return std::string(*text);
}

asio::awaitable<Result<std::vector<std::string>>> RedisOnDemand::discover(std::string target, Deadline deadline) {
  using namespace sources::redis_info;
  auto options = find(target);
  if (!options) co_return options.error();
  const bool has_tls = options->uri.has_tls;
  const auto form = options->has_hostnames ? HostForm::hostname : HostForm::address;
  redis::Command command{"CLUSTER", "NODES"};
  auto asking = ask(std::move(*options), std::move(command), deadline);
  const auto text = co_await std::move(asking);
  if (!text && text.error().message.find("cluster support disabled") != std::string::npos)
    co_return Error{Errc::config, "the target is no cluster"};
  if (!text) co_return text.error();
  co_return discovery_targets(parse_cluster_nodes(*text), has_tls ? "rediss" : "redis", form);
}

asio::awaitable<Result<std::string>> RedisOnDemand::acl_line(std::string target, Deadline deadline) {
  const auto options = find(target);
  if (!options) co_return options.error();
  redis::Command command{"INFO", "server"};
  auto asking = ask(*options, std::move(command), deadline);
  const auto info = co_await std::move(asking);
  if (!info) co_return info.error();
  const auto login = options->login ? options->login() : redis::Login{options->uri.username, ""};
  const bool has_name = login && !login->username.empty() && login->username != "default";
  co_return fmt::format("ACL SETUSER {} on >PASSWORD resetkeys resetchannels -@all {}",
                        has_name ? login->username : "midst-agent",
                        sources::redis_acl_rules(*options, sources::redis_info::peek_facts(*info)));
}

}  // namespace midst::app
