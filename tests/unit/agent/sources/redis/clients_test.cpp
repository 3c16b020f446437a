#include "agent/sources/redis/commands/clients.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;

/// Recorded from Redis 7.0.15: one that waits in BLPOP, a subscriber, and the one that asks.
const std::string recorded =
    "id=3 addr=127.0.0.1:55320 laddr=127.0.0.1:17411 fd=8 name= age=20 idle=19 flags=b db=0 sub=0 psub=0 ssub=0 "
    "multi=-1 qbuf=0 qbuf-free=20474 argv-mem=11 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22307 events=r "
    "cmd=blpop user=default redir=-1 resp=2\n"
    "id=4 addr=127.0.0.1:55336 laddr=127.0.0.1:17411 fd=9 name= age=30 idle=30 flags=P db=0 sub=2 psub=0 ssub=0 "
    "multi=-1 qbuf=0 qbuf-free=20474 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=16 tot-mem=22352 events=r "
    "cmd=subscribe user=default redir=-1 resp=2\n"
    "id=11 addr=127.0.0.1:55384 laddr=127.0.0.1:17411 fd=11 name=me age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 "
    "multi=-1 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=16384 rbp=16384 obl=0 oll=0 omem=0 tot-mem=37658 "
    "events=r cmd=client|list user=default redir=-1 resp=2\n";

TEST(RedisClientLine, IsReadFieldByField) {
  const auto client = parse_client(
      "id=14 addr=10.0.0.5:64958 fd=9 name=web age=5 idle=2 flags=N db=3 sub=1 psub=2 ssub=3 watch=4 multi=-1 qbuf=26 "
      "qbuf-free=32742 obl=7 oll=8 omem=9 tot-mem=61466 events=r cmd=client user=alice resp=3 lib-name=redis-py "
      "lib-ver=5.0.1 tot-net-in=1");
  ASSERT_TRUE(client);
  EXPECT_EQ(client->id, "14");
  EXPECT_EQ(client->host(), "10.0.0.5");
  EXPECT_EQ(client->port(), "64958");
  EXPECT_EQ(client->name, "web");
  EXPECT_EQ(client->user, "alice");
  EXPECT_EQ(client->flags, "N");
  EXPECT_EQ(client->db, "3");
  EXPECT_EQ(client->resp, "3");
  EXPECT_EQ(client->library, "redis-py");
  EXPECT_EQ(client->library_version, "5.0.1");
  EXPECT_EQ(client->age_seconds, 5);
  EXPECT_EQ(client->idle_seconds, 2);
  EXPECT_EQ(client->channels, 1);
  EXPECT_EQ(client->patterns, 2);
  EXPECT_EQ(client->shard_channels, 3);
  EXPECT_EQ(client->watched_keys, 4);
  EXPECT_EQ(client->query_bytes, 26);
  EXPECT_EQ(client->query_free_bytes, 32742);
  EXPECT_EQ(client->output_bytes, 7);
  EXPECT_EQ(client->output_list, 8);
  EXPECT_EQ(client->output_memory_bytes, 9);
  EXPECT_EQ(client->memory_bytes, 61466);
}

TEST(RedisClientLine, IsRefusedWithoutIdAddressAgeAndIdle) {
  for (const auto* line : {"", "id=3", "addr=a:1 age=1 idle=1", "id=x addr=a:1 age=1 idle=1", "id=3 age=1 idle=1",
                           "id=3 addr=a:1 idle=1", "id=3 addr=a:1 age=1", "id=3 addr=a:1 age=x idle=1",
                           "id=3 addr=a:1 age=1 idle=1x", "id=3 addr= age=1 idle=1", "id 3 addr a:1 age 1 idle 1"})
    EXPECT_FALSE(parse_client(line)) << line;
  EXPECT_TRUE(parse_client("id=3 addr=a:1 age=1 idle=1"));
}

