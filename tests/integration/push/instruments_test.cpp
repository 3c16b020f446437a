// What the client's instruments bring to the page: timers, callbacks, removal, constant labels, look-ups, HTTP.
#include "lib/push/client.hpp"
#include "lib/push/http_metrics.hpp"
#include "lib/push/midst_push.h"
#include "tests/integration/push/agent_thread.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace midst {
namespace {

using namespace std::chrono_literals;
using push::Client;
using push::GaugeMerge;
using test::AgentThread;
using test::distribution_of;
using test::value_of;

constexpr auto limit = 10s;

push::ClientOptions options_for(const AgentThread& agent) {
  push::ClientOptions options;
  options.socket_path = agent.path();
  options.flush_interval = 10s;  // only flush() and the end of a client send
  return options;
}

std::string labels_of(const metrics::Snapshot& page, std::string_view family) {
  std::string found;
  if (const auto* here = page.find(family))
    for (const auto& each : here->labels) found += "{" + std::string(each.text) + "}";
  return found;
}

TEST(Instruments, ATimerObservesItsLifeOnce) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto histogram = client.histogram("took_seconds", "Time.", {0.001, 60}).with({});
  double stopped = 0;
  { const auto timer = histogram.time(); }
  {
    auto timer = histogram.time();
    auto moved = std::move(timer);
    std::this_thread::sleep_for(2ms);
    stopped = moved.stop();
    EXPECT_EQ(moved.stop(), 0);
  }
  {
    auto timer = histogram.time();
    timer.cancel();
  }
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  const auto* found = distribution_of(page, "took_seconds");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->count, 2u);
  EXPECT_EQ(found->cumulative[1], 2u);
  EXPECT_GE(stopped, 0.002);
  EXPECT_GE(found->sum, stopped);
}

TEST(Instruments, ATimerThatKnowsItsTraceLeavesAnExemplar) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto histogram = client.histogram("took_seconds", "Time.", {60}).with({});
  {
    auto timer = histogram.time();
    push::TraceContext trace;
    trace.trace_id.fill(0xab);
    timer.set_trace(trace);
  }
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  ASSERT_EQ(page.find("took_seconds")->exemplars.size(), 1u);
  EXPECT_EQ(page.find("took_seconds")->exemplars[0].labels.text, "trace_id=\"abababababababababababababababab\"");
}

TEST(Instruments, ManyObservationsAtOnceEqualOneByOne) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto family = client.histogram("size_bytes", "Size.", {1, 2}, {"way"});
  const std::vector<double> values{0.5, 1, 1.5, 9, std::numeric_limits<double>::infinity()};
  family.with({"many"}).observe_many(values);
  for (const double value : values) family.with({"one"}).observe(value);
  push::Histogram{}.observe_many(values);
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  for (const auto* way : {"way=\"many\"", "way=\"one\""}) {
    const auto* found = distribution_of(page, "size_bytes", way);
    EXPECT_EQ(found->cumulative[0], 2u) << way;
    EXPECT_EQ(found->cumulative[1], 3u) << way;
    EXPECT_EQ(found->count, 4u) << way;
    EXPECT_EQ(found->sum, 12) << way;
  }
}

TEST(Instruments, ACallbackIsAskedBeforeEverySnapshotTheLastOneIncluded) {
  AgentThread agent;
  agent.listen();
  double level = 4;
  {
    Client client(options_for(agent));
    client.gauge_callback(
        "queue_depth", "Depth.", [&] { return level; }, GaugeMerge::last);
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), "queue_depth"), 4);
    level = 7;
  }
  EXPECT_TRUE(agent.wait_for([](const auto& page) { return value_of(page, "queue_depth") == 7; }));
}

