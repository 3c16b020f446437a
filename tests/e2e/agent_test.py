"""midst-agent as an operator meets it: commands, exit codes, messages, start and stop."""
import json
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from stack import BIN, Agent, Redis, free_port, get, wait_until

AGENT = BIN / "midst-agent"


def run(*words, **options):
    return subprocess.run([AGENT, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def config(self, text):
        path = self.folder / "agent.toml"
        path.write_text(text)
        return path

    def test_version_and_help(self):
        done = run("--version")
        self.assertEqual((done.returncode, done.stdout), (0, "midst-agent 0.1.0\n"))
        self.assertEqual(run("--help").returncode, 0)

    def test_usage_errors_exit_64(self):
        for words in (["--nonsense"], ["frobnicate"], ["collect", "--format", "xml"]):
            self.assertEqual(run(*words).returncode, 64, words)

    def test_check_reports_every_error_with_its_place(self):
        path = self.config('[web]\nlisteen = ["127.0.0.1:1"]\n\n[scrape]\ntimeout = "fast"\n\n[[redis]]\nurl = 6379\n')
        done = run("check", "--config", path)
        self.assertEqual(done.returncode, 78)
        self.assertEqual(done.stdout.splitlines(), [
            f"{path}:2:1: error: unknown key web.listeen; did you mean web.listen?",
            f'{path}:5:11: error: scrape.timeout: not a duration: "fast"; write it like "250ms", "9s" or "1m30s"',
            f"{path}:8:7: error: redis.url takes a string",
        ])

    def test_check_reports_a_syntax_error_with_its_place(self):
        path = self.config("[web\n")
        done = run("check", "--config", path)
        self.assertEqual(done.returncode, 78)
        self.assertTrue(done.stdout.startswith(f"{path}:1:5: error: "), done.stdout)

    def test_run_refuses_what_check_refuses(self):
        path = self.config("nonsense = 1\n")
        done = run("run", "--config", path)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{path}:1:1: error: unknown key nonsense", done.stderr)

    def test_a_missing_file_is_named(self):
        done = run("check", "--config", self.folder / "absent.toml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("absent.toml", done.stdout)

    def test_an_address_in_use_is_named(self):
        port = free_port()
        import socket
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            path = self.config(f'[web]\nlisten = ["127.0.0.1:{port}"]\n[ingest]\nsocket = "{self.folder}/push.sock"\n')
            done = run("run", "--config", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"127.0.0.1:{port}", done.stderr)
        self.assertIn("web.listen", done.stderr)


class OneShot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.config = cls.folder / "agent.toml"
        cls.config.write_text(f'[[redis]]\nname = "good"\nurl = "redis://127.0.0.1:{cls.redis.port}"\n'
                              f'[[redis]]\nname = "gone"\nurl = "redis://user:hunter2@127.0.0.1:{free_port()}"\n')

    def test_collect_prints_what_the_named_target_has(self):
        done = run("collect", "good", "--config", self.config)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('\nredis_up{target="good"} 1\n', done.stdout)
        self.assertNotIn("gone", done.stdout)

    def test_collect_fails_when_a_target_fails_and_still_prints_the_rest(self):
        done = run("collect", "--config", self.config)
        self.assertEqual(done.returncode, 1)
        self.assertIn('\nredis_up{target="good"} 1\n', done.stdout)
        self.assertIn('\nredis_up{target="gone"} 0\n', done.stdout)
        self.assertIn("connect_refused", done.stderr)

    def test_collect_speaks_openmetrics_and_json(self):
        done = run("collect", "good", "--config", self.config, "--format", "openmetrics")
        self.assertTrue(done.stdout.endswith("# EOF\n"))
        families = json.loads(run("collect", "good", "--config", self.config, "--format", "json").stdout)
        up = next(family for family in families if family["name"] == "redis_up")
        self.assertEqual(up["samples"], [{"labels": {"target": "good"}, "value": 1.0}])

    def test_an_unknown_target_is_a_usage_error(self):
        done = run("collect", "nobody", "--config", self.config)
        self.assertEqual(done.returncode, 64)
        self.assertIn('no target is called "nobody"', done.stderr)

    def test_check_connect_tells_which_target_fails_and_hides_the_password(self):
        done = run("check", "--connect", "--config", self.config)
        self.assertEqual(done.returncode, 1)
        lines = {line.split()[0]: line for line in done.stdout.splitlines()}
        self.assertIn(" up ", lines["redis.good"])
        self.assertIn("connect_refused", lines["redis.gone"])
        self.assertNotIn("hunter2", done.stdout + done.stderr)


class Daemon(unittest.TestCase):
    def start(self, config=""):
        agent = Agent(config)
        self.addCleanup(agent.stop)
        return agent.start()

    def test_serves_without_any_target(self):
        agent = self.start()
        self.assertEqual(agent.page()["midst_push_clients", (("state", "connected"),)], 0)
        self.assertEqual(get(agent.url("/-/healthy"))[0], 200)
        self.assertEqual(get(agent.url("/-/ready"))[0], 200)

    def test_sigterm_ends_it_with_status_0_and_removes_its_socket(self):
        agent = self.start()
        self.assertTrue(agent.push_socket.exists())
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertFalse(agent.push_socket.exists())

    def test_sigterm_lets_a_scrape_under_way_finish(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        redis.start()
        agent = self.start(f'[[redis]]\nurl = "redis://127.0.0.1:{redis.port}"\n')
        agent.page()
        redis.process.send_signal(signal.SIGSTOP)
        scrape = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                                   "X-Prometheus-Scrape-Timeout-Seconds: 2", agent.url()], stdout=subprocess.PIPE)
        wait_until(lambda: get(agent.url("/metrics/api"))[0] == 200, "the agent still answers others")
        time.sleep(0.3)  # curl has certainly sent its request by now; nothing is timed
        agent.process.send_signal(signal.SIGTERM)
        self.assertEqual(scrape.communicate(timeout=20)[0], b"200")
        self.assertEqual(agent.process.wait(20), 0)

    def test_a_killed_agent_leaves_a_socket_file_that_does_not_stop_the_next(self):
        agent = self.start()
        agent.kill()
        self.assertTrue(agent.push_socket.exists())
        agent.start()
        self.assertEqual(get(agent.url("/-/healthy"))[0], 200)

    def test_systemd_is_told_when_it_serves_and_when_it_stops(self):
        import socket
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(folder / "notify"))
            systemd.settimeout(20)
            agent = Agent("")
            self.addCleanup(agent.stop)
            agent.environment["NOTIFY_SOCKET"] = str(folder / "notify")
            agent.start()
            said = []
            while b"READY=1" not in (said or [b""])[-1]:
                said.append(systemd.recv(4096))
            self.assertIn(b"FDSTORE=1\nFDNAME=push", said)
            agent.process.send_signal(signal.SIGTERM)
            self.assertIn(b"STOPPING=1", systemd.recv(4096))
        self.assertEqual(agent.process.wait(20), 0)

    def test_secrets_stay_out_of_log_pages_and_arguments(self):
        port, canary = free_port(), "c4n4ry-s3cret"
        agent = self.start(f'[log]\nlevel = "debug"\n[[redis]]\nurl = "redis://user:{canary}@127.0.0.1:{port}"\n'
                           f'[[postgres]]\ndsn = "host=127.0.0.1 port={port} user=u password={canary}"\n'
                           f'[[pgbouncer]]\ndsn = "postgresql://u:{canary}@127.0.0.1:{port}/pgbouncer"\n')
        for path in ("/metrics", "/", "/api/v1/status"):
            self.assertNotIn(canary.encode(), get(agent.url(path))[2], path)
        self.assertNotIn(canary, agent.log())
        self.assertNotIn(canary.encode(), Path(f"/proc/{agent.process.pid}/cmdline").read_bytes())


if __name__ == "__main__":
    unittest.main()
