// One [[redis]] of the configuration, as the source takes it.
#pragma once

#include "agent/scrape/series_rules.hpp"
#include "agent/sources/redis/commands/acl_log.hpp"
#include "agent/sources/redis/commands/all_settings.hpp"
#include "agent/sources/redis/commands/clients.hpp"
#include "agent/sources/redis/commands/cluster_nodes.hpp"
#include "agent/sources/redis/commands/commandlog.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/search_indexes.hpp"
#include "agent/sources/redis/commands/sentinel.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slot_stats.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "agent/sources/redis/keys/key_groups.hpp"
#include "agent/sources/redis/keys/keys.hpp"
#include "agent/sources/redis/keys/scripts.hpp"
#include "agent/sources/redis/keys/streams.hpp"
#include "agent/sources/redis/sampler/sampler.hpp"
#include "agent/sources/redis/sentinel_follow.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/uri.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

/// How much of a server the page shows.
enum class RedisProfile { full, vitals };

/// Everything about one Redis target. Defaults here are the defaults of the configuration.
struct RedisOptions {
  std::string name = "main";  ///< The target's name.
  redis::Uri uri;
  redis::LoginProvider login;                   ///< Asked at each connect; unset: the login of the URI.
  redis::ConnectionOptions connection;          ///< Client name, TLS, reply limit, back-off.
  metrics::OwnedLabels constant_labels;         ///< On every sample of this target.
  scrape::RuleOptions rules;                    ///< Which of its series the page has; for the Scraper.
  std::string metric_namespace = "redis";       ///< What the names of its metrics begin with.
  RedisProfile profile = RedisProfile::full;    ///< vitals: a few dozen families, whatever the server has.
  bool has_instance_role = false;               ///< Whether every sample carries the label instance_role.
  bool has_ping = false;                        ///< Whether a PING is timed before each scrape; costs a round trip.
  std::chrono::milliseconds probe_interval{0};  ///< A connection older than this is opened anew; 0: kept.
  /// A command that the server refused (NOPERM) or does not know is sent again after this time, or when another
  /// server process answers.
  std::chrono::seconds retry_refused_after{3600};
  bool has_zero_databases = true;     ///< Whether empty databases appear with 0 keys.
  std::size_t max_error_labels = 64;  ///< Kinds of errors with a series of their own; the rest is "other".
  std::size_t max_labels = 2000;      ///< Commands, replicas or databases with series of their own.
  std::size_t max_key_sizes = 64;     ///< Histograms of key sizes, one a database and type (Redis 8); 0: none.

  /// Counts the refused requests for one-off scrapes; shown on the page when it is set.
  std::shared_ptr<const std::uint64_t> request_errors;

  std::map<std::string, bool, std::less<>> collectors;  ///< By name: switched on or off against its default.
  redis_info::SettingsOptions settings;
  redis_info::HistogramOptions histogram;
  redis_info::AllSettingsOptions all_settings;
  redis_info::SlowlogOptions slowlog;
  redis_info::ClientsOptions clients;  ///< Its two switches are the collectors "clients" and "client_list".
  redis_info::AclLogOptions acl_log;
  redis_info::SentinelOptions sentinel;
  redis_info::ClusterNodesOptions cluster_nodes;
  redis_info::SlotStatsOptions slot_stats;
  bool has_hostnames = false;               ///< Whether cluster discovery names nodes by the host names they announce.
  redis_info::KeysOptions keys;             ///< Its database is that of the URI, whatever stands there.
  redis_info::StreamsOptions streams;       ///< The same.
  redis_info::KeyGroupsOptions key_groups;  ///< The same.
  redis_info::ScriptsOptions scripts;
  redis_info::SearchIndexesOptions search;
  redis_info::SentinelFollowOptions follow;  ///< With sentinels: the target is the master that they name.
  redis_info::SamplerOptions sampler;        ///< Its switch is the collector "sampler".
  std::vector<std::string> extra_fields;  ///< Globs of INFO fields to show although they have no metric of their own.
  std::size_t max_extra_fields = 100;     ///< Of them.
};

/// @return the names of all collectors and whether each is on by default, in the order of the page.
[[nodiscard]] std::vector<std::pair<std::string_view, bool>> redis_collectors();

/// @return what an ACL user needs for the enabled collectors, as ACL SETUSER takes it: "+info +slowlog|get …". A server
/// refuses rules with commands it does not know, so the line is for the one that `facts` tell of.
[[nodiscard]] std::string redis_acl_rules(const RedisOptions& options, const redis_info::ServerFacts& facts);

}  // namespace midst::sources
