"""PgBouncer side by side with pgbouncer_exporter, with several databases and users, clients that wait, a paused database
and a pid file, against docs/parity.md; and two processes that share a port. parity.py says how."""
import unittest

import peers
from parity import Explanations, differences, documented, listed, scrape_both
from stack import (Agent, PgBouncer, PgBouncerExporter, Postgres, Session, samples, wait_until)

TTLS = 'config = "0s"\nclients = "0s"\n'
USERS = ("app", 'odd "name" β', "stats")
DATABASES = ("shop", "books", "paused", 'we"ird базаβ')


class Pooler(PgBouncer):
    """One with users, limits and a pid file; `settings` go before all others."""

    def __init__(self, postgres, *settings, port=None):
        super().__init__(postgres)
        self.port = port or self.port
        listed_users = "".join('"{}" ""\n'.format(user.replace('"', '""')) for user in ("postgres", *USERS))
        (self.folder / "users.txt").write_text(listed_users)
        self.pid_file = self.folder / "pgbouncer.pid"
        lines = ["[databases]", f"shop = host=127.0.0.1 port={postgres.port} pool_size=1 reserve_pool=0 max_db_connections=3",
                 f"paused = host=127.0.0.1 port={postgres.port}",  # an unlisted one is forgotten when it is paused
                 f"* = host=127.0.0.1 port={postgres.port}", "[pgbouncer]", "listen_addr = 127.0.0.1",
                 f"listen_port = {self.port}", f"unix_socket_dir = {self.folder}", "auth_type = trust",
                 f"auth_file = {self.folder}/users.txt", "admin_users = postgres", "stats_users = stats",
                 "pool_mode = transaction", "max_user_connections = 30", "ignore_startup_parameters = extra_float_digits",
                 f"pidfile = {self.pid_file}", *settings]
        (self.folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")

    def socket_dsn(self):
        return f"host={self.folder} port={self.port} dbname=pgbouncer user=postgres"


class PgBouncerParity(unittest.TestCase):
    maxDiff = None

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def session(self, *arguments, **named):
        session = Session(*arguments, **named)
        self.addCleanup(session.stop)
        return session

    def busy_pooler(self):
        postgres = self.start(Postgres())
        pooler = self.start(Pooler(postgres))
        for name in DATABASES:
            quoted = name.replace('"', '""')
            postgres.sql(f'CREATE DATABASE "{quoted}" STRATEGY file_copy')
        for name in USERS:
            quoted = name.replace('"', '""')
            postgres.sql(f'CREATE ROLE "{quoted}" LOGIN')
        for number, database in enumerate(DATABASES):
            for user in USERS[:2] if number % 2 else USERS[:1]:
                pooler.sql("SELECT 1", database=database, user=user)
        self.session(pooler, "shop", user="app", name="holder").run("BEGIN; SELECT 1")
        waiting = self.session(pooler, "shop", user="app", name="waiter")
        waiting.send("SELECT 1")
        wait_until(lambda: pooler.sql("SHOW CLIENTS").count("|waiting|"), "a client waits")
        pooler.sql("PAUSE paused")
        return postgres, pooler

    def test_a_busy_pooler(self):
        try:
            program, version = peers.newest_pgbouncer_exporter()
        except peers.Absent as absent:
            self.skipTest(str(absent))
        print(f"pgbouncer_exporter {version}", flush=True)
        _, pooler = self.busy_pooler()
        exporter = self.start(PgBouncerExporter(pooler, "--pgBouncer.pid-file", pooler.pid_file, program=program))
        agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[pgbouncer]]\ndsn = "{pooler.dsn()}"\n'
                                 f'pid_file = "{pooler.pid_file}"\n[pgbouncer.ttl]\n{TTLS}'))
        before, ours, after = scrape_both(exporter, agent, "/metrics/pgbouncer")
        for page in (before, ours):
            self.assertEqual(samples(page)["pgbouncer_up", ()], 1)
            self.assertEqual(samples(page)["pgbouncer_pools_client_waiting_connections",
                                           (("database", "shop"), ("user", "app"))], 1)
            self.assertIn(("pgbouncer_process_resident_memory_bytes", ()), samples(page))
        explanations = Explanations(documented("PgBouncer") + documented("PgBouncer", "With clients that wait"))
        unexplained = explanations.unexplained(differences(before, ours, after))
        self.assertFalse(unexplained, "not explained by docs/parity.md, PgBouncer:\n" + listed(unexplained))
        self.assertEqual(explanations.idle(), [], "rows of docs/parity.md that are no longer true")

    def test_two_processes_that_share_a_port(self):
        postgres = self.start(Postgres())
        first = self.start(Pooler(postgres, "so_reuseport = 1"))
        second = self.start(Pooler(postgres, "so_reuseport = 1", port=first.port))
        targets = "".join(f'[[pgbouncer]]\nname = "{name}"\ndsn = "{pooler.socket_dsn()}"\n'
                          f'pid_file = "{pooler.pid_file}"\n' for name, pooler in (("one", first), ("two", second)))
        agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{postgres.dsn()}"\n{targets}'))
        agent.page("/metrics")
        page = agent.page("/metrics")
        for name in ("one", "two"):
            target = ("target", name)
            self.assertEqual(page["pgbouncer_up", (target,)], 1)
            self.assertEqual(page["pgbouncer_config_so_reuseport", (target,)], 1)
            self.assertEqual(page["midst_pgbouncer_postgres_connections_ratio", (("postgres", "main"), target)], 0)
        second.kill()
        page = agent.page("/metrics")
        self.assertEqual(page["pgbouncer_up", (("target", "one"),)], 1)
        self.assertEqual(page["pgbouncer_up", (("target", "two"),)], 0)
        self.assertNotIn(("pgbouncer_process_open_fds", (("target", "two"),)), page)


if __name__ == "__main__":
    unittest.main()
