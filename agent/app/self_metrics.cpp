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
                                "Always 1; the labels tell version and compiler of the agent.", "compiler,version"};
constexpr MetricSpec reload_successful{"midst_agent_config_last_reload_successful", MetricType::gauge, "",
                                       "1 if the configuration in force is the one that was loaded last."};
constexpr MetricSpec reload_timestamp{"midst_agent_config_last_reload_success_timestamp_seconds", MetricType::gauge,
                                      "seconds", "Unix time at which the configuration in force was loaded."};
constexpr MetricSpec reloads{"midst_agent_config_reloads_total", MetricType::counter, "",
                             "Times the configuration was read anew, by outcome.", "outcome"};
constexpr MetricSpec restart_pending{"midst_agent_config_restart_pending", MetricType::gauge, "",
                                     "1 if a setting has changed that takes effect at a restart only."};
constexpr MetricSpec loop_lag{"midst_agent_loop_lag_seconds", MetricType::gauge, "seconds",
                              "How long the agent's loop took to come to a task, when it was asked for this page."};
constexpr MetricSpec http_requests{"midst_agent_http_requests_total", MetricType::counter, "",
                                   "HTTP requests the agent has answered."};
constexpr MetricSpec http_refused{"midst_agent_http_refused_connections_total", MetricType::counter, "",
                                  "HTTP connections refused because all that may be open were being answered."};
constexpr MetricSpec http_displaced{"midst_agent_http_displaced_connections_total", MetricType::counter, "",
                                    "HTTP connections closed, the longest waiting first, because there was no room."};
constexpr MetricSpec http_handshakes{"midst_agent_http_failed_handshakes_total", MetricType::counter, "",
                                     "TLS handshakes of HTTP clients that failed or did not end in time."};
constexpr MetricSpec http_denied{"midst_agent_http_denied_total", MetricType::counter, "",
                                 "HTTP requests that were turned away, by reason.", "reason"};
constexpr MetricSpec tls_failures{"midst_agent_http_tls_reload_failures_total", MetricType::counter, "",
                                  "Times that changed TLS files were of no use and the last good ones stayed."};
constexpr MetricSpec tls_expiry{"midst_agent_http_tls_certificate_expiry_timestamp_seconds", MetricType::gauge,
                                "seconds", "Unix time at which the certificate of the HTTP listeners ends."};
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
    build_info,    reload_successful, reload_timestamp, reloads,  restart_pending, loop_lag,
    http_requests, http_refused,      http_displaced,   http_bad, http_open,       http_handshakes,
    http_denied,   tls_failures,      tls_expiry,       cpu,      resident,        virtual_memory,
    start_time,    open_fds,          max_fds,          threads};

void add_web(metrics::SnapshotBuilder& builder, const WebCounters& web) {
  const auto& server = web.server;
  builder.add(http_requests, static_cast<double>(server.requests));
  builder.add(http_refused, static_cast<double>(server.refused_connections));
  builder.add(http_displaced, static_cast<double>(server.displaced_connections));
  builder.add(http_bad, static_cast<double>(server.bad_requests));
  builder.add(http_open, static_cast<double>(server.open_connections));
  const std::pair<std::string_view, std::uint64_t> reasons[] = {{"host", web.denied.host},
                                                                {"origin", web.denied.origin},
                                                                {"credentials", web.denied.credentials},
                                                                {"busy", web.denied.busy},
                                                                {"rate", web.denied.rate}};
  for (const auto& [reason, count] : reasons)
    builder.add(http_denied, {{"reason", reason}}, static_cast<double>(count));
  if (!web.certificate_expiry) return;
  const std::chrono::duration<double> expiry = web.certificate_expiry->time_since_epoch();
  builder.add(http_handshakes, static_cast<double>(server.failed_handshakes));
  builder.add(tls_failures, static_cast<double>(web.failed_tls_reloads));
  builder.add(tls_expiry, expiry.count());
}

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
  add_web(builder, web);
  add_process(builder);
  co_return builder.freeze();
}

metrics::Snapshot SelfMetrics::down(const Error&) const {
  return metrics::SnapshotBuilder().freeze();
}

}  // namespace midst::app