TEST(Instruments, ACallbackThatThrowsIsReportedOnceAndHarmsNothing) {
  AgentThread agent;
  agent.listen();
  auto options = options_for(agent);
  std::vector<std::string> problems;
  options.on_problem = [&](std::string_view what, std::string_view detail) {
    problems.push_back(std::string(what) + ": " + std::string(detail));
  };
  {
    Client client(options);
    client.before_flush([] { throw std::runtime_error("no queue"); });
    client.gauge_callback("after", "After.", [] { return 1.0; });
    ASSERT_TRUE(client.flush(limit));
    ASSERT_TRUE(client.flush(limit));
  }
  EXPECT_EQ(problems, std::vector<std::string>{"a callback has thrown: no queue"});
  EXPECT_EQ(value_of(agent.snapshot(), "midst_push_clients_total"), 1);
}

TEST(Instruments, ARemovedGaugeIsOffThePageUntilItIsSetAgain) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent)), other(options_for(agent));
  for (const auto merge : {GaugeMerge::sum, GaugeMerge::last, GaugeMerge::max}) {
    const auto name = "level_" + std::to_string(static_cast<int>(merge));
    const auto family = client.gauge(name, "Level.", {"room"}, merge);
    family.with({"a"}).set(1);
    family.with({"b"}).set(2);
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(labels_of(agent.snapshot(), name), "{room=\"a\"}{room=\"b\"}");
    family.remove({"b"});
    family.remove({"never there"});
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(labels_of(agent.snapshot(), name), "{room=\"a\"}");
    agent.hang_up();
    agent.replace_store();  // one that never heard of it does not show it either
    agent.listen();
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(labels_of(agent.snapshot(), name), "{room=\"a\"}");
    family.with({"b"}).add(3);
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), name, "room=\"b\""), 3);
  }
  const auto mine = client.gauge("shared", "Shared.").with({}), theirs = other.gauge("shared", "Shared.").with({});
  mine.set(1);
  theirs.set(10);
  ASSERT_TRUE(client.flush(limit) && other.flush(limit));
  client.gauge("shared", "Shared.").remove({});
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "shared"), 10);
}

TEST(Instruments, UnitAndConstantLabelsComeFromTheDeclaration) {
  AgentThread agent;
  agent.listen();
  auto options = options_for(agent);
  std::vector<std::string> problems;
  options.on_problem = [&](std::string_view, std::string_view detail) { problems.emplace_back(detail); };
  Client client(options);
  push::FamilyOptions declared;
  declared.name = "moved_metres_total";
  declared.help = "Way.";
  declared.unit = "metres";
  declared.label_names = {"axis"};
  declared.constant_labels = {{"robot", "r2"}, {"site", "x"}};
  client.counter(declared).with({"y"}).add(3);
  client.counter(declared).with({"y"}).add(1);
  ASSERT_TRUE(client.flush(limit));
  auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "moved_metres_total", "axis=\"y\",robot=\"r2\",site=\"x\""), 4);
  EXPECT_EQ(page.find("moved_metres_total")->unit, "metres");
  declared.constant_labels[0].second = "c3";
  client.counter(declared).with({"y"}).add(100);
  declared.name = "moved_feet";
  client.counter(declared).with({"y"}).add(100);
  EXPECT_EQ(problems, (std::vector<std::string>{"moved_metres_total", "moved_feet"}));
  ASSERT_TRUE(client.flush(limit));
  page = agent.snapshot();
  EXPECT_EQ(value_of(page, "moved_metres_total", "axis=\"y\",robot=\"r2\",site=\"x\""), 4);
  EXPECT_EQ(page.find("moved_feet"), nullptr);
}

