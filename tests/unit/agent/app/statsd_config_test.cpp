#include "agent/app/config.hpp"
#include "agent/app/statsd_mapping_yaml.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace midst::app {
namespace {

using ingest::statsd::BareTags;
using ingest::statsd::GaugeSign;
using ingest::statsd::MappingRule;

const Environment no_variables = Environment::Variables{};

std::string all_problems(const std::vector<Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += describe(problem) + "\n";
  return out;
}

std::string problems_of(const std::string& toml) {
  return all_problems(parse_config(toml, "a.toml", no_variables).problems);
}

TEST(StatsdConfig, HasItsDefaultsWithoutAFile) {
  const auto statsd = parse_config("", "a.toml", no_variables).config.ingest.statsd;
  EXPECT_EQ(statsd.socket, "/run/midst-agent/dsd.sock");
  EXPECT_EQ(statsd.stream_socket, "/run/midst-agent/dsd-stream.sock");
  EXPECT_FALSE(statsd.is_socket_explicit);
  EXPECT_EQ(statsd.udp, "");
  EXPECT_EQ(statsd.listener.socket_mode, 0666U);
  EXPECT_EQ(statsd.options.gauge_sign, GaugeSign::by_socket);
  EXPECT_EQ(statsd.options.resolve.bounds.size(), 11U);
}

TEST(StatsdConfig, ReadsEveryKey) {
  const auto parsed = parse_config(R"toml(
[ingest]
dogstatsd_socket = "/tmp/d"
dogstatsd_stream_socket = ""
[ingest.statsd]
udp = "127.0.0.1:8125"
socket_mode = "0660"
socket_group = "metrics"
max_clients = 7
gauge_sign = "statsd"
bare_tags = "drop"
buckets = [1, 2.5]
set_window = "10s"
ttl = "1m"
max_series = 5
max_series_per_family = 4
max_families = 3
max_bytes = "1MiB"
[[ingest.statsd.mapping]]
match = "^a\\.(b)"
match_type = "regex"
match_metric_type = "observer"
name = "n_$1"
honor_labels = true
help = "Help."
scale = 0.5
ttl = "5s"
buckets = [3]
[ingest.statsd.mapping.labels]
x = "$1"
[[ingest.statsd.mapping]]
match = "noise.*"
action = "drop"
)toml",
                                   "a.toml", no_variables);
  EXPECT_EQ(all_problems(parsed.problems), "");
  const auto& statsd = parsed.config.ingest.statsd;
  EXPECT_EQ(statsd.socket, "/tmp/d");
  EXPECT_TRUE(statsd.is_socket_explicit);
  EXPECT_EQ(statsd.stream_socket, "");
  EXPECT_EQ(statsd.udp, "127.0.0.1:8125");
  EXPECT_EQ(statsd.listener.socket_mode, 0660U);
  EXPECT_EQ(statsd.listener.socket_group, "metrics");
  EXPECT_EQ(statsd.listener.max_clients, 7U);
  const auto& options = statsd.options;
  EXPECT_EQ(options.gauge_sign, GaugeSign::statsd);
  EXPECT_EQ(options.resolve.bare_tags, BareTags::drop);
  EXPECT_EQ(options.resolve.bounds, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(options.limits.set_window_seconds, 10U);
  EXPECT_EQ(options.resolve.ttl_seconds, 60U);
  EXPECT_EQ(options.limits.max_series, 5U);
  EXPECT_EQ(options.limits.max_series_per_family, 4U);
  EXPECT_EQ(options.limits.max_families, 3U);
  EXPECT_EQ(options.limits.max_bytes, 512U * 1024);
  EXPECT_EQ(options.max_memo_bytes, 512U * 1024);
  ASSERT_EQ(options.resolve.rules.size(), 2U);
  const auto& rule = options.resolve.rules[0];
  EXPECT_EQ(rule.pattern, "^a\\.(b)");
  EXPECT_EQ(rule.match, MappingRule::Match::regex);
  EXPECT_EQ(rule.only, MappingRule::Only::observer);
  EXPECT_EQ(rule.name, "n_$1");
  EXPECT_EQ(rule.labels, (metrics::OwnedLabels{{"x", "$1"}}));
  EXPECT_TRUE(rule.honor_labels);
  EXPECT_EQ(rule.help, "Help.");
  EXPECT_EQ(rule.scale, 0.5);
  EXPECT_EQ(rule.ttl_seconds, 5U);
  EXPECT_EQ(rule.bounds, std::vector<double>{3});
  EXPECT_EQ(options.resolve.rules[1].action, MappingRule::Action::drop);
}

TEST(StatsdConfig, SaysWhatIsWrongAndWhere) {
  struct Case {
    std::string toml, problem;
  };
  for (const auto& [toml, problem] : {
           Case{"udp = \"0.0.0.0:8125\"",
                "a.toml:2:7: error: ingest.statsd.udp: \"0.0.0.0:8125\" is not on loopback, as 127.0.0.1:8125 is: "
                "whoever "
                "reaches a UDP port can send under any name\n"},
           Case{"udp = \"127.0.0.1\"",
                "a.toml:2:7: error: ingest.statsd.udp: listen address \"127.0.0.1\": no port; write it like "
                "\"127.0.0.1:9464\", \":9464\" or \"unix:/path\"\n"},
           Case{"socket_mode = \"0888\"",
                "a.toml:2:15: error: ingest.statsd.socket_mode: \"0888\" is no file mode; it takes \"0600\" to "
                "\"0777\"\n"},
           Case{"gauge_sign = \"both\"",
                "a.toml:2:14: error: ingest.statsd.gauge_sign: unknown value \"both\"; one of by_socket, statsd, "
                "dogstatsd\n"},
           Case{"buckets = [2, 1]", "a.toml:2:11: error: ingest.statsd.buckets has to ascend\n"},
           Case{"buckets = []", "a.toml:2:11: error: ingest.statsd.buckets has to have a bound\n"},
           Case{"buckets = [\"1\"]", "a.toml:2:12: error: ingest.statsd.buckets takes a list of numbers\n"},
           Case{"set_window = \"0s\"",
                "a.toml:2:14: error: ingest.statsd.set_window = 0s is out of range; it takes 1s to 1h\n"},
           Case{"max_serie = 1",
                "a.toml:2:1: error: unknown key ingest.statsd.max_serie; did you mean ingest.statsd.max_series?\n"},
           Case{"mapping_file = \"/nonexistent/x.yaml\"",
                "a.toml:2:16: error: ingest.statsd.mapping_file: cannot read /nonexistent/x.yaml\n"},
           Case{"[[ingest.statsd.mapping]]\nmatch = \"a.*\"\nname = \"$2\"",
                "a.toml:3:9: error: ingest.statsd.mapping: $2 stands for nothing: the match has 1 such place\n"},
           Case{"[[ingest.statsd.mapping]]\nmatch = \"a\"\nname = \"b\"\nlabels = { \"a-b\" = \"x\" }",
                "a.toml:5:20: error: \"a-b\" is no name of a label: letters, digits and '_', no digit first, no "
                "\"__\"\n"},
       })
    EXPECT_EQ(problems_of("[ingest.statsd]\n" + toml + "\n"), problem);
}

TEST(StatsdConfig, TakesItsSocketsFromVariablesToo) {
  const Environment variables = Environment::Variables{{"MIDST_AGENT_INGEST_DOGSTATSD_SOCKET", "/tmp/x"},
                                                       {"MIDST_AGENT_INGEST_DOGSTATSD_STREAM_SOCKET", ""}};
  const auto statsd = parse_config("", "a.toml", variables).config.ingest.statsd;
  EXPECT_EQ(statsd.socket, "/tmp/x");
  EXPECT_TRUE(statsd.is_socket_explicit);
  EXPECT_EQ(statsd.stream_socket, "");
}

constexpr std::string_view mapping_file = R"(defaults:
  observer_type: histogram
  histogram_options:
    buckets: [0.1, 1]
  match_type: glob
  glob_disable_ordering: false
  ttl: 0
mappings:
- match: "test.*.dispatcher.*"
  name: "dispatcher_events"
  honor_labels: true
  help: "Events."
  ttl: 1m30s
  scale: 0.001
  labels:
    processor: "$1"
    action: "${2}"
- match: "(.*)\\.client"
  match_type: regex
  match_metric_type: timer
  name: "client_$1"
  buckets: [5, 10]
- match: "noise.*"
  action: drop
)";

