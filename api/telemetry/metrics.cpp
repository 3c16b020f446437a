#include "api/telemetry/metrics.hpp"

#include "lib/base/process_usage.hpp"

#include <string>
#include <utility>
#include <vector>

namespace midst::api {
namespace {

// Around the budgets: 200 ms, 300 ms, 500 ms and 1 s are the limits that dashboards and alerts ask about.
const std::vector<double> request_bounds{.001, .0025, .005, .01, .025, .05, .1, .2, .25, .3, .5, .75, 1, 2.5, 5, 10};
const std::vector<double> query_bounds{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5};
const std::vector<double> redis_bounds{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1};

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

struct Metrics::Instruments {
  explicit Instruments(push::Client& client);

  push::Family<push::Counter> queries, query_errors;
  push::Family<push::Histogram> query_duration;
  push::Family<push::Counter> redis_operations;
  push::Family<push::Histogram> redis_duration;
  push::Family<push::Counter> cache_hits, cache_misses, cache_errors;
  push::Gauge open_connections;
  std::unique_ptr<push::HttpMetrics> http;
  push::Gauge pool_idle, pool_busy, pool_waiting;
  push::Counter unreadable_requests;
};

Metrics::Instruments::Instruments(push::Client& client)
    : queries(client.counter("db_queries_total", "Statements sent to the database.", {"operation", "table"})),
      query_errors(client.counter("db_query_errors_total", "Statements that yielded no rows, by reason.",
                                  {"operation", "table", "reason"})),
      query_duration(client.histogram("db_query_duration_seconds",
                                      "Time of a database statement, the wait for a pooled connection included.",
                                      query_bounds, {"operation", "table"})),
      redis_operations(client.counter("redis_operations_total", "Commands sent to Redis by the API.", {"operation"})),
      redis_duration(client.histogram("redis_operation_duration_seconds",
                                      "Time of a Redis command, the wait for its turn in a pipeline included.",
                                      redis_bounds, {"operation"})),
      cache_hits(client.counter("cache_hits_total", "Cache lookups that found a value.", {"cache_type"})),
      cache_misses(client.counter("cache_misses_total", "Cache lookups that found none.", {"cache_type"})),
      cache_errors(client.counter("cache_errors_total", "Cache work that came to nothing, by reason.",
                                  {"cache_type", "reason"})) {
  const auto connections = client.gauge("active_connections",
                                        "Requests in flight (http) and open client connections (http_open).", {"type"});
  open_connections = connections.with({"http_open"});
  const auto pool =
      client.gauge("db_pool_connections",
                   "Connections of the database pool by state; waiting counts requests without one.", {"state"});
  pool_idle = pool.with({"idle"});
  pool_busy = pool.with({"active"});
  pool_waiting = pool.with({"waiting"});
  unreadable_requests =
      client.counter("api_http_unreadable_requests_total", "Requests refused before they could be routed.").with({});
  push::HttpMetricsOptions http_options;
  http_options.duration_bounds = request_bounds;
  http_options.in_flight = connections.with({"http"});
  http = std::make_unique<push::HttpMetrics>(client, std::move(http_options));
  open_connections.set(0);
  unreadable_requests.add(0);
}

/// Reads /proc before each flush, on the flush thread, which alone touches it.
class Metrics::ProcessSampler {
 public:
  ProcessSampler(push::Client& client, std::string_view version)
      : cpu_(client.counter("api_process_cpu_seconds_total", "CPU time of the API process.", {"mode"})),
        cpu_user_(cpu_.with({"user"})),
        cpu_system_(cpu_.with({"system"})),
        resident_(gauge(client, "api_process_resident_memory_bytes", "Resident memory of the API process.")),
        virtual_(gauge(client, "api_process_virtual_memory_bytes", "Virtual memory of the API process.")),
        open_descriptors_(gauge(client, "api_process_open_fds", "Open file descriptors of the API process.")),
        max_descriptors_(gauge(client, "api_process_max_fds", "Limit of open file descriptors of the API process.")),
        start_time_(client
                        .gauge("api_process_start_time_seconds", "Unix time at which the API process started.", {},
                               push::GaugeMerge::max)
                        .with({})) {
    client.gauge("api_build_info", "Always 1; the version is the label.", {"version"}, push::GaugeMerge::max)
        .with({version})
        .set(1);
    client.before_flush([this] { sample(); });
  }

