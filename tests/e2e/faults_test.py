"""Truth under failure: what a 1 s scrape loop sees while each target is killed, hangs and comes back."""
import os
import signal
import time
import unittest

from stack import Stack, get, samples, wait_until

SCRAPE_INTERVAL_SECONDS = 1.0
SCRAPE_TIMEOUT_SECONDS = 2.0

UP = {"redis": ("redis_up", ()), "postgres": ("pg_up", ()), "pgbouncer": ("pgbouncer_up", ())}
# One family of each source that is there only when the source was really collected.
EVIDENCE = {"redis": "redis_connected_clients", "postgres": "pg_stat_database_numbackends",
            "pgbouncer": "pgbouncer_pools_server_idle_connections", "api": "http_requests_total"}


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(with_api=True))
        cls.next_scrape = time.monotonic()
        get(cls.stack.api.url("/health"))
        wait_until(lambda: cls.names(cls.stack.agent.page()) >= set(EVIDENCE.values()), "every source on the page")

    @staticmethod
    def names(page):
        return {name for name, _ in page}

    def scrape(self):
        """The next scrape of the loop: answers 200 within its deadline, whatever happens elsewhere."""
        time.sleep(max(0.0, self.next_scrape - time.monotonic()))
        type(self).next_scrape = max(self.next_scrape + SCRAPE_INTERVAL_SECONDS, time.monotonic())
        began = time.monotonic()
        status, _, body = get(self.stack.agent.url(),
                              {"X-Prometheus-Scrape-Timeout-Seconds": str(SCRAPE_TIMEOUT_SECONDS)})
        self.assertEqual(status, 200)
        self.assertLess(time.monotonic() - began, SCRAPE_TIMEOUT_SECONDS)
        return samples(body.decode())

    def assert_complete_but_for(self, page, victims):
        for kind, family in EVIDENCE.items():
            if kind not in victims:
                self.assertIn(family, self.names(page), f"{kind} lost its data because of {victims}")
            if kind in UP:
                self.assertEqual(page[UP[kind]], 0 if kind in victims else 1, f"{UP[kind][0]} while down: {victims}")
                self.assertEqual(page["midst_agent_target_up", (("kind", kind), ("target", "main"))],
                                 0 if kind in victims else 1)

    def scrape_until_back(self):
        """It comes back by itself; until then every scrape is still answered in time."""
        end = time.monotonic() + 20
        while True:
            page = self.scrape()
            if all(page[series] == 1 for series in UP.values()):
                self.assert_complete_but_for(page, ())
                return
            self.assertLess(time.monotonic(), end, "did not come back by itself")

    def kill_and_recover(self, server, victims):
        self.scrape_until_back()
        server.kill()
        for _ in range(3):
            self.assert_complete_but_for(self.scrape(), victims)
        server.start()
        self.scrape_until_back()

    def test_killed_redis_is_down_at_the_next_scrape_and_comes_back(self):
        self.kill_and_recover(self.stack.redis, {"redis"})

    def test_killed_postgres_is_down_at_the_next_scrape_and_comes_back(self):
        self.kill_and_recover(self.stack.postgres, {"postgres"})

    def test_killed_pgbouncer_is_down_at_the_next_scrape_and_comes_back(self):
        self.kill_and_recover(self.stack.pgbouncer, {"pgbouncer"})

    def test_a_hung_target_costs_the_others_nothing(self):
        for server, kind in ((self.stack.redis, "redis"), (self.stack.postgres, "postgres"),
                             (self.stack.pgbouncer, "pgbouncer")):
            self.scrape_until_back()
            # A stopped postmaster still serves through the backend it has forked; stop that one.
            pid = server.process.pid
            if kind == "postgres":
                pid = int(self.stack.postgres.sql(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'midst-agent' LIMIT 1"))
            os.kill(pid, signal.SIGSTOP)
            try:
                page = self.scrape()
                self.assert_complete_but_for(page, {kind})
            finally:
                os.kill(pid, signal.SIGCONT)
        self.scrape_until_back()

    def test_all_targets_killed_at_once_still_answers(self):
        self.scrape_until_back()
        servers = (self.stack.redis, self.stack.pgbouncer, self.stack.postgres)
        for server in servers:
            server.kill()
        self.assert_complete_but_for(self.scrape(), set(UP))
        for server in reversed(servers):
            server.start()
        self.scrape_until_back()

    def test_killed_api_leaves_its_totals_and_comes_back(self):
        api, series = self.stack.api, ("http_requests_total", (("method", "GET"), ("route", "/health"), ("status", "200")))
        get(api.url("/health"))
        wait_until(lambda: self.stack.agent.page().get(("midst_push_clients", (("state", "connected"),))) == 1, "one client")
        before = self.settled(series)
        api.kill()
        page = self.scrape()
        self.assertEqual(page["midst_push_clients", (("state", "connected"),)], 0)
        self.assertEqual(page[series], before, "a counter fell or jumped because its client died")
        self.assert_complete_but_for(page, ())
        api.start()
        for _ in range(5):
            self.assertEqual(get(api.url("/health"))[0], 200)
        wait_until(lambda: self.stack.agent.page()[series] == before + 5, f"{series} reaches {before + 5}")
        self.assertEqual(self.scrape()["midst_push_clients", (("state", "connected"),)], 1)

    def settled(self, series):
        """The value once two flushes have passed without a change."""
        value, since = None, time.monotonic()
        while time.monotonic() - since < 2.5:
            now = self.stack.agent.page().get(series)
            if now != value:
                value, since = now, time.monotonic()
            time.sleep(0.1)
        return value

    def test_a_restarted_agent_shows_what_clients_counted_meanwhile(self):
        api, series = self.stack.api, ("http_requests_total", (("method", "GET"), ("route", "/health"), ("status", "200")))
        before = self.settled(series) or 0
        for _ in range(3):
            self.assertEqual(get(api.url("/health"))[0], 200)
        wait_until(lambda: self.stack.agent.page().get(series) == before + 3, f"{series} reaches 3 more")
        self.stack.agent.kill()
        for _ in range(7):
            self.assertEqual(get(api.url("/health"))[0], 200)
        self.stack.agent.start()
        wait_until(lambda: self.stack.agent.page().get(series) == before + 10, f"{series} reaches 10 more")
        self.scrape_until_back()


if __name__ == "__main__":
    unittest.main()
