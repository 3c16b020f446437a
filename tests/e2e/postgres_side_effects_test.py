"""What watching costs the watched: errors, connections, temporary files, transaction ids, lock waits and rollbacks of a real
Postgres after a hundred scrapes."""
import re
import unittest

from stack import Agent, Postgres, wait_until

SCRAPES = 100
# Everything that Postgres can say of what a client does to it.
TALKATIVE = ("log_connections=on", "log_disconnections=on", "log_min_error_statement=info", "log_temp_files=0", "log_lock_waits=on",
             "deadlock_timeout=10ms", "autovacuum=off", "log_line_prefix=%a|%u|", "track_io_timing=on")
DATABASES = 4
MOST_CONNECTIONS = 1 + 2  # and max_connections of [postgres.databases]


class SideEffects(unittest.TestCase):
    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def watched(self):
        """A quiet server with tables in several databases."""
        postgres = self.start(Postgres(*TALKATIVE))
        for number in range(DATABASES):
            postgres.sql(f"CREATE DATABASE shop_{number}")
            postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)", database=f"shop_{number}")
            postgres.sql("INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 1000) n", database=f"shop_{number}")
            postgres.sql("VACUUM ANALYZE orders", database=f"shop_{number}")
        postgres.sql("CREATE ROLE watcher LOGIN")
        return postgres

    def scrape(self, postgres, user="postgres", count=SCRAPES, more=""):
        agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{postgres.dsn(user=user)}"\n{more}'))
        for _ in range(count):
            page = agent.page()
            self.assertEqual(page["pg_up", ()], 1)
        return agent, page

    @staticmethod
    def said(postgres, pattern):
        """Lines of the server's log about the agent; while it logs in, its name is in the text only."""
        lines = [line for line in postgres.log().splitlines() if re.search(pattern, line)]
        return [line for line in lines if line.startswith("midst-agent|") or "application_name=midst-agent" in line]

    @staticmethod
    def facts(postgres):
        """What must not grow by looking: {name: number}. Read by a session that is none of the agent's."""
        values = postgres.sql("""
            SELECT pg_snapshot_xmax(pg_current_snapshot()),
                   (SELECT sum(xact_rollback) FROM pg_stat_database), (SELECT sum(temp_files) FROM pg_stat_database),
                   (SELECT sum(deadlocks) FROM pg_stat_database), (SELECT sum(conflicts) FROM pg_stat_database),
                   (SELECT sum(tup_inserted + tup_updated + tup_deleted) FROM pg_stat_database),
                   pg_current_wal_insert_lsn() - '0/0'""").strip().split("|")
        names = ("next_xid", "rollbacks", "temp_files", "deadlocks", "conflicts", "rows_written", "wal_bytes")
        return dict(zip(names, map(int, values)))

    def end(self, postgres, agent):
        """A backend's last counts are in the statistics once it has ended."""
        agent.stop()
        wait_until(lambda: "midst-agent" not in postgres.sql("SELECT application_name FROM pg_stat_activity"),
                   "the agent's backends are gone")

    def check_leaves_no_trace(self, more=""):
        postgres = self.watched()
        postgres.sql("CHECKPOINT")
        before = self.facts(postgres)
        agent, page = self.scrape(postgres, more=more)
        self.end(postgres, agent)
        after = self.facts(postgres)
        self.assertEqual({name: after[name] - before[name] for name in before}, dict.fromkeys(before, 0))
        self.assertEqual(self.said(postgres, "ERROR|FATAL|WARNING|temporary file|still waiting|deadlock"), [])
        return postgres, page

    def check_connections(self, postgres):
        count = len(self.said(postgres, "connection authorized"))
        self.assertGreater(count, 0)
        self.assertLessEqual(count, MOST_CONNECTIONS)

    def test_default_collectors_leave_no_trace_but_held_connections(self):
        postgres, page = self.check_leaves_no_trace()
        self.check_connections(postgres)
        failed = [labels for (name, labels), value in page.items() if name == "pg_scrape_collector_success" and value != 1]
        self.assertEqual(failed, [])

    def test_a_plain_role_is_told_no_once(self):
        postgres = self.watched()
        before = self.facts(postgres)
        agent, page = self.scrape(postgres, user="watcher")
        self.end(postgres, agent)
        after = self.facts(postgres)
        errors = self.said(postgres, "ERROR|FATAL|WARNING")
        refused = [labels for (name, labels), value in page.items() if name == "pg_scrape_collector_success" and value != 1]
        self.assertEqual(len(errors), len(set(errors)), errors)
        self.assertEqual(len(errors), len(refused), errors)
        self.assertIn((("collector", "wal"),), refused)
        self.assertLessEqual(after["rollbacks"] - before["rollbacks"], len(errors))
        unchanged = [name for name in before if name != "rollbacks"]
        self.assertEqual({name: after[name] - before[name] for name in unchanged}, dict.fromkeys(unchanged, 0))
        self.check_connections(postgres)


if __name__ == "__main__":
    unittest.main()
