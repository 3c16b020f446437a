"""Popular dashboards and alert rules on the page of default options over PostgreSQL 15 and PgBouncer: each metric that their
expressions read is there with the labels they need, from dashboards/*.txt, or stands in never.txt."""
import unittest

import boards
from stack import Agent, Api, PgBouncer, Postgres, Standby, get, wait_until

TABLES = ("postgres_9628", "postgres_mixin", "postgres_mixin_alerts", "postgres_awesome_alerts", "postgres_operators",
          "pgbouncer_mixin", "pgbouncer_awesome_alerts")
# Both sides of the comparisons that group by it lack it alike since exporter 0.20, so that they match.
OPTIONAL_LABELS = {"server"}
OPT_IN = ("bloat", "general_index_info")


def never():
    """[(metric that no page has, what ours has instead, the alert that reads that or "-")]"""
    lines = (boards.TABLES / "never.txt").read_text().splitlines()
    return [tuple(line.split(" ")) for line in lines if not line.startswith("#")]


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
        postgres = cls.start(Postgres("autovacuum=off"))
        postgres.sql("CREATE DATABASE midst")
        postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
        postgres.sql("INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 20000) n")
        postgres.sql("DELETE FROM orders WHERE id % 2 = 0")  # bloat
        postgres.sql("VACUUM ANALYZE orders")
        cls.start(Standby(postgres))
        pgbouncer = cls.start(PgBouncer(postgres))
        pgbouncer.sql("SELECT 1", database="midst")
        targets = f'[[postgres]]\ndsn = "{postgres.dsn()}"\n{{more}}[[pgbouncer]]\ndsn = "{pgbouncer.dsn()}"\n'
        agent = cls.start(Agent('[scrape]\nmin_interval = "0s"\n' + targets.format(more="")))
        api = cls.start(Api(agent.push_socket, f"postgresql://postgres@127.0.0.1:{pgbouncer.port}/midst"))
        wait_until(lambda: get(api.url("/v1/profiles"))[0] == 200, "the API serves out of Postgres")
        wait_until(lambda: "db_pool_connections" in boards.label_keys(agent.page()), "the API has told of its pool")
        page = boards.label_keys(agent.page())
        cls.pages = dict.fromkeys(("main", "api", "pgbouncer"), page)
        cls.pages["opt-in"] = cls.opt_in_page(targets)

    @classmethod
    def opt_in_page(cls, targets):
        more = "".join(f"{name} = true\n" for name in OPT_IN)
        agent = cls.start(Agent('[scrape]\nmin_interval = "0s"\n' + targets.format(more="[postgres.collectors]\n" + more)))
        wait_until(lambda: any(name.startswith("pg_bloat_table_") for name, _ in agent.page()), "bloat has been looked for")
        return boards.label_keys(agent.page())

    def test_every_table_is_served(self):
        found = {path.stem for path in boards.TABLES.glob("*.txt") if path.stem.startswith(("postgres_", "pgbouncer_"))}
        self.assertEqual(found, set(TABLES))
        for table in TABLES:
            with self.subTest(table):
                rows = list(boards.rows_of(table))
                self.assertGreater(len(rows), 5)
                problems = [boards.missing([self.pages[kind]], metric, labels - OPTIONAL_LABELS)
                            for metric, labels, kind in rows if kind != "never"]
                self.assertEqual([problem for problem in problems if problem], [])

    def test_what_nobody_has_is_listed_with_what_stands_in_for_it(self):
        listed = never()
        named = {metric for table in TABLES for metric, _, kind in boards.rows_of(table) if kind == "never"}
        self.assertEqual(named, {metric for metric, _, _ in listed})
        rules = {**boards.rules_of("postgres"), **boards.rules_of("pgbouncer")}
        for metric, instead, alert in listed:
            with self.subTest(metric):
                self.assertNotIn(metric, self.pages["main"], "it is there, so it is no exception")
                self.assertNotIn(metric, self.pages["opt-in"])
                self.assertIn(instead, self.pages["main"])
                self.assertTrue(alert == "-" or instead in boards.metrics_of(rules, alert), f"{alert} does not read it")


if __name__ == "__main__":
    unittest.main()
