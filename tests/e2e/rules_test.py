"""The alert rules in a real Prometheus over a real agent with several targets: each can be evaluated, recorded ratios come for
each target, and faults that are really there are seen at the right one. How long they must last is promtool's part."""
import json
import subprocess
import unittest

from stack import ROOT, Agent, PgBouncer, Postgres, Prometheus, Redis, Session, Standby, get, wait_until

RULES = ROOT / "infra/prometheus/rules"


class RuleServer(Prometheus):
    """A Prometheus that evaluates all rules of the project each second."""

    def __init__(self, target):
        super().__init__(target)
        file = self.folder / "prometheus.yml"
        text = file.read_text().replace("global: {", "global: {evaluation_interval: 1s, ")
        file.write_text(f"{text}rule_files: ['{RULES}/*.yml']\n")

    def rules(self):
        status, _, body = get(f"http://127.0.0.1:{self.port}/api/v1/rules")
        assert status == 200, body
        return [rule for group in json.loads(body)["data"]["groups"] for rule in group["rules"]]

    def alerts(self):
        """{(name, target)} that are pending or firing."""
        return {(rule["name"], alert["labels"].get("target", "")) for rule in self.rules() for alert in rule.get("alerts", ())}


class Rules(unittest.TestCase):
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
        cls.primary = cls.start(Postgres("autovacuum=off", "max_connections=20"))
        cls.primary.sql("CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 2)")
        # It cannot be unique, so what is left is an invalid index.
        failed = subprocess.run([*cls.primary.psql(), "-c", "CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)"],
                                capture_output=True, text=True)
        assert "could not create unique index" in failed.stderr, failed.stderr
        cls.primary.sql("CREATE SEQUENCE short MAXVALUE 10 START 9")
        cls.primary.sql("SELECT nextval('short')")
        cls.standby = cls.start(Standby(cls.primary))
        pgbouncer = cls.start(PgBouncer(cls.primary))
        redis = cls.start(Redis())
        cls.agent = cls.start(Agent('[scrape]\nmin_interval = "0s"\n' + "".join(
            f'[[postgres]]\nname = "{name}"\ndsn = "{server.dsn()}"\n' for name, server in (("main", cls.primary), ("copy", cls.standby)))
            + f'[[pgbouncer]]\ndsn = "{pgbouncer.dsn()}"\n[[redis]]\nurl = "{redis.url}"\n'))
        cls.prometheus = cls.start(RuleServer(f"127.0.0.1:{cls.agent.port}"))
        wait_until(lambda: len(cls.prometheus.query("postgres:cache_hits:ratio_rate5m")) > 0, "ratios are recorded")

    def seen(self, name, target):
        wait_until(lambda: (name, target) in self.prometheus.alerts(), f"{name} is seen at {target}")

    def test_1_each_rule_can_be_evaluated(self):
        rules = wait_until(lambda: all(rule["health"] != "unknown" for rule in self.prometheus.rules()) and self.prometheus.rules(),
                           "each was evaluated")
        self.assertGreater(len(rules), 100)
        self.assertEqual([(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"], [])

    def test_2_recorded_ratios_come_for_each_target(self):
        for name in ("postgres:locks_used:ratio", "postgres:transactions:rate5m"):
            with self.subTest(name):
                wait_until(lambda: {labels["target"] for labels, _ in self.prometheus.query(name)} == {"main", "copy"},
                           "both are there")
        for name in ("postgres:vacuum_due:ratio", "pgbouncer:clients_used:ratio", "redis:commands_processed:rate5m"):
            with self.subTest(name):
                wait_until(lambda: len(self.prometheus.query(name)) > 0, "it is there")

    def test_3_what_is_well_is_silent_and_what_was_broken_before_is_seen(self):
        for name in ("PostgresInvalidIndex", "PostgresSequenceNearEnd"):
            self.seen(name, "main")
        quiet = ("PostgresDown", "PostgresConnectionsNearLimit", "PostgresStandbyDisconnected", "PostgresSlotInactive",
                 "PostgresCollectorFailing", "PostgresRoleLacksRights", "PostgresConnectionsExhausted", "PgBouncerDown",
                 "PgBouncerCollectorFailing", "PgBouncerPoolNearlyFull", "RedisDown")
        self.assertEqual([alert for alert in self.prometheus.alerts() if alert[0] in quiet], [])

    def test_4_many_connections_are_seen_at_the_server_that_has_them(self):
        sessions = [Session(self.primary, name=f"client {n}") for n in range(15)]
        try:
            for session in sessions:
                session.run("SELECT 1")
            self.seen("PostgresConnectionsNearLimit", "main")
            self.assertNotIn(("PostgresConnectionsNearLimit", "copy"), self.prometheus.alerts())
        finally:
            for session in sessions:
                session.stop()
        wait_until(lambda: ("PostgresConnectionsNearLimit", "main") not in self.prometheus.alerts(), "it ends with them")

    def test_5_a_slot_without_a_client_is_seen(self):
        self.primary.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
        self.seen("PostgresSlotInactive", "main")
        self.primary.sql("SELECT pg_drop_replication_slot('forgotten')")
        wait_until(lambda: ("PostgresSlotInactive", "main") not in self.prometheus.alerts(), "it ends with the slot")

    def test_6_a_primary_that_ends_is_seen_at_both(self):
        self.primary.kill()
        self.seen("PostgresDown", "main")
        self.seen("PostgresStandbyDisconnected", "copy")
        alerts = self.prometheus.alerts()
        self.assertNotIn(("PostgresDown", "copy"), alerts)
        self.assertNotIn("PostgresCollectorFailing", {name for name, target in alerts if target == "main"})


if __name__ == "__main__":
    unittest.main()
