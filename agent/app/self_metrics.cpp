#include "agent/app/self_metrics.hpp"

#include "lib/base/process_usage.hpp"
#include "lib/base/version.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iterator>
#include <utility>

namespace midst::app {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec build_info{"midst_agent_build_info", MetricType::gauge, "",
                                "Always 1; the labels tell version and compiler of the agent."};
constexpr MetricSpec reload_successful{"midst_agent_config_last_reload_successful", MetricType::gauge, "",
                                       "1 if the configuration in force is the one that was loaded last."};
constexpr MetricSpec reload_timestamp{"midst_agent_config_last_reload_success_timestamp_seconds", MetricType::gauge,
                                      "seconds", "Unix time at which the configuration in force was loaded."};
constexpr MetricSpec reloads{"midst_agent_config_reloads_total", MetricType::counter, "",
                             "Times the configuration was read anew, by outcome."};
constexpr MetricSpec restart_pending{"midst_agent_config_restart_pending", MetricType::gauge, "",
                                     "1 if a setting has changed that takes effect at a restart only."};
constexpr MetricSpec loop_lag{"midst_agent_loop_lag_seconds", MetricType::gauge, "seconds",
                              "How long the agent's loop took to come to a task, when it was asked for this page."};
constexpr MetricSpec http_requests{"midst_agent_http_requests_total", MetricType::counter, "",
                                   "HTTP requests the agent has answered."};
constexpr MetricSpec http_refused{"midst_agent_http_refused_connections_total", MetricType::counter, "",
                                  "HTTP connections refused because the limit of open ones was reached."};
constexpr MetricSpec http_bad{"midst_agent_http_bad_requests_total", MetricType::counter, "",
                              "HTTP requests refused as malformed, too large or too slow."};
constexpr MetricSpec http_open{"midst_agent_http_open_connections", MetricType::gauge, "",
                               "HTTP connections open now."};
constexpr MetricSpec cpu{"process_cpu_seconds_total", MetricType::counter, "",
                         "CPU time of the agent, user and system, in seconds."};
constexpr MetricSpec resident{"process_resident_memory_bytes", MetricType::gauge, "bytes",
                              "Resident memory of the agent."};
constexpr MetricSpec virtual_memory{"process_virtual_memory_bytes", MetricType::gauge, "bytes",
                                    "Virtual memory of the agent."};
constexpr MetricSpec start_time{"process_start_time_seconds", MetricType::gauge, "seconds",
                                "Unix time at which the agent was started."};
constexpr MetricSpec open_fds{"process_open_fds", MetricType::gauge, "", "File descriptors the agent has open."};
constexpr MetricSpec max_fds{"process_max_fds", MetricType::gauge, "", "File descriptors the agent may open."};
constexpr MetricSpec threads{"process_threads", MetricType::gauge, "", "Threads of the agent."};
constexpr MetricSpec all_specs[] = {
    build_info,   reload_successful, reload_timestamp, reloads, restart_pending, loop_lag,       http_requests,
    http_refused, http_bad,          http_open,        cpu,     resident,        virtual_memory, start_time,
    open_fds,     max_fds,           threads};

void add_process(metrics::SnapshotBuilder& builder) {
  const auto usage = read_process_usage();
  if (!usage) return;
  builder.add(cpu, usage->cpu_user_seconds + usage->cpu_system_seconds);
  builder.add(resident, static_cast<double>(usage->resident_bytes));
  builder.add(virtual_memory, static_cast<double>(usage->virtual_bytes));
  builder.add(start_time, usage->start_time_seconds);
  builder.add(open_fds, static_cast<double>(usage->open_descriptors));
  builder.add(max_fds, static_cast<double>(usage->max_descriptors));
  builder.add(threads, static_cast<double>(usage->threads));
}

}  // namespace

SelfMetrics::SelfMetrics(std::function<SelfFacts()> facts) : facts_(std::move(facts)) {
}

std::vector<MetricSpec> SelfMetrics::specs() const {
  return {std::begin(all_specs), std::end(all_specs)};
}

asio::awaitable<Result<metrics::Snapshot>> SelfMetrics::collect(Deadline) {
  const auto posted_at = std::chrono::steady_clock::now();
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  const std::chrono::duration<double> lag = std::chrono::steady_clock::now() - posted_at;
  metrics::SnapshotBuilder builder;
  builder.add(build_info, {{"version", version()}, {"compiler", "g++ " __VERSION__}}, 1);
  const auto [web, reload] = facts_();
  builder.add(reload_successful, reload.is_successful ? 1 : 0);
  builder.add(reload_timestamp, reload.loaded_at);
  builder.add(reloads, {{"outcome", "success"}}, static_cast<double>(reload.good));
  builder.add(reloads, {{"outcome", "failure"}}, static_cast<double>(reload.bad));
  builder.add(restart_pending, reload.waits_for_restart ? 1 : 0);
  builder.add(loop_lag, lag.count());
  builder.add(http_requests, static_cast<double>(web.requests));
  builder.add(http_refused, static_cast<double>(web.refused_connections));
  builder.add(http_bad, static_cast<double>(web.bad_requests));
  builder.add(http_open, static_cast<double>(web.open_connections));
  add_process(builder);
  co_return builder.freeze();
}

metrics::Snapshot SelfMetrics::down(const Error&) const {
  return metrics::SnapshotBuilder().freeze();
}

}  // namespace midst::app