TEST(StatsdMappingFile, BecomesRules) {
  const auto parsed = parse_statsd_mapping(mapping_file, "m.yaml");
  EXPECT_EQ(all_problems(parsed.problems), "");
  ASSERT_EQ(parsed.rules.size(), 3U);
  const auto& first = parsed.rules[0];
  EXPECT_EQ(first.pattern, "test.*.dispatcher.*");
  EXPECT_EQ(first.name, "dispatcher_events");
  EXPECT_TRUE(first.honor_labels);
  EXPECT_EQ(first.help, "Events.");
  EXPECT_EQ(first.ttl_seconds, 90U);
  EXPECT_EQ(first.scale, 0.001);
  EXPECT_EQ(first.labels, (metrics::OwnedLabels{{"processor", "$1"}, {"action", "${2}"}}));
  EXPECT_EQ(first.bounds, (std::vector<double>{0.1, 1}));
  const auto& second = parsed.rules[1];
  EXPECT_EQ(second.match, MappingRule::Match::regex);
  EXPECT_EQ(second.only, MappingRule::Only::observer);
  EXPECT_EQ(second.bounds, (std::vector<double>{5, 10}));
  EXPECT_EQ(second.ttl_seconds, 0U);
  EXPECT_EQ(parsed.rules[2].action, MappingRule::Action::drop);
}

