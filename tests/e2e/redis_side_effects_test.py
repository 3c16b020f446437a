"""What watching costs the watched: error replies, keyspace hits and misses, idle times and connections of a real Redis
after a hundred scrapes."""
import unittest

from resp import Client
from stack import Agent, Redis, Replica, wait_until

SCRAPES = 100
KEYS = {
    "string": ("SET", "k:string", "42"), "text": ("SET", "k:text", "hello"), "list": ("RPUSH", "k:list", "a", "b"),
    "set": ("SADD", "k:set", "a"), "zset": ("ZADD", "k:zset", "1", "a"), "hash": ("HSET", "k:hash", "f", "v"),
    "stream": ("XADD", "k:stream", "1-1", "f", "v"), "hll": ("PFADD", "k:hll", "a"),
}
STEADY = ("total_error_replies", "keyspace_hits", "keyspace_misses", "acl_access_denied_cmd", "acl_access_denied_key",
          "expired_keys", "evicted_keys", "unexpected_error_replies")


class SideEffects(unittest.TestCase):
    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def watched(self, *options):
        """A redis-server with a key of every kind, and a connection to it."""
        redis = self.start(Redis(*options))
        client = self.enterContext(Client(redis.port))
        for command in KEYS.values():
            client(*command)
        return redis, client

    def agent(self, redis, more="", url=None):
        return self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "{url or redis.url}"\n{more}'))

    def scrape(self, agent, count=SCRAPES):
        for _ in range(count):
            page = agent.page()
            self.assertEqual(page["redis_up", ()], 1)
        return page

    @staticmethod
    def stats(client):
        stats = client.info("stats")  # the counters of ACL are there since 7.2
        return {name: int(stats.get(name, 0)) for name in (*STEADY, "total_connections_received")}

    @staticmethod
    def errors(client):
        return client.info("errorstats")

    @staticmethod
    def rejected(client):
        """{command: calls that were refused before they ran}"""
        found = {}
        for name, fields in client.info("commandstats").items():
            values = dict(part.split("=") for part in fields.split(","))
            if int(values["rejected_calls"]):
                found[name.removeprefix("cmdstat_")] = int(values["rejected_calls"])
        return found

    def idle_seconds(self, client):
        """Looking counts as a hit of the key, but does not touch it."""
        return {name: client("OBJECT", "IDLETIME", command[1]) for name, command in KEYS.items()}

    def test_default_collectors_leave_no_trace_but_one_connection(self):
        redis, client = self.watched()
        wait_until(lambda: min(self.idle_seconds(client).values()) >= 2, "two seconds of idleness")
        before, errors = self.stats(client), self.errors(client)
        agent = self.agent(redis)
        self.scrape(agent)
        after = self.stats(client)
        self.assertEqual({name: after[name] - before[name] for name in STEADY}, dict.fromkeys(STEADY, 0))
        self.assertEqual(self.errors(client), errors)
        self.assertEqual(self.rejected(client), {})
        self.assertEqual(after["total_connections_received"] - before["total_connections_received"], 1)
        self.assertGreaterEqual(min(self.idle_seconds(client).values()), 2, "a key was touched")

    def test_a_replica_is_left_alone_as_well(self):
        master, _ = self.watched("--repl-diskless-sync-delay", 0)
        replica = self.start(Replica(master))
        client = self.enterContext(Client(replica.port))
        before = self.stats(client)
        self.scrape(self.agent(replica))
        after = self.stats(client)
        self.assertEqual({name: after[name] - before[name] for name in STEADY}, dict.fromkeys(STEADY, 0))
        self.assertEqual(after["total_connections_received"] - before["total_connections_received"], 1)

    def check_keys(self, settings):
        redis, client = self.watched()
        wait_until(lambda: min(self.idle_seconds(client).values()) >= 2, "two seconds of idleness")
        before = self.stats(client)
        page = self.scrape(self.agent(redis, settings))
        after = self.stats(client)
        shown = {dict(labels)["key"] for name, labels in page if name == "redis_key_size"}
        self.assertEqual(shown, {command[1] for command in KEYS.values()})
        change = {name: after[name] - before[name] for name in STEADY}
        hits = change.pop("keyspace_hits")
        self.assertEqual(change, dict.fromkeys(change, 0))
        self.assertLessEqual(hits, 2 * len(KEYS) * SCRAPES)
        self.assertGreater(hits, 0)
        if tuple(map(int, client.info("server")["redis_version"].split(".")))[:2] >= (7, 2):  # CLIENT NO-TOUCH
            self.assertGreaterEqual(min(self.idle_seconds(client).values()), 2, "a key was touched")
        return hits

    def test_single_keys_cost_at_most_two_hits_each_and_no_error(self):
        names = ", ".join(f'"{command[1]}"' for command in KEYS.values())
        self.check_keys(f"[redis.keys]\nsingle = [{names}]\n")

    def test_patterns_and_values_cost_at_most_two_hits_each_and_no_error(self):
        self.check_keys('[redis.keys]\ncheck = ["k:*"]\nvalues = true\n')

    def test_counting_keys_touches_none(self):
        redis, client = self.watched()
        before = self.stats(client)
        page = self.scrape(self.agent(redis, '[redis.keys]\ncount = ["k:*"]\n'))
        after = self.stats(client)
        self.assertEqual(page["redis_keys_count", (("db", "db0"), ("key", "k:*"))], len(KEYS))
        self.assertEqual({name: after[name] - before[name] for name in STEADY}, dict.fromkeys(STEADY, 0))

    def test_a_restricted_user_is_denied_each_command_once(self):
        redis, client = self.watched()
        client("ACL", "SETUSER", "watcher", "on", ">pw", "+info", "+client|setname")
        before = self.stats(client)
        page = self.scrape(self.agent(redis, url=f"redis://watcher:pw@{redis.address}"))
        denied = self.rejected(client)
        self.assertGreater(len(denied), 0)
        self.assertEqual(denied, dict.fromkeys(denied, 1), "a denied command was sent again")
        after = self.stats(client)
        if "acl_access_denied_cmd" in client.info("stats"):
            self.assertEqual(after["acl_access_denied_cmd"] - before["acl_access_denied_cmd"], len(denied))
        self.assertEqual(after["total_error_replies"] - before["total_error_replies"], len(denied))
        self.assertEqual(after["total_connections_received"] - before["total_connections_received"], 1)
        self.assertEqual(page["redis_exporter_collector_success", (("collector", "slowlog"),)], 0)
        self.assertEqual(page["redis_exporter_collector_success", (("collector", "info"),)], 1)

    def test_a_denied_client_name_is_not_an_error_at_every_scrape(self):
        redis, client = self.watched()
        client("ACL", "SETUSER", "watcher", "on", ">pw", "+info")
        self.scrape(self.agent(redis, url=f"redis://watcher:pw@{redis.address}"))
        self.assertLessEqual(max(self.rejected(client).values()), 1)


if __name__ == "__main__":
    unittest.main()
