#include "agent/ingest/statsd/statsd.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace midst::ingest::statsd {
namespace {

using namespace std::chrono_literals;

const SteadyTime start{1000h};

/// A Statsd and what its page shows of one family.
class World {
 public:
  explicit World(StatsdOptions options = {}) : statsd(std::move(options)) {}

  void feed(std::string_view packet, Protocol protocol = Protocol::datagram) { statsd.feed(packet, protocol, now); }

  std::string dump(std::string_view name) {
    metrics::SnapshotBuilder builder;
    statsd.write(builder, now);
    const auto snapshot = builder.freeze();
    const auto* family = snapshot.find(name);
    if (family == nullptr) return "absent";
    std::string out;
    for (std::size_t i = 0; i < family->labels.size(); ++i) {
      if (i > 0) out += ' ';
      if (!family->labels[i].text.empty()) out += fmt::format("{{{}}}", family->labels[i].text);
      if (!family->values.empty()) {
        out += fmt::format("{}", family->values[i]);
        continue;
      }
      const auto& histogram = family->distributions[i];
      out += fmt::format("{}/{} sum {}", fmt::join(histogram.cumulative, "/"), histogram.count, histogram.sum);
    }
    return out;
  }
  std::string own(std::string_view name, std::string_view label) {
    const auto all = dump(name);
    const auto at = all.find(label);
    if (at == std::string::npos) return "absent in " + all;
    const auto begin = all.find('}', at) + 1;
    return all.substr(begin, all.find(' ', begin) - begin);
  }
  std::string faults(std::string_view reason) {
    return own("midst_push_line_errors_total", fmt::format("reason=\"{}\"", reason));
  }