 private:
  static push::Gauge gauge(push::Client& client, std::string_view name, std::string_view help) {
    return client.gauge(name, help).with({});
  }

  void sample() {
    const auto usage = read_process_usage();
    if (!usage) return;
    cpu_user_.add(usage->cpu_user_seconds - last_.cpu_user_seconds);
    cpu_system_.add(usage->cpu_system_seconds - last_.cpu_system_seconds);
    resident_.set(static_cast<double>(usage->resident_bytes));
    virtual_.set(static_cast<double>(usage->virtual_bytes));
    open_descriptors_.set(static_cast<double>(usage->open_descriptors));
    max_descriptors_.set(static_cast<double>(usage->max_descriptors));
    start_time_.set(usage->start_time_seconds);
    last_ = *usage;
  }

  push::Family<push::Counter> cpu_;
  push::Counter cpu_user_, cpu_system_;
  push::Gauge resident_, virtual_, open_descriptors_, max_descriptors_, start_time_;
  ProcessUsage last_;
};

Metrics::Metrics(push::ClientOptions options, std::string_view version)
    : client_(std::make_unique<push::Client>(std::move(options))) {
  instruments_ = std::make_unique<Instruments>(*client_);
  process_ = std::make_unique<ProcessSampler>(*client_, version);
}

Metrics::~Metrics() = default;

push::HttpRequest Metrics::begin_request(std::string_view method) {
  return instruments_->http->begin(method);
}

void Metrics::expect_route(std::string_view method, std::string_view route) {
  for (const unsigned status : {500U, 503U}) instruments_->http->expect(method, route, status);
}

void Metrics::expect_cache(std::string_view cache_type) {
  instruments_->cache_hits.with({cache_type}).add(0);
  instruments_->cache_misses.with({cache_type}).add(0);
}

void Metrics::query_finished(std::string_view operation, std::string_view table, std::chrono::nanoseconds duration) {
  instruments_->queries.with({operation, table}).add();
  instruments_->query_duration.with({operation, table}).observe(seconds(duration));
}

void Metrics::query_failed(std::string_view operation, std::string_view table, std::string_view reason) {
  instruments_->query_errors.with({operation, table, reason}).add();
}

void Metrics::redis_finished(std::string_view operation, std::chrono::nanoseconds duration) {
  instruments_->redis_operations.with({operation}).add();
  instruments_->redis_duration.with({operation}).observe(seconds(duration));
}

void Metrics::cache_hit(std::string_view cache_type) {
  instruments_->cache_hits.with({cache_type}).add();
}

void Metrics::cache_miss(std::string_view cache_type) {
  instruments_->cache_misses.with({cache_type}).add();
}

void Metrics::cache_failed(std::string_view cache_type, std::string_view reason) {
  instruments_->cache_errors.with({cache_type, reason}).add();
}

void Metrics::set_db_pool(std::size_t idle, std::size_t busy, std::size_t waiting) {
  instruments_->pool_idle.set(static_cast<double>(idle));
  instruments_->pool_busy.set(static_cast<double>(busy));
  instruments_->pool_waiting.set(static_cast<double>(waiting));
}

void Metrics::set_open_connections(std::size_t count) {
  instruments_->open_connections.set(static_cast<double>(count));
}

void Metrics::add_unreadable_requests(std::uint64_t count) {
  instruments_->unreadable_requests.add(static_cast<double>(count));
}

bool Metrics::flush(std::chrono::milliseconds timeout) {
  return client_->flush(timeout);
}

push::ClientStats Metrics::stats() const {
  return client_->stats();
}

}  // namespace midst::api
