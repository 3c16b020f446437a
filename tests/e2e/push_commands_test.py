#!/usr/bin/env python3
"""midst-agent push clients, dump and top, and the control socket that they use."""
import json
import subprocess
import unittest

from stack import BIN, Agent


class PushCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = Agent("")
        cls.agent.start()
        cls.client = subprocess.Popen([BIN / "push_ledger", cls.agent.push_socket, cls.agent.folder / "ledger", "100", "1"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert cls.client.stdout.readline() == b"counting\n"

    @classmethod
    def tearDownClass(cls):
        cls.client.kill()
        cls.client.communicate()
        cls.agent.stop()

    def run_push(self, *words):
        return subprocess.run([BIN / "midst-agent", "push", *words, "--config", self.agent.config], capture_output=True, text=True, timeout=30)

    def test_clients_lists_who_is_connected(self):
        clients = json.loads(self.run_push("clients", "--json").stdout)
        self.assertEqual(len(clients), 1)
        self.assertEqual((clients[0]["pid"], clients[0]["connected"], clients[0]["shared_memory"]), (self.client.pid, True, True))
        self.assertEqual(len(clients[0]["instance"]), 32)
        head, row = self.run_push("clients").stdout.splitlines()
        self.assertEqual(head.split(), ["STATE", "PID", "UID", "SERIES", "SNAPSHOT", "SHARED", "LIBRARY", "RESOURCE"])
        self.assertEqual(row.split()[:2], ["connected", str(self.client.pid)])

    def test_dump_prints_what_was_pushed_and_nothing_of_others(self):
        text = self.run_push("dump").stdout
        self.assertIn('ledger_total{n="9"} ', text)
        self.assertIn("midst_push_samples_total ", text)
        self.assertNotIn("midst_agent_build_info", text)

    def test_top_shows_what_grows(self):
        done = self.run_push("top", "--interval", "1", "--rounds", "1")
        rows = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(rows[0], ["PER", "SECOND", "SERIES"])
        self.assertIn('ledger_total{n="0"}', [row[1] for row in rows[1:]])
        self.assertGreater(float(rows[1][0]), 0)

    def test_without_a_daemon_it_says_so_and_exits_69(self):
        config = self.agent.folder / "other.toml"
        config.write_text('[control]\nsocket = "/nonexistent/control.sock"\n')
        done = subprocess.run([BIN / "midst-agent", "push", "clients", "--config", config], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 69)
        self.assertEqual(done.stderr, "/nonexistent/control.sock: no daemon answers: No such file or directory\n")

    def test_the_control_socket_answers_what_the_web_side_does(self):
        done = subprocess.run(["curl", "-sS", "--unix-socket", self.agent.folder / "control.sock", "http://localhost/-/healthy"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "healthy\n")


if __name__ == "__main__":
    unittest.main()