TEST(RedisClientLine, CountsWhatIsNoNumberAsZeroAndKnowsWhatIsAbsent) {
  const auto client = parse_client(
      "id=1 addr=a:1 age=1 idle=1 sub=x psub= ssub=1e999 watch=nan qbuf=- obl=inf oll=0x1 omem=1,5 tot-mem=many");
  ASSERT_TRUE(client);
  EXPECT_EQ(client->channels, 0);
  EXPECT_EQ(client->patterns, 0);
  EXPECT_EQ(client->shard_channels, 0);
  EXPECT_EQ(client->watched_keys, 0);
  EXPECT_EQ(client->query_bytes, 0);
  EXPECT_EQ(client->output_bytes, 0);
  EXPECT_EQ(client->output_list, 0);
  EXPECT_EQ(client->output_memory_bytes, 0);
  EXPECT_EQ(client->memory_bytes, 0);
  EXPECT_FALSE(client->query_free_bytes);
  EXPECT_FALSE(parse_client("id=1 addr=a:1 age=1 idle=1")->shard_channels);
}

TEST(RedisClientLine, KeepsOddTextsWhole) {
  const auto client = parse_client("id=1 addr=/run/my redis.sock:0 name=a=b\xff age=1 idle=1 user=x|y");
  ASSERT_TRUE(client);
  EXPECT_EQ(client->name, "a=b\xff");
  EXPECT_EQ(client->user, "x|y");
  EXPECT_EQ(client->host(), "/run/my");
  const auto ipv6 = parse_client("id=2 addr=[fd40:1481::1]:44426 age=1 idle=1");
  EXPECT_EQ(ipv6->host(), "[fd40:1481::1]");
  EXPECT_EQ(ipv6->port(), "44426");
  EXPECT_EQ(parse_client("id=2 addr=fd40:1481::1:44426 age=1 idle=1")->host(), "fd40:1481::1");
}

TEST(RedisClientNetwork, KeepsAsManyBitsAsAsked) {
  const struct {
    std::string_view host;
    int ipv4, ipv6;
    std::string_view network;
  } cases[] = {
      {"10.1.2.3", 32, 128, "10.1.2.3"},
      {"10.1.2.3", 24, 128, "10.1.2.0/24"},
      {"10.1.2.131", 25, 128, "10.1.2.128/25"},
      {"10.1.2.3", 0, 128, "0.0.0.0/0"},
      {"[fd40:1481:21:dbe0:7021:300:a03:1a06]", 32, 64, "fd40:1481:21:dbe0::/64"},
      {"fd40::1", 32, 128, "fd40::1"},
      {"[::1]", 32, 128, "::1"},
      {"/run/redis.sock", 24, 64, "unix"},
      {"", 24, 64, ""},
      {"example", 24, 64, "example"},
      {"999.1.1.1", 24, 64, "999.1.1.1"},
      {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", 24, 64,
       "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"},
  };
  for (const auto& each : cases) EXPECT_EQ(network_of(each.host, each.ipv4, each.ipv6), each.network) << each.host;
}

TEST(RedisClients, AreCountedByWhatTheyHaveInCommon) {
  Canned server(make_clients({}));
  server.answer("CLIENT LIST", bulk(recorded));
  EXPECT_EQ(server.scrape(),
            "redis_connected_clients_by_name{name=\"\"} 2\n"
            "redis_connected_clients_by_name{name=\"me\"} 1\n"
            "redis_connected_clients_by_user{user=\"default\"} 3\n"
            "redis_connected_clients_by_library{lib_name=\"\",lib_ver=\"\"} 3\n"
            "redis_connected_clients_by_network{network=\"127.0.0.1\"} 3\n"
            "redis_connected_clients_by_type{type=\"normal\"} 2\n"
            "redis_connected_clients_by_type{type=\"pubsub\"} 1\n"
            "redis_connected_clients_by_type{type=\"replica\"} 0\n"
            "redis_connected_clients_by_type{type=\"master\"} 0\n"
            "redis_connected_clients_by_type{type=\"monitor\"} 0\n"
            "redis_connected_clients_by_state{state=\"blocked\"} 1\n"
            "redis_connected_clients_by_state{state=\"multi\"} 0\n"
            "redis_connected_clients_by_state{state=\"tracking\"} 0\n"
            "redis_connected_clients_by_state{state=\"no_evict\"} 0\n"
            "redis_connected_clients_by_state{state=\"no_touch\"} 0\n"
            "redis_connected_clients_by_state{state=\"readonly\"} 0\n"
            "redis_connected_clients_by_state{state=\"unix\"} 0\n"
            "redis_connected_clients_by_state{state=\"closing\"} 0\n"
            "redis_connected_clients_max_idle_seconds 19\n"
            "redis_connected_clients_max_age_seconds 30\n"
            "redis_connected_clients_max_output_buffer_bytes 16\n"
            "redis_connected_clients_max_memory_bytes 37658\n"
            "redis_connected_clients_memory_bytes 82317\n");
  EXPECT_FALSE(server.error);
}

