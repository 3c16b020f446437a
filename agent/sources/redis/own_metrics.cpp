#include "agent/sources/redis/own_metrics.hpp"

#include "agent/sources/redis/families.hpp"
#include "lib/base/version.hpp"

namespace midst::sources::redis_info {
namespace {

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void OwnMetrics::begin(std::chrono::steady_clock::time_point now) noexcept {
  ++begun_;
  began_at_ = now;
}

void OwnMetrics::end(std::chrono::steady_clock::time_point now) noexcept {
  if (ended_ == begun_) return;
  ended_ = begun_;
  last_duration_ = seconds(now - began_at_);
  duration_sum_ += last_duration_;
}

void OwnMetrics::charge(const Commands& commands) {
  for (const auto& [name, count] : unpaid_) {
    const auto known = commands.find(name);
    if (known == commands.end() || !(known->second.calls > 0)) continue;
    server_seconds_ += static_cast<double>(count) * known->second.microseconds / known->second.calls / 1e6;
  }
  unpaid_.clear();
}

void OwnMetrics::add_success(metrics::SnapshotBuilder& builder) const {
  builder.add(family::collector_success, {{"collector", "info"}}, 1);
  for (const auto& [collector, is_success] : success_)
    builder.add(family::collector_success, {{"collector", collector}}, is_success ? 1 : 0);
}

void OwnMetrics::add(std::string_view error, const redis::Connection& connection,
                     metrics::SnapshotBuilder& builder) const {
  builder.add(family::last_scrape_error, {{"err", error}}, error.empty() ? 0 : 1);
  builder.add(family::last_scrape_duration, last_duration_);
  builder.add(family::last_connect_time, seconds(connection.last_connect_duration()));
  if (ping_) builder.add(family::last_ping_time, seconds(*ping_));
  builder.add(family::connects, static_cast<double>(connection.connect_count()));
  for (const auto& [command, count] : commands_)
    builder.add(family::commands_sent, {{"cmd", command}}, static_cast<double>(count));
  builder.add(family::server_time, server_seconds_);
  builder.add(family::sent_bytes, static_cast<double>(connection.traffic().sent_bytes));
  builder.add(family::received_bytes, static_cast<double>(connection.traffic().received_bytes));
  builder.add(family::scrapes, static_cast<double>(begun_));
  metrics::Distribution durations;
  durations.sum = duration_sum_;
  durations.count = ended_;
  builder.family(family::scrape_duration).add(builder.labels({}), durations);
  builder.add(family::request_errors, request_errors_ ? static_cast<double>(*request_errors_) : 0);
  builder.add(family::build_info,
              {{"version", version()}, {"commit_sha", ""}, {"build_date", ""}, {"golang_version", ""}}, 1);
}

}  // namespace midst::sources::redis_info