TEST(Instruments, LookUpsOfManyThreadsAndClientsNeverMixSeries) {
  AgentThread agent;
  agent.listen();
  Client first(options_for(agent)), second(options_for(agent));
  const auto a = first.counter("a_total", "A.", {"x", "y"}), b = first.counter("b_total", "B.", {"x", "y"});
  const auto c = second.counter("c_total", "C.", {"x", "y"});
  constexpr int threads = 3, labels = 300, rounds = 5;  // more labels than a thread remembers
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      for (int round = 0; round < rounds; ++round)
        for (int n = 0; n < labels; ++n) {
          const auto text = std::to_string(n);
          a.with({text, ""}).add();
          a.with({"", text}).add(10);
          b.with({text, ""}).add(100);
          c.with({text, ""}).add(1000);
        }
    });
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(first.flush(limit) && second.flush(limit));
  const auto page = agent.snapshot();
  for (int n = 0; n < labels; ++n) {
    const auto text = std::to_string(n);
    ASSERT_EQ(value_of(page, "a_total", "x=\"" + text + "\",y=\"\""), threads * rounds);
    ASSERT_EQ(value_of(page, "a_total", "x=\"\",y=\"" + text + "\""), threads * rounds * 10);
    ASSERT_EQ(value_of(page, "b_total", "x=\"" + text + "\",y=\"\""), threads * rounds * 100);
    ASSERT_EQ(value_of(page, "c_total", "x=\"" + text + "\",y=\"\""), threads * rounds * 1000);
  }
}

#if !defined(__SANITIZE_THREAD__)  // TSan ends a child that starts a thread
TEST(Instruments, AProcessThatASignalEndsDeliversItsLastTotals) {
  AgentThread agent;
  agent.listen();
  Client parent(options_for(agent));
  const auto counter = parent.counter("signalled_total", "Signalled.").with({});
  EXPECT_TRUE(push::deliver_at_signal(SIGUSR2));
  EXPECT_TRUE(push::deliver_at_signal(SIGUSR2));
  ASSERT_NE(::signal(SIGUSR1, [](int) {}), SIG_ERR);
  EXPECT_FALSE(push::deliver_at_signal(SIGUSR1)) << "it has a handler";
  EXPECT_FALSE(push::deliver_at_signal(SIGCHLD)) << "it does not end the process";
  EXPECT_FALSE(push::deliver_at_signal(-1));
  counter.add(1);
  for (int i = 0; i < 3; ++i) {
    const auto child = ::fork();
    if (child == 0) {
      Client own(options_for(agent));  // and one that was forked
      own.counter("signalled_total", "Signalled.").with({}).add(10);
      if (i > 0) counter.add(100);
      if (i == 2 && !parent.flush(limit)) ::_exit(1);
      ::raise(SIGUSR2);
      ::_exit(2);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(WTERMSIG(status), SIGUSR2);
  }
  ASSERT_TRUE(parent.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "signalled_total"), 1 + 3 * 10 + 2 * 100);
  EXPECT_EQ(value_of(agent.snapshot(), "midst_push_disconnects_total", "reason=\"bye\""), 6);
  ::signal(SIGUSR1, SIG_DFL);
  ::signal(SIGUSR2, SIG_DFL);
}

TEST(Instruments, ASignalEndsAProcessInTimeWithoutAnAgent) {
  const auto child = ::fork();
  if (child == 0) {
    push::ClientOptions options;
    options.socket_path = "/nonexistent/push.sock";
    Client client(options);
    client.counter("alone_total", "Alone.").with({}).add();
    push::deliver_at_signal(SIGUSR2);
    ::alarm(5);  // what would be reported if the handler hung
    ::raise(SIGUSR2);
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGUSR2);
}
#endif

TEST(HttpMetrics, CountEachRequestOnceHoweverItEnds) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  push::HttpMetricsOptions options;
  options.duration_bounds = {60};
  options.size_bounds = {100};
  push::HttpMetrics http(client, options);
  http.expect("GET", "/v1/things/:id", 500);
  {
    auto request = http.begin("GET");
    request.set_route("/v1/things/:id");
    request.set_status(200);
    request.set_sizes(10, 1000);
    request.set_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    const auto aborted = http.begin("BREW");
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), "http_requests_in_flight"), 2);
  }
  {
    auto odd = http.begin("POST");
    odd.set_status(7);
  }
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "http_requests_in_flight"), 0);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"GET\",route=\"/v1/things/:id\",status=\"200\""), 1);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"GET\",route=\"/v1/things/:id\",status=\"500\""), 0);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"_OTHER\",route=\"unmatched\",status=\"499\""), 1);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"POST\",route=\"unmatched\",status=\"_OTHER\""), 1);
  const auto* sizes = distribution_of(page, "http_response_size_bytes", "method=\"GET\",route=\"/v1/things/:id\"");
  EXPECT_EQ(sizes->cumulative[0], 0u);
  EXPECT_EQ(sizes->sum, 1000);
  EXPECT_EQ(distribution_of(page, "http_request_size_bytes", "method=\"GET\",route=\"/v1/things/:id\"")->sum, 10);
  const auto* times = page.find("http_request_duration_seconds");
  ASSERT_EQ(times->exemplars.size(), 1u);
  EXPECT_EQ(times->labels[times->exemplars[0].sample].text, "method=\"GET\",route=\"/v1/things/:id\"");
  EXPECT_EQ(times->exemplars[0].labels.text,
            "span_id=\"b7ad6b7169203331\",trace_id=\"0af7651916cd43dd8448eb211c80319c\"");
}