TEST(StatsdMappingFile, SaysWhatIsWrongAndWhere) {
  struct Case {
    std::string yaml, problem;
  };
  for (const auto& [yaml, problem] : {
           Case{"mappings: {}", "m.yaml:1:11: error: mappings has to be a list\n"},
           Case{"mapping: []", "m.yaml:1:1: error: unknown key mapping in the file; did you mean mappings?\n"},
           Case{"mappings:\n- match: a.*\n  name: x_$2\n",
                "m.yaml:2:3: error: $2 stands for nothing: the match has 1 such place\n"},
           Case{"mappings:\n- match: a*\n  name: x\n",
                "m.yaml:2:3: error: match \"a*\": \"*\" stands for one whole part between dots, and no part is empty; "
                "use "
                "match_type = \"regex\" for more\n"},
           Case{"defaults: {observer_type: native}",
                "m.yaml:1:27: error: unknown observer_type \"native\"; one of summary, histogram\n"},
           Case{"mappings:\n- match: a\n  match_metric_type: gauge\n  name: x\n  ttl: soon\n",
                "m.yaml:5:8: error: ttl: not a duration: \"soon\"; write it like \"250ms\", \"9s\" or \"1m30s\"\n"},
           Case{"mappings:\n- match: a\n  name: x\n",
                "m.yaml:2:3: warning: timings become histograms here, not summaries; set their buckets, and see "
                "docs/statsd.md\n"},
           Case{"a: [", "m.yaml:1:1: error: end of sequence flow not found\n"},
       })
    EXPECT_EQ(all_problems(parse_statsd_mapping(yaml, "m.yaml").problems), problem) << yaml;
}

TEST(StatsdMappingFile, ComesAfterTheRulesOfTheConfiguration) {
  const auto path = std::filesystem::temp_directory_path() / ("midst-mapping-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << mapping_file;
  const auto parsed = parse_config("[ingest.statsd]\nmapping_file = \"" + path.string() +
                                       "\"\n[[ingest.statsd.mapping]]\nmatch = \"x\"\nname = \"y\"\n",
                                   "a.toml", no_variables);
  std::filesystem::remove(path);
  EXPECT_EQ(all_problems(parsed.problems), "");
  const auto& rules = parsed.config.ingest.statsd.options.resolve.rules;
  ASSERT_EQ(rules.size(), 4U);
  EXPECT_EQ(rules[0].name, "y");
  EXPECT_EQ(rules[1].name, "dispatcher_events");
}

}  // namespace
}  // namespace midst::app
