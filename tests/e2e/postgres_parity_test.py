"""Postgres and PgBouncer side by side with their exporters, the packaged one and the newest that Go modules give, on the
same servers: a primary with a standby, odd names and twenty databases; the standby; every collector switched on; a role
without pg_monitor; a PgBouncer. Against docs/parity.md; parity.py says how."""
import unittest

import peers
from parity import Explanations, differences, documented, listed, scrape_both
from stack import (Agent, PgBouncer, PgBouncerExporter, Postgres, PostgresExporter, Session, Standby, samples, wait_until)

# Cut down or kept from moving by themselves, so that what is compared stands still.
QUIET = ("autovacuum=off", "checkpoint_timeout=1h", "bgwriter_lru_maxpages=0", "track_activity_query_size=4096")
ODD_DATABASES = ('we"ird базаβ', "test'db", "new\nline", "back\\slash", "a" * 63)
PLAIN_DATABASES = tuple(f"shop_{number:02}" for number in range(12))  # twenty with the odd ones and the server's own three
EXPORTER_COLLECTORS = ("database_wraparound", "long_running_transactions", "postmaster", "process_idle",
                       "stat_activity_autovacuum", "stat_statements", "stat_statements.include_query",
                       "stat_wal_receiver", "statio_user_indexes")
# Those that ours has as collectors to be switched on; the rest runs by default.
OUR_COLLECTORS = ("database_wraparound", "long_running_transactions", "process_idle", "stat_activity_autovacuum",
                  "stat_statements", "stat_wal_receiver", "statio_user_indexes")
WITH_A_TTL = ("database", "database_wraparound", "roles", "settings", "stat_statements", "stat_user_tables",
              "statio_user_indexes", "statio_user_tables")
# By situation: the subsection of docs/parity.md whose rows hold for it alone.
OWN_ROWS = {"standby": "Of a standby", "standby_everything": "Of a standby", "plain_role": "Of a role without pg_monitor"}

TABLES = r"""
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, repeat('note ', 20) FROM generate_series(1, 5000) n;
UPDATE orders SET note = 'changed' WHERE id <= 100;
DELETE FROM orders WHERE id > 4900;
CREATE TABLE never_vacuumed (id int);
INSERT INTO never_vacuumed SELECT generate_series(1, 3000);
CREATE TABLE empty (id int PRIMARY KEY, big text);
CREATE SCHEMA "od""d";
CREATE TABLE "od""d"."ta
ble β'" (id int);
INSERT INTO "od""d"."ta
ble β'" VALUES (1);
CREATE INDEX "in
dex" ON "od""d"."ta
ble β'" (id);
SELECT count(*) FROM orders WHERE id = 7;
SELECT count(*) FROM orders;
VACUUM ANALYZE orders;
VACUUM ANALYZE "od""d"."ta
ble β'";
"""


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Situation:
    """Servers that run, and how either is told to look at `target`."""

    def __init__(self, target, agent="", flags=(), user="postgres", has_packaged=True, least_series=300):
        self.target, self.agent, self.flags, self.user = target, agent, flags, user
        self.has_packaged, self.least_series = has_packaged, least_series

    def agent_config(self, compat):
        ttl = "".join(f'{name} = "0s"\n' for name in WITH_A_TTL)
        return (f'[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{self.target.dsn(user=self.user)}"\nmax_share = 0\n'
                f'compat = "{compat}"\n{self.agent}[postgres.ttl]\n{ttl}')


class Servers:
    """One primary with a standby for all situations."""

    def __init__(self, add):
        self.add = add
        self.server = self.start(Postgres(*QUIET, "wal_level=logical", "archive_mode=on", "archive_command=true",
                                          "shared_preload_libraries=pg_stat_statements", "track_io_timing=on"))
        for name in (*PLAIN_DATABASES, *ODD_DATABASES):
            self.server.sql(f"CREATE DATABASE {quoted(name)} STRATEGY file_copy")
        self.server.sql("ALTER DATABASE shop_00 CONNECTION LIMIT 7")
        for statement in ("CREATE ROLE watcher LOGIN", "CREATE ROLE \"ro\"\"le β\" CONNECTION LIMIT 3",
                          "CREATE EXTENSION pg_stat_statements",
                          "SELECT pg_create_physical_replication_slot('behind', true)",
                          "SELECT pg_create_physical_replication_slot('never_used')",
                          "SELECT pg_create_logical_replication_slot('changes', 'test_decoding')"):
            self.server.sql(statement)
        self.feed(TABLES)
        self.standby_server = self.start(Standby(self.server, *QUIET, "shared_preload_libraries=pg_stat_statements"))
        self.open_sessions()
        self.server.sql("SELECT pg_switch_wal()")
        wait_until(lambda: self.server.sql("SELECT archived_count FROM pg_stat_archiver").strip() != "0", "a file is archived")
        self.server.sql("CHECKPOINT")
        self.server.sql("ALTER SYSTEM SET pg_stat_statements.track = none")
        self.server.sql("SELECT pg_reload_conf()")

    def start(self, server):
        self.add(server)
        return server.start()

    def feed(self, text):
        """Statement by statement, as psql reads them."""
        session = Session(self.server)
        session.run(text)
        session.stop()

    def session(self, *arguments, **named):
        session = Session(self.server, *arguments, **named)
        self.add(session)
        return session

    def open_sessions(self):
        """Idle ones, one idle in a transaction that holds a lock, and one that waits for it."""
        self.session("shop_01", name="idle").run("SELECT 1")
        self.session('we"ird базаβ', name='odd "name"').run("BEGIN; SELECT 1")
        holder = self.session(name="holder")
        holder.run("BEGIN; LOCK TABLE empty IN SHARE MODE")
        waiter = self.session(name="waiter")
        waiter.send("INSERT INTO empty VALUES (1)")
        wait_until(lambda: "Lock" in self.server.sql("SELECT wait_event_type FROM pg_stat_activity"), "one waits for a lock")

    def primary(self):
        return Situation(self.server)

    def standby(self):
        return Situation(self.standby_server)

    def everything(self):
        switched_on = "".join(f"{name} = true\n" for name in OUR_COLLECTORS)
        return Situation(self.server, f"[postgres.collectors]\n{switched_on}",
                         [f"--collector.{name}" for name in EXPORTER_COLLECTORS], has_packaged=False)

    def standby_everything(self):
        return Situation(self.standby_server, "[postgres.collectors]\nstat_wal_receiver = true\n",
                         ["--collector.stat_wal_receiver"], has_packaged=False)

    def plain_role(self):
        return Situation(self.server, user="watcher")


