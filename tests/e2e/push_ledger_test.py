#!/usr/bin/env python3
"""Clients count under load and keep a ledger; the agent is killed a hundred times, clients are killed, fork, end, and find
the agent asleep. Every page in between only rises, and at rest it equals the ledger."""
import os
import random
import signal
import time
import unittest

from ledger import NAMES, Client, told
from stack import Agent, get, samples, wait_until

KILLS, CLIENTS = 100, 3


class Ledger(unittest.TestCase):
    def setUp(self):
        self.agent = Agent("[scrape]\nmin_interval = '0s'\n")
        self.ledger = self.agent.folder / "ledger"
        self.agent.start()
        self.clients = [Client(self.agent, self.ledger) for _ in range(CLIENTS)]
        self.shown = dict.fromkeys(NAMES, 0)

    def tearDown(self):
        for client in self.clients:
            client.process.kill()
            client.end()
        self.agent.stop()

    def told(self):
        return told(self.ledger)

    def look(self):
        """A page may only show more than the one before, and no more than was counted by now."""
        status, _, body = get(self.agent.url("/metrics/api"), {})
        self.assertEqual(status, 200)
        page = samples(body.decode())
        for name in NAMES:
            now = page.get(name, 0)
            self.assertGreaterEqual(now, self.shown[name], name)
            self.shown[name] = now
        return page

    def restart_agent(self):
        self.agent.kill()
        self.agent.start()

    def connected(self):
        return self.look()[("midst_push_clients", (("state", "connected"),))] == CLIENTS

    def disturb(self, number):
        # A client that is killed before the agent has heard of it takes with it what it has counted.
        wait_until(self.connected, "every client is connected")
        chosen = random.choice(self.clients)
        if number % 5 == 0:  # 20 clients are killed
            self.clients.remove(chosen)
            chosen.kill()
            self.clients.append(Client(self.agent, self.ledger))
        elif number % 7 == 0:
            chosen.tell("f", "forked")
        elif number % 11 == 0:  # and some end by themselves
            self.clients.remove(chosen)
            chosen.tell("q", "ended")
            chosen.end()
            self.clients.append(Client(self.agent, self.ledger))
        elif number % 13 == 0:  # an agent that does not read: sockets fill up, flushes are skipped
            self.agent.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            self.agent.process.send_signal(signal.SIGCONT)

    def test_nothing_is_lost_or_doubled(self):
        random.seed(os.environ.get("MIDST_SEED", "1"))
        for number in range(1, KILLS + 1):
            self.disturb(number)
            self.look()
            self.restart_agent()
            self.look()
            time.sleep(random.random() * 0.05)
            self.look()
        for client in self.clients:
            client.tell("p", "paused")
        told = self.told()
        wait_until(lambda: (self.look(), self.shown == told)[1], f"the page equals the ledger {told}", 10)
        page = self.look()
        self.assertEqual(page[("midst_push_dropped_total", (("reason", "counter_decrease"),))], 0)
        self.assertEqual(page[("midst_push_state_set_aside_total", ())], 0)
        self.assertGreater(told[("ledger_total", (("n", "0"),))], 1000 * KILLS)
        print(f"{told[('ledger_total', (('n', '0'),))]:,} of each counter over {KILLS} kills of the agent and {KILLS // 5} of clients", flush=True)


if __name__ == "__main__":
    unittest.main()
