"""The patterns of docs/scale.md with real servers: agents found by file_sd and http_sd, their samples in a long-term store through
remote write, exactly, and the sums of the fleet at a second Prometheus through federation."""
import json
import shutil
import subprocess
import sys
import unittest
import urllib.parse

from stack import ROOT, Agent, Prometheus, Redis, Server, get, wait_until

FLEET = ROOT / "infra/prometheus/fleet"
STORE = shutil.which("victoria-metrics")


class Store(Server):
    """Debian's VictoriaMetrics."""

    def __init__(self):
        super().__init__("victoria-metrics")

    def command(self):
        return [STORE, f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
                "-retentionPeriod=1d", "-memory.allowedBytes=64MB"]

    def answers(self):
        return super().answers() and get(f"http://127.0.0.1:{self.port}/health")[0] == 200

    def export(self, selector):
        """{labels: {milliseconds: value}} of all that is stored of a selector."""
        get(f"http://127.0.0.1:{self.port}/internal/force_flush")
        status, _, body = get(f"http://127.0.0.1:{self.port}/api/v1/export?match[]={urllib.parse.quote(selector)}")
        assert status == 200, body
        found = {}
        for line in body.decode().splitlines():
            series = json.loads(line)
            found[labels_of(series["metric"])] = dict(zip(series["timestamps"], series["values"]))
        return found


def labels_of(metric):
    return tuple(sorted(metric.items()))


class Configured(Prometheus):
    """A Prometheus with a configuration of its own; {folder} in it is filled in."""

    def __init__(self, config):
        super().__init__("127.0.0.1:1")
        (self.folder / "prometheus.yml").write_text(config.replace("{folder}", str(self.folder)))

    def series(self, selector):
        """As Store.export(), of this server's last minute."""
        query = urllib.parse.quote(f"{selector}[60s]")
        status, _, body = get(f"http://127.0.0.1:{self.port}/api/v1/query?query={query}")
        assert status == 200, body
        return {labels_of(series["metric"]): {round(at * 1000): float(value) for at, value in series["values"]}
                for series in json.loads(body)["data"]["result"]}

    def value(self, expression):
        found = self.query(expression)
        return found[0][1] if len(found) == 1 else None


class Responder(Server):
    """fleet_targets.py with --serve."""

    def __init__(self, inventory):
        super().__init__("targets")
        self.inventory = inventory

    def command(self):
        return [sys.executable, FLEET / "fleet_targets.py", self.inventory, "--serve", f"127.0.0.1:{self.port}"]


def make_targets(inventory, to):
    return subprocess.run([sys.executable, FLEET / "fleet_targets.py", inventory, "-o", to], capture_output=True, text=True)