SITUATIONS = ("primary", "standby", "everything", "standby_everything", "plain_role")


class PostgresParity(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        servers = Servers(lambda server: cls.addClassCleanup(server.stop))
        cls.situations = {name: getattr(servers, name)() for name in SITUATIONS}

    def hold_against(self, program, version, section, compat=""):
        """`section` of docs/parity.md was written against one version; of a later one only names and labels are held."""
        print(f"postgres_exporter {version}", flush=True)
        is_that_version = section.endswith(".".join(map(str, peers.number_of(version))))
        rows = documented("Postgres") + documented("Postgres", section)
        serverless = [series for series, kind in rows if kind == "server"]
        of_all = Explanations(rows)
        situations = {name: one for name, one in self.situations.items() if one.has_packaged or not compat}
        was_compared = dict.fromkeys(situations, False)
        for name, situation in situations.items():
            with self.subTest(situation=name, exporter=version):
                found = self.compare(situation, program, compat, serverless)
                if not is_that_version:
                    found = {key: detail for key, detail in found.items() if key[1] in ("missing", "labels")}
                was_compared[name] = True
                unexplained = of_all.unexplained(found)
                if name in OWN_ROWS:
                    own = Explanations(documented("Postgres", OWN_ROWS[name]))
                    unexplained = own.unexplained(unexplained)
                self.assertFalse(unexplained, f"not explained by docs/parity.md, Postgres, {section}:\n" + listed(unexplained))
                if name in OWN_ROWS and is_that_version:
                    self.assertEqual(own.idle(), [], "rows of docs/parity.md that are no longer true")
        if is_that_version and all(was_compared.values()):
            self.assertEqual(of_all.idle(), [], "rows of docs/parity.md that are no longer true")

    def compare(self, situation, program, compat, serverless):
        exporter = PostgresExporter(situation.target, *situation.flags, program=program, user=situation.user)
        agent = Agent(situation.agent_config(compat))
        try:
            before, ours, after = scrape_both(exporter.start(), agent.start(), "/metrics/postgres")
        finally:
            exporter.stop()
            agent.stop()
        for page in (before, ours):
            self.assertEqual(samples(page)["pg_up", ()], 1)
            self.assertGreater(len(samples(page)), situation.least_series)
        return differences(before, ours, after, serverless)

    def test_the_packaged_exporter(self):
        try:
            program, version = peers.packaged_postgres_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        self.hold_against(program, version, "Against 0.11", compat="0.11")

    def test_the_newest_exporter(self):
        try:
            program, version = peers.newest_postgres_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        self.hold_against(program, version, "Against 0.19")


class PgBouncerParity(unittest.TestCase):
    maxDiff = None

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def test_the_newest_exporter(self):
        try:
            program, version = peers.newest_pgbouncer_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        print(f"pgbouncer_exporter {version}", flush=True)
        postgres = self.start(Postgres(*QUIET))
        pgbouncer = self.start(PgBouncer(postgres))
        for name in ODD_DATABASES[:2]:
            postgres.sql(f"CREATE DATABASE {quoted(name)} STRATEGY file_copy")
            pgbouncer.sql("SELECT 1", database=name)
        holder = Session(pgbouncer, name="holder")
        self.addCleanup(holder.stop)
        holder.run("BEGIN; SELECT 1")
        exporter = self.start(PgBouncerExporter(pgbouncer, program=program))
        agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[pgbouncer]]\ndsn = "{pgbouncer.dsn()}"\n'))
        before, ours, after = scrape_both(exporter, agent, "/metrics/pgbouncer")
        for page in (before, ours):
            self.assertEqual(samples(page)["pgbouncer_up", ()], 1)
            self.assertGreater(len(samples(page)), 80)
        explanations = Explanations(documented("PgBouncer"))
        unexplained = explanations.unexplained(differences(before, ours, after))
        self.assertFalse(unexplained, "not explained by docs/parity.md, PgBouncer:\n" + listed(unexplained))
        self.assertEqual(explanations.idle(), [], "rows of docs/parity.md that are no longer true")


if __name__ == "__main__":
    unittest.main()