  Statsd statsd;
  SteadyTime now = start;
};

TEST(Statsd, SumsCountersOfAllClientsUnderANameThatEndsInTotal) {
  World world;
  world.feed("page.views:1|c\npage.views:2.5|c");
  world.feed("page.views:3|c\n");
  EXPECT_EQ(world.dump("page_views_total"), "6.5");
  world.feed("seen_total:1|c");
  EXPECT_EQ(world.dump("seen_total"), "1");
  EXPECT_EQ(world.own("midst_push_lines_total", "\"dogstatsd\""), "4");
  EXPECT_EQ(world.own("midst_push_packets_total", "\"dogstatsd\""), "3");
}

TEST(Statsd, DividesCountersByTheirRate) {
  World world;
  for (int i = 0; i < 3; ++i) world.feed("a:1|c|@0.1");
  EXPECT_EQ(world.dump("a_total"), "30");
}

TEST(Statsd, CountsEveryPackedValueWithTheSharedRate) {
  World world;
  for (int i = 0; i < 2; ++i) world.feed("a:1:2::3|c|@0.5|#k:v");
  EXPECT_EQ(world.dump("a_total"), "{k=\"v\"}24");
}

TEST(Statsd, ShowsTimingsInSecondsAndOtherObservationsAsTheyAre) {
  StatsdOptions options;
  options.resolve.bounds = {0.1, 1};
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("t:100|ms\nt:1001|ms\nh:100|h\nh:1|d\n");
  EXPECT_EQ(world.dump("t"), "2/2/4 sum 2.202");
  EXPECT_EQ(world.dump("h"), "0/2/4 sum 202");
}

TEST(Statsd, RoundsWeightsOfObservationsSoThatNoneIsLost) {
  StatsdOptions options;
  options.resolve.bounds = {1};
  World world(std::move(options));
  for (int i = 0; i < 300; ++i) world.feed("h:0.5|h|@0.3");
  EXPECT_EQ(world.dump("h").substr(0, 10), "1000/1000 ");
  world.feed("x:1|h|@0.000001\n");
  EXPECT_EQ(world.dump("x"), "1000000/1000000 sum 1000000");
}

TEST(Statsd, TakesASignOfAGaugeAsTheSocketHasIt) {
  World world;
  world.feed("g:5|g\ng:+3|g");
  EXPECT_EQ(world.dump("g"), "8");
  world.feed("g:-2|g");
  EXPECT_EQ(world.dump("g"), "-2");
  world.feed("g:-2|g", Protocol::udp);
  EXPECT_EQ(world.dump("g"), "-4");
}

TEST(Statsd, TakesASignOfAGaugeAsTheOptionsSay) {
  StatsdOptions options;
  options.gauge_sign = GaugeSign::statsd;
  World statsd(std::move(options));
  statsd.feed("g:5|g\ng:-2|g");
  EXPECT_EQ(statsd.dump("g"), "3");
  options = {};
  options.gauge_sign = GaugeSign::dogstatsd;
  World dogstatsd(std::move(options));
  dogstatsd.feed("g:5|g\ng:-2|g", Protocol::udp);
  EXPECT_EQ(dogstatsd.dump("g"), "-2");
}

TEST(Statsd, ShowsTheMembersOfASetInTheLastWindowThatIsOver) {
  World world;
  world.feed("users:ann|s\nusers:bob|s\nusers:ann|s\n");
  EXPECT_EQ(world.dump("users_unique"), "absent");
  world.now += 60s;
  EXPECT_EQ(world.dump("users_unique"), "2");
  world.feed("users:eve|s");
  EXPECT_EQ(world.dump("users_unique"), "2");
  world.now += 60s;
  EXPECT_EQ(world.dump("users_unique"), "1");
  world.now += 60s;
  EXPECT_EQ(world.dump("users_unique"), "0");
}

TEST(Statsd, CountsALargeSetToWithinTwoPercent) {
  World world;
  std::string packet;
  for (int i = 0; i < 4096; ++i) packet += fmt::format("exact:{}|s\n", i);
  for (int i = 0; i < 100'000; ++i) packet += fmt::format("large:{}|s\n", i);
  world.feed(packet);
  world.now += 60s;
  EXPECT_EQ(world.dump("exact_unique"), "4096");
  EXPECT_NEAR(std::stod(world.dump("large_unique")), 100'000, 4'000);
}

TEST(Statsd, MakesOneSeriesOfTagsInAnyOrderAndOfEveryStyle) {
  World world;
  for (const auto* line : {"a:1|c|#x:1,y:2", "a:1|c|#y:2,x:1", "a,x=1,y=2:1|c", "a#y=2,x=1:1|c", "a;x=1;y=2:1|c",
                           "a[x=1,y=2]:1|c", "[x=1,y=2]a:1|c"})
    world.feed(line);
  EXPECT_EQ(world.dump("a_total"), "{x=\"1\",y=\"2\"}7");
}

TEST(Statsd, MendsNamesAndStripsTagsThatSayWhereALineComesFrom) {
  World world;
  world.feed("9.a--b-c/d:1|c|#host:h,dd.internal.entity_id:x,a-b.c:1,0x:2,__name__:n");
  EXPECT_EQ(world.dump("_9_a_b_c_d_total"), "{_0x=\"2\",a_b_c=\"1\",exported___name__=\"n\"}1");
}

TEST(Statsd, JoinsDuplicateTagsAndCountsOddOnesEveryTime) {
  World world;
  for (int i = 0; i < 2; ++i) world.feed("a:1|c|#k:1,k:2,bare,x:,:y");
  EXPECT_EQ(world.dump("a_total"), "{k=\"1,2\",tag_bare=\"true\"}2");
  EXPECT_EQ(world.own("midst_push_tag_errors_total", "duplicate"), "2");
  EXPECT_EQ(world.own("midst_push_tag_errors_total", "malformed"), "4");
  EXPECT_EQ(world.own("midst_push_tag_errors_total", "bare"), "0");
}

TEST(Statsd, DropsBareTagsWhenTheOptionsSaySo) {
  StatsdOptions options;
  options.resolve.bare_tags = BareTags::drop;
  World world(std::move(options));
  world.feed("a:1|c|#bare,k:v");
  EXPECT_EQ(world.dump("a_total"), "{k=\"v\"}1");
  EXPECT_EQ(world.own("midst_push_tag_errors_total", "bare"), "1");
}

TEST(Statsd, PassesOverSectionsItDoesNotKnowAndCountsThem) {
  World world;
  for (int i = 0; i < 3; ++i) world.feed("a:1|c|e:it-false|card:low|c:in-1|new:1|T5");
  for (int i = 0; i < 3; ++i) world.feed("a:1|c|new:1");
  EXPECT_EQ(world.dump("a_total"), "6");
  EXPECT_EQ(world.dump("midst_push_skipped_sections_total"), "6");
  EXPECT_EQ(world.dump("midst_push_ignored_timestamps_total"), "3");
}

TEST(Statsd, DropsWhatIsNoValueWithItsReason) {
  World world;
  for (int i = 0; i < 2; ++i)
    world.feed("a:nan|c\na:inf|g\nh:1e999|h\na:x|c\nh:1,2,3|d\na:-1|c\na:1|q\na:1|c|@2\na\na:5|c\r\n\n\xff:1|c\n");
  EXPECT_EQ(world.faults("not_finite"), "6");
  EXPECT_EQ(world.faults("malformed_value"), "4");
  EXPECT_EQ(world.faults("negative_counter"), "2");
  EXPECT_EQ(world.faults("unknown_type"), "2");
  EXPECT_EQ(world.faults("bad_rate"), "2");
  EXPECT_EQ(world.faults("malformed_line"), "2");
  EXPECT_EQ(world.faults("invalid_utf8"), "2");
  EXPECT_EQ(world.dump("a_total"), "10");
  EXPECT_EQ(world.own("midst_push_lines_total", "\"dogstatsd\""), "22");
}

TEST(Statsd, DropsOnlyThePackedValueThatIsWrong) {
  World world;
  for (int i = 0; i < 2; ++i) world.feed("a:1:x:3:-1:nan:4|c");
  EXPECT_EQ(world.dump("a_total"), "16");
  EXPECT_EQ(world.faults("malformed_value"), "2");
  EXPECT_EQ(world.faults("negative_counter"), "2");
  EXPECT_EQ(world.faults("not_finite"), "2");
}

TEST(Statsd, KeepsATotalFiniteWhateverComes) {
  World world;
  for (int i = 0; i < 2; ++i) world.feed("a:1e308|c\ng:1e308|g\ng:+1e308|g\nh:1e308|h|@0.001");
  EXPECT_EQ(world.dump("a_total"), "1e+308");
  EXPECT_EQ(world.dump("g"), "1e+308");
  EXPECT_EQ(world.dump("h"), "absent");
  EXPECT_EQ(world.faults("not_finite"), "5");
}

TEST(Statsd, LeavesANameToWhoeverHadItFirst) {
  StatsdOptions options;
  options.is_taken = [](std::string_view name) { return name == "native_total"; };
  options.reserved_prefixes = {"redis_"};
  options.unreserved_prefixes = {"redis_operation_"};
  World world(std::move(options));
  for (int i = 0; i < 2; ++i)
    world.feed("x:1|g\nx:1|h\nnative:1|c\nredis.up:1|g\nredis_operation_x:1|c\nmidst_service_check:9|h\n");
  EXPECT_EQ(world.dump("x"), "1");
  EXPECT_EQ(world.faults("type_conflict"), "2");
  EXPECT_EQ(world.faults("name_taken"), "2");
  EXPECT_EQ(world.faults("reserved_name"), "2");
  EXPECT_EQ(world.dump("redis_operation_x_total"), "2");
  EXPECT_TRUE(world.statsd.has_family("x"));
  EXPECT_FALSE(world.statsd.has_family("redis_up"));
}

TEST(Statsd, SendsSeriesBeyondALimitToTheOverflowSeriesOfTheirFamily) {
  StatsdOptions options;
  options.limits.max_series_per_family = 2;
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("a:1|c|#k:1\na:1|c|#k:2\na:1|c|#k:3\na:1|c|#k:4\n");
  EXPECT_EQ(world.dump("a_total"), "{k=\"1\"}2 {k=\"2\"}2 {k=\"__overflow__\"}4");
  EXPECT_EQ(world.own("midst_push_overflow_total", "family_limit"), "4");
  world.feed("b:1|c|#k:1");
  EXPECT_EQ(world.dump("b_total"), "{k=\"1\"}1");
}

TEST(Statsd, HoldsNoMoreSeriesAndBytesThanItsLimitsSay) {
  StatsdOptions options;
  options.limits.max_series = 3;
  World world(std::move(options));
  for (const auto* line : {"a:1|c|#k:1", "a:1|c|#k:2", "b:1|c|#k:1", "b:1|c|#k:2", "c:7|g"}) world.feed(line);
  EXPECT_EQ(world.dump("b_total"), "{k=\"1\"}1 {k=\"__overflow__\"}1");
  EXPECT_EQ(world.dump("c"), "7") << "a family's one series without labels always has its place";
  EXPECT_EQ(world.own("midst_push_overflow_total", "total_limit"), "1");

  options = {};
  options.limits.max_bytes = 1000;
  World small(std::move(options));
  for (int i = 0; i < 100; ++i) small.feed(fmt::format("a:1|c|#k:{}", i));
  EXPECT_EQ(small.own("midst_push_overflow_total", "bytes_limit"), "80");
  EXPECT_EQ(small.dump("midst_push_contexts"), "21");

  options = {};
  options.limits.max_families = 2;
  World few(std::move(options));
  few.feed("a:1|c\nb:1|c\nc:1|c");
  EXPECT_EQ(few.faults("too_many_families"), "1");
}

TEST(Statsd, StaysExactWhenItsCacheOfLinesIsFull) {
  StatsdOptions options;
  options.max_memo_bytes = 40'000;
  World world(std::move(options));
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 500; ++i) world.feed(fmt::format("a:1|c|#k:{}", i));
  double sum = 0;
  metrics::SnapshotBuilder builder;
  world.statsd.write(builder, start);
  const auto snapshot = builder.freeze();
  for (const auto value : snapshot.find("a_total")->values) {
    EXPECT_EQ(value, 3);
    sum += value;
  }
  EXPECT_EQ(sum, 1500);
  EXPECT_LE(std::stod(world.dump("midst_push_line_cache_bytes")), 50'000);
}

TEST(Statsd, HidesSeriesThatAreIdleForLongerThanTheyMayAndGoesOnFromTheirTotal) {
  StatsdOptions options;
  options.resolve.ttl_seconds = 10;
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("a:1|c\ng:5|g");
  world.now += 9s;
  EXPECT_EQ(world.dump("a_total"), "2");
  world.now += 1s;
  EXPECT_EQ(world.dump("a_total"), "absent");
  EXPECT_EQ(world.dump("g"), "absent");
  world.feed("a:1|c");
  EXPECT_EQ(world.dump("a_total"), "3");
}

TEST(Statsd, GivesThePlaceOfExpiredSeriesToNewOnesWhenItIsFull) {
  StatsdOptions options;
  options.resolve.ttl_seconds = 10;
  options.limits.max_series = 2;
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("a:1|c|#k:1\na:1|c|#k:2");
  world.now += 11s;
  for (int i = 0; i < 2; ++i) world.feed("a:1|c|#k:3\na:1|c|#k:2");
  EXPECT_EQ(world.dump("a_total"), "{k=\"3\"}2 {k=\"2\"}2");
}

TEST(Statsd, KeepsTheLastStatusOfServiceChecks) {
  World world;
  world.feed("_sc|db.can_connect|2|#x:y|m:no\n_sc|cache|0\n_sc|db.can_connect|1\n_sc|db|7");
  EXPECT_EQ(world.dump("midst_service_check"), "{name=\"db.can_connect\"}1 {name=\"cache\"}0");
  EXPECT_EQ(world.faults("malformed_check"), "1");
}

TEST(Statsd, CountsEventsByAlertType) {
  World world;
  world.feed("_e{1,1}:a|b\n_e{1,1}:a|b|t:error\n_e{1,1}:a|b|t:error\n_e{2,1}:a|b");
  EXPECT_EQ(world.own("midst_push_events_total", "info"), "1");
  EXPECT_EQ(world.own("midst_push_events_total", "error"), "2");
  EXPECT_EQ(world.faults("malformed_event"), "1");
}

TEST(Statsd, MakesWhatClientsReportOfThemselvesMetricsOfThePushSide) {
  World world;
  for (int i = 0; i < 2; ++i)
    world.feed(
        "datadog.dogstatsd.client.packets_dropped:3|c|#client:go,client_version:5.9,client_transport:uds,env:x\n"
        "datadog.dogstatsd.client.other:1|c\n");
  EXPECT_EQ(world.dump("midst_push_client_packets_dropped_total"),
            "{client=\"go\",client_transport=\"uds\",client_version=\"5.9\"}6");
  EXPECT_EQ(world.dump("datadog_dogstatsd_client_other_total"), "2");
}

TEST(Statsd, AppliesMappingRules) {
  StatsdOptions options;
  options.reserved_prefixes = {"midst_"};
  MappingRule rule;
  rule.pattern = "app.*.requests.*";
  rule.name = "app_requests";
  rule.labels = {{"service", "$1"}, {"code", "${2}xx"}};
  rule.help = "Requests.";
  rule.scale = 2;
  options.resolve.rules.push_back(rule);
  rule = {};
  rule.pattern = "noise.*";
  rule.action = MappingRule::Action::drop;
  options.resolve.rules.push_back(rule);
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("app.web.requests.2:1|c|#service:tag,k:v\nnoise.x:1|c\n");
  EXPECT_EQ(world.dump("app_requests_total"), "{code=\"2xx\",k=\"v\",service=\"web\"}4");
  EXPECT_EQ(world.dump("midst_push_dropped_by_rule_total"), "2");
  EXPECT_EQ(world.dump("noise_x_total"), "absent");
}

TEST(Statsd, LeavesATagToItsClientWhereTheRuleHonorsLabels) {
  StatsdOptions options;
  MappingRule rule;
  rule.pattern = "a.*";
  rule.name = "a";
  rule.labels = {{"k", "$1"}};
  rule.honor_labels = true;
  rule.ttl_seconds = 5;
  rule.bounds = {2};
  options.resolve.rules.push_back(rule);
  World world(std::move(options));
  for (int i = 0; i < 2; ++i) world.feed("a.x:1|h|#k:tag\na.y:3|h\n");
  EXPECT_EQ(world.dump("a"), "{k=\"tag\"}2/2 sum 2 {k=\"y\"}0/2 sum 6");
  world.now += 5s;
  EXPECT_EQ(world.dump("a"), "absent") << "the rule's own ttl";
}

TEST(Statsd, LogsDropsOnceAMinuteAtMost) {
  World world;
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) {
    world.feed("a:x|c");
    world.dump("a_total");
  }
  const auto first = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 1) << first;
  EXPECT_NE(first.find("dropped=1 overflowed=0"), std::string::npos) << first;
  world.now += 60s;
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) world.dump("a_total");
  const auto second = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(second.find("dropped=5 overflowed=0"), std::string::npos) << second;
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 1) << second;
}

