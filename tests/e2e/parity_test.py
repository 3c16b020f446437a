"""Side by side with the exporters we replace: what theirs say and ours lack or say differently, against docs/parity.md.

Theirs is scraped before and after ours; a value that did not move between the two must be ours as well. A series of
ours may carry more labels than theirs. Every difference must match a row of the document's tables, and every row must
match a difference, so that neither hides something nor keeps what is no longer true; only rows marked "noise", about
values that move by themselves or because one of the two looks, may be idle."""
import re
import time
import unittest

from stack import ROOT, Agent, Postgres, PostgresExporter, Redis, RedisExporter, get, samples, wait_until

# The exporters' Go runtime and HTTP handler, which are about their own process.
NOT_COMPARED = re.compile(r"^(go_|promhttp_|process_)")
ROW = re.compile(r"^\|\s*`(?P<series>[^`]+)`\s*\|\s*(?P<kind>missing|labels|value|type|noise)\s*\|\s*(?P<why>.+?)\s*\|$")


def documented(section):
    """[(pattern of series, kind)] of one section of docs/parity.md."""
    text = (ROOT / "docs/parity.md").read_text()
    part = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [(row["series"].replace("\\|", "|"), row["kind"]) for row in map(ROW.match, part.splitlines()) if row]


def types(text):
    return {words[2]: words[3] for words in (line.split() for line in text.splitlines()) if words[:2] == ["#", "TYPE"]}


def shown(series):
    name, labels = series
    return name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else "")


def differences(before, ours, after):
    """{(series, kind): detail}: names we lack, label sets we lack, values that stood still and are not ours, types."""
    first, mine, last = samples(before), samples(ours), samples(after)
    my_names = {name for name, _ in mine}
    by_name = {}
    for name, labels in mine:
        by_name.setdefault(name, []).append(labels)
    found = {}
    for series in first.keys() & last.keys():
        if NOT_COMPARED.match(series[0]):
            continue
        if series[0] not in my_names:
            found[series[0], "missing"] = "no such name"
            continue
        same = [labels for labels in by_name[series[0]] if set(labels) >= set(series[1])]
        own = series[1] if series[1] in same else same[0] if len(same) == 1 else None
        if own is None:
            found[shown(series), "labels"] = "no series with these labels"
            continue
        value = mine[series[0], own]
        if first[series] == last[series] and abs(value - first[series]) > 1e-9 * abs(first[series]):
            found[shown(series), "value"] = f"theirs {first[series]}, ours {value}"
    their_types, my_types = types(before), types(ours)
    for name in their_types.keys() & my_types.keys():
        if their_types[name] != my_types[name] and not NOT_COMPARED.match(name):
            found[name, "type"] = f"theirs {their_types[name]}, ours {my_types[name]}"
    return found


class Parity(unittest.TestCase):
    maxDiff = None

    def compare(self, section, exporter, agent, view):
        exporter_url = f"http://127.0.0.1:{exporter.port}/metrics"
        for _ in range(2):  # the first scrape of a fresh process differs from all that follow
            get(exporter_url)
            get(agent.url(view))
        before, ours, after = (get(url)[2].decode() for url in (exporter_url, agent.url(view), exporter_url))
        found = differences(before, ours, after)
        rows = documented(section)
        used = set()
        unexplained = []
        for (series, kind), detail in sorted(found.items()):
            kinds = (kind, "noise") if kind == "value" else (kind,)
            matching = [row for row in rows if row[1] in kinds and re.fullmatch(row[0], series)]
            used.update(matching)
            if not matching:
                unexplained.append(f"{kind}: {series} ({detail})")
        self.assertFalse(unexplained, f"not explained by docs/parity.md, section {section}:\n" + "\n".join(unexplained))
        self.assertEqual([row for row in rows if row not in used and row[1] != "noise"], [], "rows of docs/parity.md that are no longer true")
        self.assertGreater(len(samples(ours)), 100)

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def test_redis(self):
        redis = self.start(Redis())
        for command in ("SET a 1", "LPUSH b 1 2", "EXPIRE a 1000", "GET a", "GET missing", "HSET h f 1", "NOSUCH x"):
            redis.cli(*command.split())
        redis.cli("CONFIG", "SET", "latency-monitor-threshold", "1", "slowlog-log-slower-than", "5000")
        redis.cli("DEBUG", "SLEEP", "0.01")
        exporter = self.start(RedisExporter(redis))
        agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "redis://127.0.0.1:{redis.port}"\n'))
        self.compare("Redis", exporter, agent, "/metrics/redis")

    def test_postgres(self):
        postgres = self.start(Postgres())
        postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
        postgres.sql("INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 5000) n")
        postgres.sql("VACUUM ANALYZE orders")
        postgres.sql('CREATE DATABASE "we""ird базаβ"')
        postgres.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        exporter = self.start(PostgresExporter(postgres))
        agent = self.start(Agent('[scrape]\nmin_interval = "0s"\n'
                                 f'[[postgres]]\ndsn = "{postgres.dsn()}"\ncompat = "0.11"\n'))
        self.compare("Postgres", exporter, agent, "/metrics/postgres")


if __name__ == "__main__":
    unittest.main()