TEST(HttpMetrics, AskForTheCurrentTraceWhereARequestWasNotTold) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  push::HttpMetricsOptions options;
  options.current_trace = [] { return push::sampled_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"); };
  push::HttpMetrics http(client, options);
  { const auto request = http.begin("GET"); }
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(agent.snapshot().find("http_request_duration_seconds")->exemplars.size(), 1u);
}

TEST(HttpMetrics, OneRouteMoreThanTheLimitIsOther) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  push::HttpMetricsOptions options;
  options.max_routes = 2;
  push::HttpMetrics http(client, options);
  for (const auto* route : {"/a", "/b", "/c", "/d", "/a"}) {
    auto request = http.begin("GET");
    request.set_route(route);
    request.set_status(200);
  }
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"GET\",route=\"/a\",status=\"200\""), 2);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"GET\",route=\"/b\",status=\"200\""), 1);
  EXPECT_EQ(value_of(page, "http_requests_total", "method=\"GET\",route=\"_OTHER\",status=\"200\""), 2);
}

TEST(CInterface, CountsAsTheClassesDo) {
  AgentThread agent;
  agent.listen();
  auto* const client = midst_push_open(agent.path().c_str(), "c", 10'000, 3, nullptr, nullptr);
  const char* const names[] = {"kind"};
  const char* const values[] = {"x"};
  auto* const jobs = midst_push_counter(client, "jobs_total", "Jobs.", names, 1);
  auto* const job = midst_push_series_of(jobs, values, 1);
  midst_push_inc(job);
  midst_push_add(job, 2.5);
  EXPECT_EQ(midst_push_series_of(jobs, values, 1), job);
  EXPECT_EQ(midst_push_series_of(jobs, values, 0), nullptr);
  auto* const levels = midst_push_gauge(client, "level", "Level.", names, 1, MIDST_PUSH_MAX);
  midst_push_set(midst_push_series_of(levels, values, 1), 4);
  const double bounds[] = {1, 2};
  auto* const took =
      midst_push_series_of(midst_push_histogram(client, "took", "T.", nullptr, 0, bounds, 2), nullptr, 0);
  midst_push_observe(took, 2);
  const std::uint8_t trace[16] = {0xab};
  midst_push_observe_exemplar(took, 3, trace, nullptr);
  const char* const more[] = {"y"};
  auto* const overflow = midst_push_series_of(jobs, more, 1);
  const char* const still_more[] = {"z"};
  EXPECT_EQ(midst_push_series_of(jobs, still_more, 1), overflow);
  ASSERT_EQ(midst_push_flush(client, 10'000), 1);
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "jobs_total", "kind=\"x\""), 3.5);
  EXPECT_EQ(value_of(page, "level", "kind=\"x\""), 4);
  EXPECT_EQ(distribution_of(page, "took")->count, 2u);
  EXPECT_EQ(page.find("took")->exemplars.size(), 1u);
  midst_push_remove(levels, values, 1);
  ASSERT_EQ(midst_push_flush(client, 10'000), 1);
  EXPECT_EQ(value_of(agent.snapshot(), "level", "kind=\"x\""), std::nullopt);
  midst_push_close(client);
}

}  // namespace
}  // namespace midst
