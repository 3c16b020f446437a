"""Popular dashboards and alert rules on our page: each metric that their expressions read is there by default, with the
labels they need. The expressions come from redis_exporter's Go module where Go can have it; the others, which no
package has, from dashboards/redis_*.txt: a metric, its labels or "-", and the kind of server that has it."""
import json
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import boards
import peers
import promql
from stack import Agent, Redis, Replica, Sentinel, free_port, wait_until


def expressions_in(node):
    """Every expression of a dashboard: what stands under "expr", and the queries of its variables."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query", "definition") and isinstance(value, str) and "redis_" in value:
                yield value
            yield from expressions_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions_in(value)


class Dashboards(unittest.TestCase):
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
        master = cls.start(Redis())
        master.feed("SET key 1\nGET key\nGET none\nSETEX expiring 1000 x\nLPUSH key 1\n")
        replica = cls.start(Replica(master))
        wait_until(lambda: ",lag=" in master.cli("INFO", "replication"), "the master knows its replica")
        sentinel = cls.start(Sentinel(master))
        cluster = cls.start(Redis("--cluster-enabled", "yes", "--cluster-port", free_port(), name="redis-cluster"))
        cluster.cli("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: "cluster_state:ok" in cluster.cli("CLUSTER", "INFO"), "the cluster node serves")
        cls.pages = {kind: cls.page_of(server) for kind, server in
                     (("master", master), ("replica", replica), ("sentinel", sentinel), ("cluster", cluster))}
        cls.pages["opt-in"] = cls.page_of(master, '[redis.keys]\nsingle = ["key"]\n')
        cls.recorded = boards.recorded_names("redis")

    @classmethod
    def page_of(cls, server, more=""):
        agent = cls.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "{server.url}"\n{more}'))
        agent.page()  # what a first contact learns is asked for from the second on
        return boards.label_keys(agent.page())

    def missing(self, metric, labels, kinds):
        """What is wrong with a metric on the pages of these kinds, or None."""
        if metric in self.recorded:
            return None
        return boards.missing([self.pages[kind] for kind in kinds], metric, labels)

    def test_every_table_is_served(self):
        tables = sorted(path.stem for path in boards.TABLES.glob("redis_*.txt"))
        self.assertEqual(len(tables), 9)
        for table in tables:
            with self.subTest(table):
                rows = list(boards.rows_of(table))
                problems = [self.missing(metric, labels, [kind]) for metric, labels, kind in rows]
                self.assertEqual([problem for problem in problems if problem], [])
                self.assertGreater(len(rows), 0)

    def test_the_boards_of_redis_exporter_are_served(self):
        module = self.module()
        found = {path.name: list(expressions_in(json.loads(path.read_text()))) for path in module.glob("contrib/**/*.json")}
        found = {name: expressions for name, expressions in found.items() if expressions}
        self.assertGreaterEqual(len(found), 3)
        for name, expressions in sorted(found.items()):
            with self.subTest(name):
                self.check_expressions(expressions)

    def test_the_mixin_of_redis_exporter_is_served(self):
        text = "\n".join(path.read_text() for path in sorted(self.module().glob("contrib/redis-mixin/**/*.libsonnet")))
        expressions = re.findall(r"expr: *'((?:[^'\\]|\\.)*)'", text)
        self.assertGreaterEqual(len(expressions), 3)
        self.check_expressions([re.sub(r"%\(\w+\)\w?", "1", expression) for expression in expressions])

    def check_expressions(self, expressions):
        self.assertGreater(len(expressions), 2)
        problems = set()
        for expression in expressions:
            for metric, labels in promql.needs(expression).items():
                if metric.startswith("redis_"):
                    problems.add(self.missing(metric, labels, ["master", "replica", "sentinel", "cluster"]))
        self.assertEqual(sorted(problems - {None}), [])

    @classmethod
    def module(cls):
        """The folder of redis_exporter's Go module."""
        folder = Path(tempfile.mkdtemp(prefix="midst-boards-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        try:
            return peers.source_of(peers.REDIS, folder)[0]
        except peers.Absent as absent:
            raise unittest.SkipTest(f"the boards inside the module are not looked at: {absent}") from absent


class Expressions(unittest.TestCase):
    """The reader of expressions itself."""

    def test_needs(self):
        for expression, expected in (
                ('redis_up{instance=~"$i"} == 0', {"redis_up": {"instance"}}),
                ("sum (a{x!='1'}) by (db) - sum by (db, k) (b)", {"a": {"x", "db"}, "b": {"db", "k"}}),
                ("avg(irate(a[$__rate_interval])) by (cmd) / avg(irate(b [1m])) by (cmd)", {"a": {"cmd"}, "b": {"cmd"}}),
                ("histogram_quantile(0.99, sum(rate(a_bucket[5m])) by (le, cmd))", {"a_bucket": {"le", "cmd"}}),
                ("a * on(k) group_left(role) b{c=\"d\"}", {"a": {"k"}, "b": {"k", "c"}}),
                ("a > bool 1e3 unless ignoring(z) (b offset 5m)", {"a": set(), "b": set()}),
                ("label_values(a{n=\"$n\"}, pod)", {"a": {"n", "pod"}}),
                ("label_values(job)", {}),
                ("topk by (x) (5, a) # b", {"a": {"x"}}),
                ("time() - a{} > 0", {"a": set()})):
            self.assertEqual(promql.needs(expression), expected, expression)

    def test_what_is_no_expression_is_refused(self):
        for text in ("sum(a", "a{b=\"c\"", "a ~ b", "label_values(a b)"):
            with self.assertRaises((promql.Malformed, IndexError)):
                promql.needs(text)


if __name__ == "__main__":
    unittest.main()