TEST(Statsd, GoesOnFromTheTotalsOfItsState) {
  StatsdOptions options;
  options.resolve.bounds = {1, 10};
  World before(options);
  before.feed("a:5|c|#k:\"\\v\na:2|c\nh:3:30|h|#x:y\ng:1|g\nu:1|s\n");
  World after(options);
  ASSERT_TRUE(after.statsd.restore(before.statsd.state()));
  EXPECT_EQ(after.dump("a_total"), "{k=\"\\\"\\\\v\"}5 2");
  EXPECT_EQ(after.dump("g"), "absent");
  for (int i = 0; i < 2; ++i) after.feed("a:1|c|#k:\"\\v\nh:0.5|h|#x:y\n");
  EXPECT_EQ(after.dump("a_total"), "{k=\"\\\"\\\\v\"}7 2");
  EXPECT_EQ(after.dump("h"), "{x=\"y\"}2/3/4 sum 34");
}

TEST(Statsd, TakesAllOfAStateOrNothing) {
  World before;
  before.feed("a:5|c|#k:v\nh:3|h\nb:1|c");
  const auto state = before.statsd.state();
  World after;
  for (std::size_t size = 0; size < state.size(); ++size) {
    const auto done = after.statsd.restore(state.substr(0, size));
    if (done) continue;  // cut between two families
    EXPECT_EQ(done.error().code, Errc::protocol);
  }
  EXPECT_FALSE(World().statsd.restore("midst statsd 2"));
  for (const auto* broken :
       {"a=\"\n\"", "a", "a=b", "1=\"b\"", "a=\"b\",", "b=\"1\",a=\"1\"", "a=\"\\x\"", "a=\"\xff\""}) {
    std::string bytes = "midst statsd 1";
    bytes += '\1';
    bytes += 'f';
    bytes += '\0';  // no help
    bytes += '\0';  // a counter
    bytes += '\0';  // without bounds
    bytes += '\1';
    bytes += static_cast<char>(std::string_view(broken).size());
    bytes += broken;
    bytes += std::string(9, '\0');
    EXPECT_FALSE(World().statsd.restore(bytes)) << broken;
  }
}

