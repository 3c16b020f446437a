"""Redis side by side with redis_exporter, the packaged one and the newest that Go modules give, on the same servers:
everything on, a replica, a sentinel, a cluster with replicas, TLS with a restricted user. Against docs/parity.md."""
import tempfile
import unittest
from pathlib import Path

import peers
from parity import Explanations, differences, documented, listed, scrape_both
from resp import Client
from stack import Agent, Cluster, Redis, RedisExporter, Replica, Sentinel, Tls, samples, wait_until

PASSWORD = "s3cret-of-the-test"
SCRIPT = "return {'answer', '42', 'half', '0.5'}\n"
KEY_GROUPS = ("^(check):", "^(other)_[0-9]+_(x)")

# Every kind of key, in two databases, with names that other programs really use.
DATA = """\
SET check:number 42
SET check:decimal 1234.56
SET check:text hello
SET check:empty ""
LPUSH check:list 1 2 3
SADD check:set a b
ZADD check:zset 1 a 2 b
HSET check:hash f 1 g 2 h 3
PFADD check:hll a b c
XADD check:stream 1638006862416-0 f v
SET single:a,b 1
SET "odd name \\"quoted\\"" 7
SETEX expiring 100000 x
SET other_1_x 1
SET other_2_x 1
SET unlike 1
XADD stream:one 1638006862416-0 f v
XADD stream:one 1638006862417-5 f v
XGROUP CREATE stream:one readers 0
XREADGROUP GROUP readers alice COUNT 1 STREAMS stream:one >
XREADGROUP GROUP readers bob COUNT 1 STREAMS stream:one >
XGROUP CREATE stream:one idle $
XADD stream:two 5-1 f v
GET check:number
GET none
LPUSH check:text 1
NOSUCH command
SELECT 3
SET check:third 3
SET count:1 1
SET count:2 1
"""


def make_eventful(redis):
    """A latency spike and a slow-log entry, after which both are switched off so that they stand still."""
    redis.cli("CONFIG", "SET", "latency-monitor-threshold", "1", "slowlog-log-slower-than", "1000")
    redis.cli("EVAL", "local i = 0 while i < 3000000 do i = i + 1 end return i", "0")
    redis.cli("CONFIG", "SET", "latency-monitor-threshold", "0", "slowlog-log-slower-than", "-1")


class Situation:
    """Servers that run, and how either is told to look at `target`. Both lists follow the version of the exporter."""

    def __init__(self, target, agent="", flags=(), newer_flags=(), password=None, least_series=100):
        self.target, self.agent, self.password, self.least_series = target, agent, password, least_series
        self.flags, self.newer_flags = flags, newer_flags

    def agent_config(self):
        return f'[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "{self.target.url}"\n{self.agent}'


