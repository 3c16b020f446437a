#!/usr/bin/env python3
"""A changed configuration is taken over by a running agent, or not at all."""
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from ledger import NAMES, Client, told
from stack import Agent, Redis, free_port, get, samples, wait_until

RELOADS = 1000
FRESH = '[scrape]\nmin_interval = "0s"\n'  # no two scrapes share a collection


class Reload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)

    def start(self, config="", web="lifecycle = true\n"):
        agent = Agent("")
        agent.configure(config, web)
        self.addCleanup(agent.stop)
        return agent.start()

    def target(self, name="main", more=""):
        return f'[[redis]]\nname = "{name}"\nurl = "{self.redis.url}"\nlabel = "always"\n{more}'

    def reload(self, agent):
        return get(agent.url("/-/reload"), method="POST", data=b"")

    def up(self, agent):
        return {dict(labels)["target"]: value for (name, labels), value in agent.page().items() if name == "redis_up"}

    def test_a_signal_takes_targets_in_and_out(self):
        agent = self.start(FRESH + self.target("a"))
        self.assertEqual(self.up(agent), {"a": 1})
        agent.configure(FRESH + self.target("b") + self.target("c"))
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in agent.log(), "a line in the log")
        self.assertEqual(self.up(agent), {"b": 1, "c": 1})
        self.assertIn('outcome="2 targets: 0 as before, 2 new or changed"', agent.log())
        self.assertEqual(agent.page()["midst_agent_config_reloads_total", (("outcome", "success"),)], 1)

    def test_a_target_that_has_not_changed_keeps_its_connection_and_its_counts(self):
        agent = self.start(self.target("kept") + self.target("changed"))
        agent.page()
        connected = int(self.redis.info("stats")["total_connections_received"])
        agent.configure(self.target("kept") + self.target("changed", "profile = \"vitals\"\n"), "lifecycle = true\n")
        self.assertEqual(self.reload(agent)[2], b"reloaded: 2 targets: 1 as before, 1 new or changed\n")
        time.sleep(1.1)  # scrapes closer than that share a collection
        page = agent.page()
        # One for the changed target, one for the redis-cli that asks.
        self.assertEqual(int(self.redis.info("stats")["total_connections_received"]), connected + 2)
        for name in ("kept", "changed"):
            self.assertEqual(page["midst_agent_collects_total", (("kind", "redis"), ("target", name))], 2)

    def test_a_mistake_changes_nothing_and_is_told_with_its_place(self):
        agent = self.start(FRESH + self.target("a"))
        agent.configure(self.target("b") + "nonsense = 1\n", "lifecycle = true\nprobee = true\n")
        status, _, body = self.reload(agent)
        self.assertEqual(status, 400)
        self.assertEqual(body.decode().splitlines(), [
            f"{agent.config}:4:1: error: unknown key web.probee; did you mean web.probe?",
            f"{agent.config}:9:1: error: unknown key redis.nonsense"])
        self.assertEqual(self.up(agent), {"a": 1})
        page = agent.page()
        self.assertEqual(page["midst_agent_config_last_reload_successful", ()], 0)
        self.assertEqual(page["midst_agent_config_reloads_total", (("outcome", "failure"),)], 1)
        self.assertIn("configuration not reloaded; the old one stays", agent.log())
        done = agent.run("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the last reload failed:\n" + body.decode(), done.stdout)
        agent.configure(FRESH + self.target("b"), "lifecycle = true\n")
        self.assertEqual(self.reload(agent)[0], 200)
        self.assertEqual(agent.page()["midst_agent_config_last_reload_successful", ()], 1)

    def test_listeners_come_and_go_and_one_that_cannot_be_opened_changes_nothing(self):
        agent = self.start(self.target())
        more, taken = free_port(), socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        view = '[[web.listener]]\nlisten = "127.0.0.1:%d"\nview = "redis"\n'
        agent.configure(view % more + view % taken.getsockname()[1] + self.target(), "lifecycle = true\n")
        status, _, body = self.reload(agent)
        self.assertEqual(status, 400)
        self.assertIn(b"web.listener.listen", body)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", more)), 0, "the good one of a bad pair is not open")
        agent.configure(view % more + self.target(), "lifecycle = true\n")
        self.assertEqual(self.reload(agent)[0], 200)
        page = get(f"http://127.0.0.1:{more}/metrics")[2]
        self.assertIn(b"redis_up", page)
        self.assertNotIn(b"midst_agent_build_info", page)
        agent.configure(self.target(), "lifecycle = true\n")
        self.assertEqual(self.reload(agent)[0], 200)
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", more)), 0)

    def test_a_listener_takes_the_place_of_one_that_stands_in_its_way(self):
        agent = self.start(self.target())
        text = agent.config.read_text()
        agent.config.write_text(text.replace(f'"127.0.0.1:{agent.port}"', f'":{agent.port}"'))
        self.assertEqual(self.reload(agent)[0], 200)
        self.assertEqual(get(agent.url("/-/ready"))[0], 200)
        with socket.create_connection(("::1", agent.port)):
            pass

    def test_what_waits_for_a_restart_is_said(self):
        agent = self.start(self.target())
        agent.config.write_text(agent.config.read_text().replace("[ingest]\n", "[ingest]\nmax_series = 5\n"))
        self.assertEqual(self.reload(agent)[2],
                         b"reloaded: 1 target: 1 as before, 0 new or changed; ingest.max_series waits for a restart\n")
        self.assertEqual(agent.page()["midst_agent_config_restart_pending", ()], 1)

    def test_rules_for_pushed_lines_are_taken_over(self):
        agent = self.start()
        rule = '[[ingest.statsd.mapping]]\nmatch = "jobs.*"\nname = "jobs"\n[ingest.statsd.mapping.labels]\nkind = "$1"\n'

        def send(line):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.sendto(line, str(agent.folder / "dsd.sock"))

        send(b"jobs.a:1|c")
        wait_until(lambda: agent.page().get(("jobs_a_total", ())) == 1, "the first line")
        agent.config.write_text(agent.config.read_text() + rule)
        self.assertEqual(self.reload(agent)[0], 200)
        send(b"jobs.a:1|c")
        wait_until(lambda: agent.page().get(("jobs_total", (("kind", "a"),))) == 1, "the second line, by the rule")
        self.assertEqual(agent.page()["jobs_a_total", ()], 1)

    def test_the_command_reloads_or_prints_why_not(self):
        agent = self.start(self.target("a"), web="")
        agent.configure(self.target("b"))
        done = agent.run("reload")
        self.assertEqual((done.returncode, done.stdout), (0, "1 target: 0 as before, 1 new or changed\n"))
        # The command reads the file too, for the socket: the daemon is asked on the socket of a good one.
        good = agent.folder / "good.toml"
        good.write_text(agent.config.read_text())
        agent.config.write_text("[web\n")
        done = subprocess.run([agent.command()[0], "reload", "--config", good], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith(f"{agent.config}:1:5: error: "), done.stderr)

    def test_signals_that_come_together_are_one_reload_and_none_is_lost(self):
        agent = self.start(self.target("a"))
        agent.configure(self.target("b"))
        for _ in range(200):
            agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.up(agent) == {"b": 1}, "the last word is taken")
        self.assertLessEqual(agent.page()["midst_agent_config_reloads_total", (("outcome", "success"),)], 200)

    def test_a_thousand_reloads_under_load_cost_no_scrape_no_count_and_no_memory(self):
        good = self.target("a") + self.target("b")
        agent = Agent(FRESH + good)
        agent.configure(FRESH + good, "lifecycle = true\n")
        # AddressSanitizer keeps freed memory for a while; that is no growth.
        agent.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        self.addCleanup(agent.stop)
        agent.start()
        ledger = agent.folder / "ledger"
        client = Client(agent, ledger)
        self.addCleanup(client.end)
        self.addCleanup(client.process.kill)
        failures, scrapes, is_over = [], [0], threading.Event()

        def scrape():
            while not is_over.is_set():
                status, _, body = get(agent.url())
                scrapes[0] += 1
                if status != 200 or b"redis_up" not in body:
                    failures.append((status, body[:200]))

        scraping = threading.Thread(target=scrape)
        scraping.start()
        size = []
        try:
            for number in range(RELOADS):
                bad = "nonsense = 1\n" if number % 2 else ""
                changing = self.target("c", f"client_name = \"c{number}\"\n") if number % 4 else ""
                agent.configure(FRESH + good + changing + bad, "lifecycle = true\n")
                self.assertEqual(self.reload(agent)[0], 400 if bad else 200)
                if number in (RELOADS // 5, RELOADS - 1):
                    page = agent.page()
                    size.append((page["process_resident_memory_bytes", ()], page["process_open_fds", ()]))
        finally:
            is_over.set()
            scraping.join()
        self.assertEqual(failures, [])
        self.assertGreater(scrapes[0], 20)
        client.tell("p", "paused")
        wait_until(lambda: {name: agent.page().get(name) for name in NAMES} == told(ledger), "the ledger")
        self.assertLess(size[1][0] - size[0][0], 8 * 2 ** 20, "resident memory")
        self.assertLess(size[1][1] - size[0][1], 5, "descriptors")


if __name__ == "__main__":
    unittest.main()