std::string client(int id, const std::string& name, const std::string& more = "") {
  return "id=" + std::to_string(id) + " addr=10.0.0." + std::to_string(id) + ":1 name=" + name +
         " age=1 idle=1 flags=N user=default" + more + "\n";
}

TEST(RedisClients, FoldTheSmallGroupsAtTheLimit) {
  ClientsOptions options;
  options.max_groups = 2;
  Canned server(make_clients(options));
  server.answer("CLIENT LIST",
                bulk(client(1, "c") + client(2, "a") + client(3, "b") + client(4, "b") + client(5, "d")));
  const auto page = server.scrape();
  EXPECT_EQ(page.substr(0, page.find("redis_exporter_folded_series")),
            "redis_connected_clients_by_name{name=\"b\"} 2\n"
            "redis_connected_clients_by_name{name=\"a\"} 1\n"
            "redis_connected_clients_by_name{name=\"other\"} 2\n");
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_connected_clients_by_name\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_connected_clients_by_network\"} 3"));
  server.wait(std::chrono::seconds(60));
  server.answer("CLIENT LIST", bulk(client(1, "a") + client(2, "b")));
  EXPECT_EQ(server.scrape().find("folded"), std::string::npos);
}

TEST(RedisClients, OfTheNameOtherJoinTheFoldedOnes) {
  ClientsOptions options;
  options.max_groups = 1;
  Canned server(make_clients(options));
  server.answer("CLIENT LIST", bulk(client(1, "other") + client(2, "other") + client(3, "x")));
  EXPECT_TRUE(has_line(server.scrape(), "redis_connected_clients_by_name{name=\"other\"} 3"));
}

TEST(RedisClients, WithBinaryOrLongNamesStillHaveOneSeriesEach) {
  Canned server(make_clients({}));
  const std::string name(300, 'n');
  server.answer("CLIENT LIST", bulk(client(1, "\xff") + client(2, "\xfe") + client(3, name) + client(4, name + "x") +
                                    client(5, "v", " lib-name=jedis lib-ver=5.1")));
  const auto page = server.scrape();
  EXPECT_TRUE(has_line(page, "redis_connected_clients_by_name{name=\"\xef\xbf\xbd\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_connected_clients_by_name{name=\"" + std::string(128, 'n') + "\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_connected_clients_by_library{lib_name=\"jedis\",lib_ver=\"5.1\"} 1"));
}

TEST(RedisClients, AreAskedForOnceAMinuteAndShownMeanwhile) {
  Canned server(make_clients({}));
  server.answer("CLIENT LIST", bulk(client(1, "a")));
  const auto first = server.scrape();
  EXPECT_EQ(server.asked, std::vector<std::string>{"CLIENT LIST"});
  server.wait(std::chrono::seconds(59));
  server.answer("CLIENT LIST", bulk(client(1, "b")));
  EXPECT_EQ(server.scrape(), first);
  EXPECT_TRUE(server.asked.empty());
  server.wait(std::chrono::seconds(1));
  EXPECT_TRUE(has_line(server.scrape(), "redis_connected_clients_by_name{name=\"b\"} 1"));
  server.collector().forget();
  EXPECT_TRUE(has_line(server.scrape(), "redis_connected_clients_by_name{name=\"b\"} 1"));
  EXPECT_EQ(server.asked.size(), 1u);
}

TEST(RedisClients, VanishWhenTheServerRefuses) {
  Canned server(make_clients({}));
  server.answer("CLIENT LIST", bulk(client(1, "a")));
  EXPECT_NE(server.scrape(), "");
  server.wait(std::chrono::seconds(60));
  server.answer("CLIENT LIST", "-NOPERM no permissions\r\n");
  EXPECT_EQ(server.scrape(), "");
  ASSERT_TRUE(server.error);
  EXPECT_EQ(server.error->code, Errc::noperm);
}