TEST(Statsd, CountsWhatItsLimitsHaveNoRoomForAnyMoreInOverflowSeries) {
  StatsdOptions options;
  options.limits.max_series_per_family = 3;
  options.resolve.bounds = {1};
  World before(options);
  before.feed("a:1|c|#k:1\na:2|c|#k:2\na:4|c|#k:3\na:8|c|#k:4\na:16|c|#k:5\nh:1|h|#k:1\nh:5|h|#k:2");
  options.limits.max_series_per_family = 1;
  World after(std::move(options));
  ASSERT_TRUE(after.statsd.restore(before.statsd.state()));
  EXPECT_EQ(after.dump("a_total"), "{k=\"1\"}1 {k=\"__overflow__\"}30");
  EXPECT_EQ(after.dump("h"), "{k=\"1\"}1/1 sum 1 {k=\"__overflow__\"}0/1 sum 5");
}

TEST(Statsd, BeginsWithTheStateItWasGivenLast) {
  World first;
  first.feed("a:1|c|#k:v");
  World second;
  second.feed("b:2|c");
  World after;
  ASSERT_TRUE(after.statsd.restore(first.statsd.state()));
  ASSERT_TRUE(after.statsd.restore(second.statsd.state()));
  EXPECT_EQ(after.dump("a_total"), "absent");
  EXPECT_EQ(after.dump("b_total"), "2");
  ASSERT_TRUE(after.statsd.restore({}));
  EXPECT_EQ(after.dump("b_total"), "absent");
}

TEST(Statsd, ReplacesARestoredFamilyByOneOfAnotherShape) {
  World before;
  before.feed("a:1|h\na.total:1|c");
  StatsdOptions options;
  options.resolve.bounds = {1};
  World after(std::move(options));
  ASSERT_TRUE(after.statsd.restore(before.statsd.state()));
  for (int i = 0; i < 2; ++i) after.feed("a:1|h\na_total:1|g");
  EXPECT_EQ(after.dump("a"), "2/2 sum 2");
  EXPECT_EQ(after.dump("a_total"), "1");
  EXPECT_EQ(after.faults("type_conflict"), "0");
}

}  // namespace
}  // namespace midst::ingest::statsd
