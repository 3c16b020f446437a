"""`midst-agent metrics` is docs/metrics.md, and is true: every family of live pages stands in it with its type and exactly
its labels."""
import json
import re
import subprocess
import unittest

from stack import BIN, ROOT, Redis, Stack, get, samples, wait_until

REDIS_COLLECTORS = ("client_list", "acl_log", "config_all", "rdb_size", "modules", "sampler")
# Families that settings and /proc/meminfo name; their chapters of the document say so.
NAMED_BY_TARGET = re.compile(r"pg_settings_\w+|node_memory_\w+")
CONFIG = """
[host]
enabled = true
[postgres.collectors]
stat_statements = false
statio_user_indexes = true
bloat = true
table_sizes = true
"""


def catalogue(output_format):
    return subprocess.run([BIN / "midst-agent", "metrics", "--format", output_format], check=True, capture_output=True,
                          text=True).stdout


def families(page):
    """{family: (type, {label names of a series})} of a text page."""
    types = dict(line.split()[2:4] for line in page.splitlines() if line.startswith("# TYPE "))
    found = {}
    for name, labels in samples(page):
        family = next(known for known in (name, re.sub("_(bucket|sum|count)$", "", name)) if known in types)
        kind = types[family]
        taken = {"histogram": "le", "summary": "quantile"}.get(kind)
        found.setdefault(family, (kind, set()))[1].add(frozenset(label for label, _ in labels if label != taken))
    return found


class Catalogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = {}
        for row in json.loads(catalogue("json")):
            cls.rows.setdefault(row["name"], []).append(row)

    def differences(self, page):
        problems = []
        for family, (kind, label_sets) in families(page).items():
            if NAMED_BY_TARGET.fullmatch(family) and family not in self.rows:
                continue
            rows = self.rows.get(family)
            if not rows:
                problems.append(f"{family}: not in the catalogue")
                continue
            if kind not in {{"unknown": "untyped"}.get(row["type"], row["type"]) for row in rows}:
                problems.append(f"{family}: {kind} on the page, {rows[0]['type']} in the catalogue")
            if any(row["labels"] == ["*"] for row in rows):
                continue
            for labels in label_sets:
                if not any(set(row["labels"]) <= labels <= set(row["labels"]) | set(row["optional_labels"])
                           for row in rows):
                    problems.append(f"{family}: {sorted(labels)} on the page, {rows[0]['labels']} and perhaps "
                                    f"{rows[0]['optional_labels']} in the catalogue")
        return problems

    def test_the_document_is_what_the_command_prints(self):
        self.assertEqual((ROOT / "docs/metrics.md").read_text(), catalogue("md"),
                         "midst-agent metrics > docs/metrics.md")

    def test_every_row_is_complete(self):
        for name, rows in self.rows.items():
            for row in rows:
                self.assertTrue(row["help"], name)
                self.assertIn(row["source"], ("redis", "postgres", "pgbouncer", "host", "push", "agent"))
                self.assertIn(row["type"], ("counter", "gauge", "histogram", "summary", "unknown"), name)

    def test_live_pages_have_no_family_type_or_label_that_is_not_in_it(self):
        with Stack(extra_config=CONFIG) as stack:
            replica = stack.add(Redis("--replicaof", f"127.0.0.1 {stack.redis.port}", name="replica")).start()
            wait_until(lambda: replica.info("replication").get("master_link_status") == "up", "the replica is in step")
            self.fill(stack)
            stack.agent.page()
            status, _, body = get(stack.agent.url())
            page = body.decode()
            self.assertEqual(status, 200)
            self.assertEqual(self.differences(page), [])
            seen = {row["source"] for family in families(page) for row in self.rows.get(family, [])}
            self.assertEqual(seen, {"redis", "postgres", "pgbouncer", "host", "push", "agent"})
            self.assertGreater(len(families(page)), 500)
            self.replica_and_collectors(stack, replica)

    def fill(self, stack):
        stack.redis.feed("SET a:1 1\nXADD s * f v\nXGROUP CREATE s g 0\nXREADGROUP GROUP g c COUNT 1 STREAMS s >\n"
                         "CONFIG SET slowlog-log-slower-than 0\nCONFIG SET latency-monitor-threshold 1\nDEBUG SLEEP 0.01\n"
                         "CLIENT SETNAME tester\nNOSUCHCOMMAND\n")
        stack.postgres.sql("CREATE TABLE t (i serial PRIMARY KEY, s text); INSERT INTO t (s) VALUES ('x'); ANALYZE t; "
                           "CREATE INDEX ON t (s); SELECT pg_create_physical_replication_slot('slot')")

    def replica_and_collectors(self, stack, replica):
        """The same Redis and its replica with everything on that the server has."""
        config = stack.agent.folder / "more.toml"
        collectors = "".join(f"{name} = true\n" for name in REDIS_COLLECTORS)
        keys = ('[redis.keys]\ncheck = ["a*"]\ncount = ["*"]\n[redis.streams]\ncheck = ["s*"]\n'
                '[redis.key_groups]\npatterns = ["^(.*):[0-9]+$"]\n')
        config.write_text("".join(f'[[redis]]\nname = "{name}"\nlabel = "never"\nurl = "{server.url}"\n'
                                  f'[redis.collectors]\n{collectors}{keys}'
                                  for name, server in (("one", stack.redis), ("two", replica))))
        self.maxDiff = None
        for name in ("one", "two"):
            done = subprocess.run([BIN / "midst-agent", "collect", name, "--config", config], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.differences(done.stdout), [])


if __name__ == "__main__":
    unittest.main()