ClientsOptions only_series() {
  ClientsOptions options;
  options.has_groups = false;
  options.has_series = true;
  return options;
}

TEST(RedisClientSeries, TellEverythingOfAClient) {
  auto options = only_series();
  options.export_port = true;
  Canned server(make_clients(options));
  server.answer("CLIENT LIST", bulk("id=7 addr=10.0.0.5:64958 name=web age=50 idle=2 flags=N db=3 sub=1 psub=2 ssub=3 "
                                    "watch=4 qbuf=26 qbuf-free=32742 obl=7 oll=8 omem=9 tot-mem=61466 user=alice "
                                    "resp=3\n\nno client\n"));
  const std::string labels = "{id=\"7\",name=\"web\"} ";
  EXPECT_EQ(server.scrape(),
            "redis_connected_client_info{db=\"3\",flags=\"N\",host=\"10.0.0.5\",id=\"7\",name=\"web\",port=\"64958\","
            "resp=\"3\",user=\"alice\"} 1\n"
            "redis_connected_client_created_at_timestamp" +
                labels + "1699999950\n" + "redis_connected_client_idle_since_timestamp" + labels + "1699999998\n" +
                "redis_connected_client_output_buffer_memory_usage_bytes" + labels + "9\n" +
                "redis_connected_client_total_memory_consumed_bytes" + labels + "61466\n" +
                "redis_connected_client_channel_subscriptions_count" + labels + "1\n" +
                "redis_connected_client_pattern_matching_subscriptions_count" + labels + "2\n" +
                "redis_connected_client_query_buffer_length_bytes" + labels + "26\n" +
                "redis_connected_client_query_buffer_free_space_bytes" + labels + "32742\n" +
                "redis_connected_client_output_buffer_length_bytes" + labels + "7\n" +
                "redis_connected_client_output_list_length" + labels + "8\n" +
                "redis_connected_client_shard_channel_subscriptions_count" + labels + "3\n" +
                "redis_connected_client_shard_channel_watched_keys" + labels + "4\n");
}

TEST(RedisClientSeries, LeaveOutWhatTheServerDoesNotSay) {
  Canned server(make_clients(only_series()));
  server.answer("CLIENT LIST", bulk("id=7 addr=10.0.0.5:64958 name= age=50 idle=2 flags=N db=3\n"));
  EXPECT_EQ(server.scrape(),
            "redis_connected_client_info{db=\"3\",flags=\"N\",host=\"10.0.0.5\",id=\"7\",name=\"\"} 1\n"
            "redis_connected_client_created_at_timestamp{id=\"7\",name=\"\"} 1699999950\n"
            "redis_connected_client_idle_since_timestamp{id=\"7\",name=\"\"} 1699999998\n");
}

TEST(RedisClientSeries, EndAtTheLimitAndCountTheRest) {
  auto options = only_series();
  options.max_clients = 2;
  Canned server(make_clients(options));
  server.answer("CLIENT LIST", bulk(client(1, "a") + client(2, "b")));
  EXPECT_EQ(server.scrape().find("folded"), std::string::npos);
  server.answer("CLIENT LIST", bulk(client(1, "a") + client(2, "b") + client(3, "c")));
  const auto page = server.scrape();
  EXPECT_EQ(page.find("name=\"c\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_connected_client_info\"} 1"));
}

TEST(RedisClientSeries, ShareTheReplyWithTheCounts) {
  ClientsOptions options;
  options.has_series = true;
  Canned server(make_clients(options));
  server.answer("CLIENT LIST", bulk(client(1, "a")));
  server.scrape();
  server.wait(std::chrono::seconds(1));
  const auto page = server.scrape();
  EXPECT_EQ(server.asked, std::vector<std::string>{"CLIENT LIST"});
  EXPECT_TRUE(has_line(page, "redis_connected_clients_by_name{name=\"a\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_connected_client_created_at_timestamp{id=\"1\",name=\"a\"} 1700000000"));
}

}  // namespace
}  // namespace midst::sources::redis_info
