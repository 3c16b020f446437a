"""One thing wrong with Postgres at a time, and exactly what the page then lacks: killed, black-holed and full servers,
roles without rights, missing extensions, locks, databases that come and go, slow statements, standbys that are alone."""
import re
import signal
import subprocess
import sys
import time
import unittest

from stack import BIN, ROOT, Agent, Postgres, Session, Standby, free_port, wait_until

# About the attempt itself: there whether the server is or not.
OWN = re.compile(r"pg_up|pg_exporter_.*|pg_scrape_collector_.*|postgres_exporter_.*")
CONFIG = '[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{dsn}"\nsample_interval = "0s"\n'


class LineThatDies:
    """A TCP proxy in front of a server that can stop to pass anything on, while both sides stay connected."""

    def __init__(self, upstream):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, ROOT / "tests/bench/peers/delay_proxy.py", "--port", str(self.port),
                                         "--upstream-port", str(upstream.port), "--one-way-ms", "0"])

    def die(self):
        self.process.send_signal(signal.SIGSTOP)

    def revive(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()


def families(page):
    return {name for name, _ in page if name.startswith("pg_") and not OWN.fullmatch(name)}


def collectors(page, value):
    """The collectors whose success has this value."""
    return {dict(labels)["collector"] for (name, labels), is_ok in page.items()
            if name == "pg_scrape_collector_success" and is_ok == value}


def reasons(page, collector):
    return {dict(labels)["reason"] for name, labels in page
            if name == "midst_pg_collector_errors_total" and dict(labels)["collector"] == collector}


class Faults(unittest.TestCase):
    maxDiff = None

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def agent(self, dsn, more=""):
        return self.start(Agent(CONFIG.format(dsn=dsn) + more))

    def server(self, *settings):
        postgres = self.start(Postgres(*settings))
        postgres.sql("CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 100) n")
        return postgres

    def back(self, agent, complete):
        """Waits until the page is whole again."""
        wait_until(lambda: families(agent.page()) >= complete, "the page is whole again")

    def test_a_killed_server_is_down_at_the_next_scrape_with_nothing_old(self):
        postgres = self.server()
        agent = self.agent(postgres.dsn())
        agent.page()
        complete = families(agent.page())
        postgres.kill()
        page = agent.page()
        self.assertEqual(page["pg_up", ()], 0)
        self.assertEqual(families(page), set())
        self.assertEqual(collectors(page, 1), set())
        self.assertIn("stat_database", collectors(page, 0))
        postgres.start()
        self.back(agent, complete)

    def test_a_black_hole_costs_a_scrape_its_deadline_and_no_more(self):
        postgres = self.server()
        line = LineThatDies(postgres)
        self.addCleanup(line.stop)
        agent = self.agent(postgres.dsn().replace(f"port={postgres.port}", f"port={line.port}"))
        wait_until(lambda: agent.page()["pg_up", ()] == 1, "the server is reached through the line")
        complete = families(agent.page())
        line.die()
        for _ in range(2):
            began = time.monotonic()
            page = agent.page(scrape_timeout="2")
            self.assertLess(time.monotonic() - began, 2)
            self.assertEqual(page["pg_up", ()], 0)
            self.assertEqual(families(page), set())
        line.revive()
        self.back(agent, complete)

    def test_a_full_server_goes_on_telling_who_was_in_before(self):
        postgres = self.server("max_connections=12", "superuser_reserved_connections=1")
        postgres.sql("CREATE ROLE watcher LOGIN IN ROLE pg_monitor")
        agent = self.agent(postgres.dsn(user="watcher"))
        agent.page()
        before = families(agent.page())
        sessions = []
        for _ in range(12):
            session = Session(postgres, user="watcher")
            self.addCleanup(session.stop)
            sessions.append(session)
        wait_until(lambda: any(session.process.poll() is not None for session in sessions), "the server is full")
        page = agent.page()
        self.assertEqual(page["pg_up", ()], 1)
        self.assertEqual(before - families(page), set())
        late = self.agent(postgres.dsn(user="watcher"))
        page = late.page()
        self.assertEqual(page["pg_up", ()], 0)
        self.assertEqual(page["midst_agent_collect_errors_total",
                              (("kind", "postgres"), ("reason", "limit"), ("target", "main"))], 1)
        for session in sessions:
            session.stop()
        self.back(late, before)

    def test_a_plain_role_is_told_what_it_lacks(self):
        postgres = self.server()
        postgres.sql("CREATE ROLE plain LOGIN")
        agent = self.agent(postgres.dsn(user="plain"))
        agent.page()
        page = agent.page()
        self.assertEqual(page["pg_up", ()], 1)
        self.assertEqual([value for (name, _), value in page.items() if name == "midst_pg_privilege"], [0])
        self.assertIn("wal", collectors(page, 0))
        self.assertEqual(reasons(page, "wal"), {"noperm"})
        self.assertIn("stat_database", collectors(page, 1))
        self.assertEqual(agent.log().count("GRANT pg_monitor TO"), 1)
        told = subprocess.run([BIN / "midst-agent", "check", "--config", agent.config, "--connect"], capture_output=True,
                              text=True, timeout=30)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("  collector wal: noperm\n", told.stdout)
        self.assertIn('GRANT pg_monitor TO "plain";', told.stdout)

    def test_a_missing_extension_is_named_and_found_when_it_comes(self):
        postgres = self.server("shared_preload_libraries=pg_stat_statements")
        agent = self.agent(postgres.dsn(), 'retry_refused_after = "1s"\n[postgres.collectors]\nstat_statements = true\n')
        page = agent.page()
        self.assertIn("stat_statements", collectors(page, 0))
        self.assertEqual(reasons(page, "stat_statements"), {"unsupported"})
        self.assertIn("CREATE EXTENSION pg_stat_statements", agent.log())
        postgres.sql("CREATE EXTENSION pg_stat_statements")
        wait_until(lambda: "pg_stat_statements_calls_total" in families(agent.page()), "the extension is found")
        self.assertIn("stat_statements", collectors(agent.page(), 1))

    def test_a_locked_table_blocks_nothing(self):
        postgres = self.server()
        agent = self.agent(postgres.dsn())
        agent.page()
        complete = families(agent.page())
        holder = Session(postgres)
        self.addCleanup(holder.stop)
        holder.run("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        page = agent.page()
        self.assertEqual(complete - families(page), set())
        self.assertEqual(collectors(page, 0), set())
        self.assertIn(("pg_stat_user_tables_n_live_tup",
                       (("datname", "postgres"), ("relname", "orders"), ("schemaname", "public"))), page)

    def test_databases_that_come_and_go_cost_the_others_nothing(self):
        postgres = self.server()
        agent = self.agent(postgres.dsn(), '[postgres.ttl]\ndatabase_list = "0s"\nstat_user_tables = "0s"\ndatabase = "0s"\n')
        complete = families(agent.page())
        for round_number in range(8):
            postgres.sql("CREATE DATABASE brief")
            postgres.sql("CREATE TABLE t (id int)", "brief")
            page = agent.page()
            postgres.sql("DROP DATABASE brief WITH (FORCE)")
            after = agent.page()
            for shown in (page, after):
                self.assertEqual(shown["pg_up", ()], 1, round_number)
                self.assertEqual(complete - families(shown), set())
        wait_until(lambda: not any(dict(labels).get("datname") == "brief" for _, labels in agent.page()), "it is forgotten")

    def test_a_collector_over_its_timeout_costs_only_itself(self):
        postgres = self.server()
        agent = self.agent(postgres.dsn(), "[[postgres.query]]\nname = \"slow\"\ntimeout = \"300ms\"\n"
                                           "sql = \"SELECT 1 AS one FROM pg_sleep(20)\"\n"
                                           "[postgres.query.columns]\none = { use = \"gauge\", help = \"One.\" }\n")
        agent.page()
        began = time.monotonic()
        page = agent.page()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(page["pg_up", ()], 1)
        self.assertEqual(collectors(page, 0), {"slow"})
        self.assertEqual(reasons(page, "slow"), {"timeout"})
        self.assertNotIn("pg_slow_one", families(page))

    def test_a_standby_without_its_primary_says_so(self):
        primary = self.server()
        standby = self.start(Standby(primary))
        agent = self.agent(standby.dsn())
        agent.page()
        page = wait_until(lambda: (page := agent.page()).get(("pg_replication_lag_seconds", ())) == 0 and page,
                          "it replays all it receives")
        self.assertEqual(page["pg_replication_is_replica", ()], 1)
        primary.sql("CREATE TABLE replayed ()")
        wait_until(lambda: ("pg_replication_last_replay_seconds", ()) in agent.page(), "a transaction is replayed")
        page = agent.page()
        receiver = {name for name in families(page) if name.startswith("pg_stat_wal_receiver_")}
        self.assertTrue(receiver)
        primary.kill()
        page = wait_until(lambda: (page := agent.page()).get(("pg_replication_lag_seconds", ()), 0) > 0 and page,
                          "the lag shows that the receiver is dead")
        self.assertEqual(page["pg_up", ()], 1)
        self.assertEqual(families(page) & receiver, set())


if __name__ == "__main__":
    unittest.main()