@unittest.skipUnless(STORE, "Debian's victoria-metrics is not installed")
class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.start_all()
        except BaseException:
            cls.doClassCleanups()
            raise

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.stop)
        return server.start()

    @classmethod
    def start_all(cls):
        cls.store = cls.start(Store())
        redises = [Redis() for _ in range(3)]
        cls.agents = [Agent('[scrape]\ndrop = ["redis_commands_total", "redis_commands_duration_*"]\n'
                            f'[[redis]]\nurl = "{redis.url}"\n') for redis in redises]
        cls.near = Configured(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {cluster: ams}}\n"
            f"rule_files: ['{ROOT}/infra/prometheus/rules/fleet.yml']\n"
            "scrape_configs:\n- job_name: midst-agent\n  file_sd_configs: [{files: ['{folder}/targets/*.json']}]\n"
            f"remote_write:\n- url: http://127.0.0.1:{cls.store.port}/api/v1/write\n"
            "  queue_config: {batch_send_deadline: 200ms}\n")
        (cls.near.folder / "targets").mkdir()
        cls.inventory = cls.near.folder / "inventory.txt"
        cls.list(cls.agents)
        # First, since a Prometheus takes up to 5 s to act on what it has discovered.
        cls.start(cls.near)
        for server, keys in zip(redises, (10, 20, 12)):
            cls.start(server).feed("".join(f"SET k{i} v\n" for i in range(keys)))
        for agent in cls.agents:
            cls.start(agent)
        cls.far = cls.start(Configured(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: federate\n  honor_labels: true\n"
            "  metrics_path: /federate\n  params: {'match[]': ['{__name__=~\"fleet:.+\"}']}\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{cls.near.port}']}}]\n"))

    @classmethod
    def list(cls, agents):
        cls.inventory.write_text("".join(f"127.0.0.1:{agent.port} machine=m{agent.port}\n" for agent in agents))
        done = make_targets(cls.inventory, cls.near.folder / "targets/agents.json")
        assert done.returncode == 0, done.stderr

    def test_1_the_machines_of_the_inventory_are_found_with_their_labels(self):
        wait_until(lambda: self.near.value("sum(up)") == 3, "three agents are scraped")
        self.assertEqual({labels["machine"] for labels, _ in self.near.query("redis_up")},
                         {f"m{agent.port}" for agent in self.agents})

    def test_2_a_mistake_in_the_inventory_leaves_the_targets_as_they_are(self):
        before = (self.near.folder / "targets/agents.json").read_bytes()
        broken = self.near.folder / "broken.txt"
        broken.write_text("db1:99999\ndb2 instance=x\ndb3 =y\ndb4\ndb4\n")
        done = make_targets(broken, self.near.folder / "targets/agents.json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.splitlines(),
                         ["broken.txt:1: 'db1:99999' is no HOST or HOST:PORT",
                          "broken.txt:2: the label instance is not for an inventory",
                          "broken.txt:3: '=y' is no LABEL=VALUE", "broken.txt:5: db4:9464 stands in line 4 already"])
        self.assertEqual((self.near.folder / "targets/agents.json").read_bytes(), before)

    def test_3_http_sd_gives_the_same_targets(self):
        responder = self.start(Responder(self.inventory))
        status, headers, body = get(f"http://127.0.0.1:{responder.port}/")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(json.loads(body), json.loads((self.near.folder / "targets/agents.json").read_text()))

    def test_4_every_sample_arrives_in_the_store_with_its_time_and_value(self):
        wait_until(lambda: self.near.value("sum(up)") == 3, "three agents are scraped")
        for selector in ("redis_db_keys", "redis_commands_processed_total", "midst_agent_target_series"):
            with self.subTest(selector):
                wait_until(lambda: all(len(samples) >= 3 for samples in self.near.series(selector).values()),
                           "there are samples of three scrapes")
                local = self.near.series(selector)
                self.assertGreaterEqual(len(local), 3)
                expected = {tuple(sorted((*labels, ("cluster", "ams")))): samples for labels, samples in local.items()}
                wait_until(lambda: self.are_in(expected, self.store.export(selector)), f"{selector} has arrived")

    @staticmethod
    def are_in(expected, stored):
        return all(samples.items() <= stored.get(labels, {}).items() for labels, samples in expected.items())

    def test_5_what_the_agents_drop_is_in_neither(self):
        self.assertEqual(self.near.query('{__name__=~"redis_commands_(total|duration_seconds_total)"}'), [])
        self.assertEqual(self.store.export('{__name__="redis_commands_total"}'), {})
        self.assertGreater(self.near.value('sum(midst_agent_dropped_series_total{reason="rule"})'), 0)

    def test_6_the_second_prometheus_has_the_sums_and_nothing_else(self):
        for expression, value in (("fleet:redis_keys:sum", 42), ("sum(fleet:agents:count)", 3),
                                  ('fleet:targets_up:sum{kind="redis"}', 3)):
            wait_until(lambda: self.far.value(expression) == value, f"{expression} is {value}")
        self.assertEqual({labels["cluster"] for labels, _ in self.far.query("fleet:redis_keys:sum")}, {"ams"})
        names = {labels["__name__"] for labels, _ in self.far.query('{__name__=~".+",job!="federate"}')}
        self.assertTrue(all(name.startswith("fleet:") for name in names), names)


if __name__ == "__main__":
    unittest.main()