class Servers:
    """Starts each situation's servers once, for both exporters."""

    def __init__(self, add):
        self.add = add
        self.folder = Path(tempfile.mkdtemp(prefix="midst-parity-"))
        self.add(self)

    def stop(self):
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def start(self, server):
        self.add(server)
        return server.start()

    def defaults(self):
        redis = self.start(Redis())
        redis.feed(DATA)
        make_eventful(redis)
        return Situation(redis)

    def everything(self):
        redis = self.start(Redis())
        redis.feed(DATA)
        make_eventful(redis)
        worker = Client(redis.port)
        worker("CLIENT", "SETNAME", "worker")
        worker("SUBSCRIBE", "news")
        worker.stop = worker.close
        self.add(worker)
        script = self.folder / "answer.lua"
        script.write_text(SCRIPT)
        return Situation(redis, f"""ping = true
[redis.collectors]
client_list = true
config_all = true
modules = true
rdb_size = true
[redis.keys]
check = ["db0=check:*", "db3=check:*"]
single = ["single%3Aa%2Cb", "db0=odd name \\"quoted\\"", "expiring", "absent"]
count = ["db0=check:*", "db3=count:*", "none*"]
values = true
[redis.streams]
check = ["stream:*"]
single = ["check:stream"]
[redis.key_groups]
patterns = ["^(check):", "^(other)_[0-9]+_(x)"]
[redis.scripts]
files = ["{script}"]
""", ["-check-keys", "db0=check:*,db3=check:*", "-check-single-keys", 'single%3Aa%2Cb,db0=odd%20name%20"quoted",expiring,absent',
      "-count-keys", "db0=check:*,db3=count:*,none*", "-check-streams", "stream:*", "-check-single-streams", "check:stream",
      "-check-key-groups", ",".join(KEY_GROUPS), "-script", str(script), "-export-client-list",
      "-include-config-metrics", "-include-system-metrics", "-ping-on-connect"],
            ["-include-modules-metrics", "-lua-script-read-only", "-include-rdb-file-size-metric"])

    def replica(self):
        master = self.start(Redis("--repl-diskless-sync-delay", 0))
        master.feed(DATA)
        replica = self.start(Replica(master))
        self.start(Replica(replica))
        return Situation(replica)

    def master(self):
        master = self.start(Redis("--repl-diskless-sync-delay", 0))
        master.feed(DATA)
        self.start(Replica(master))
        self.start(Replica(master))
        wait_until(lambda: master.info("replication").get("connected_slaves") == "2", "two replicas")
        return Situation(master)

    def sentinel(self):
        master = self.start(Redis("--repl-diskless-sync-delay", 0))
        self.start(Replica(master))
        first, second = self.start(Sentinel(master, 2)), self.start(Sentinel(master, 2))
        for sentinel in (first, second):
            wait_until(lambda: "slaves=1,sentinels=2" in sentinel.cli("INFO", "sentinel"), "the sentinels know each other")
        return Situation(first, "[redis.sentinel]\npeer_info = true\nconfig = true\n", ["-include-config-metrics"],
                         ["-include-sentinel-peer-info"], least_series=50)

    def cluster(self):
        cluster = self.start(Cluster())
        for number in range(60):  # the hash tags spread them over all three masters
            cluster.masters[0].cli("-c", "SET", f"item:{{{number}}}", number)
        self.cluster_started = cluster
        return self.cluster_node(cluster.masters[1])

    def cluster_replica(self):
        return self.cluster_node(self.cluster_started.replicas[1])

    def cluster_node(self, node):
        here = node.cli("--raw", "KEYS", "*").split()
        assert here, "no key on this node"
        return Situation(node, f'[redis.keys]\nsingle = ["{here[0]}"]\nvalues = true\n',
                         ["-is-cluster", "-check-single-keys", here[0]])

    def tls_and_acl(self):
        tls = Tls()
        self.add(tls)
        redis = self.start(Redis(tls=tls))
        redis.feed(DATA)
        redis.cli("ACL", "SETUSER", "watcher", "on", ">" + PASSWORD, "%R~*", "+@read", "+@connection", "+info", "+slowlog|get",
                  "+slowlog|len", "+latency|latest", "+latency|histogram", "+memory|usage", "-config")
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        return Situation(redis, f"""username = "watcher"
password_file = "{secret}"
[redis.tls]
ca_file = "{tls.path('ca.crt')}"
cert_file = "{tls.path('client.crt')}"
key_file = "{tls.path('client.key')}"
[redis.keys]
single = ["check:list"]
""", ["-redis.user", "watcher", "-check-single-keys", "check:list", "-tls-ca-cert-file", tls.path("ca.crt"),
      "-tls-client-cert-file", tls.path("client.crt"), "-tls-client-key-file", tls.path("client.key")], password=PASSWORD)


SITUATIONS = ("defaults", "everything", "master", "replica", "sentinel", "cluster", "cluster_replica", "tls_and_acl")
# Subsections of docs/parity.md whose rows explain one situation alone.
OWN_ROWS = {"sentinel": "Of a sentinel", "cluster_replica": "Of a replica in a cluster"}


class RedisParity(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.servers = Servers(lambda server: cls.addClassCleanup(server.stop))
        cls.situations = {name: getattr(cls.servers, name)() for name in SITUATIONS}

    def hold_against(self, program, version, subsection, has_newer_flags):
        print(f"redis_exporter {version}", flush=True)
        of_all = Explanations(documented("Redis") + documented("Redis", subsection))
        was_compared = dict.fromkeys(self.situations, False)
        for name, situation in self.situations.items():
            with self.subTest(situation=name, exporter=version):
                found = self.compare(situation, program, has_newer_flags)
                was_compared[name] = True
                unexplained = of_all.unexplained(found)
                if name in OWN_ROWS:
                    own = Explanations(documented("Redis", OWN_ROWS[name]))
                    unexplained = own.unexplained(unexplained)
                self.assertFalse(unexplained, f"not explained by docs/parity.md, Redis, {subsection}:\n" + listed(unexplained))
                if name in OWN_ROWS:
                    self.assertEqual(own.idle(), [], "rows of docs/parity.md that are no longer true")
        if all(was_compared.values()):
            self.assertEqual(of_all.idle(), [], "rows of docs/parity.md that are no longer true")

    def compare(self, situation, program, has_newer_flags):
        flags = [*situation.flags, *(situation.newer_flags if has_newer_flags else ())]
        exporter = RedisExporter(situation.target, *flags, program=program, password=situation.password)
        agent = Agent(situation.agent_config())
        try:
            before, ours, after = scrape_both(exporter.start(), agent.start(), "/metrics/redis")
        finally:
            exporter.stop()
            agent.stop()
        for page in (before, ours):
            self.assertEqual(samples(page)["redis_up", ()], 1)
            self.assertGreater(len(samples(page)), situation.least_series)
        return differences(before, ours, after)

    def test_the_packaged_exporter(self):
        try:
            program, version = peers.packaged_redis_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        self.hold_against(program, version, "Against 1.45", has_newer_flags=False)

    def test_the_newest_exporter(self):
        try:
            program, version = peers.newest_redis_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        self.hold_against(program, version, "Against 1.88", has_newer_flags=True)


if __name__ == "__main__":
    unittest.main()
