#!/usr/bin/env python3
"""What an operator has at hand: status, health, bundle, config, manual; and that none of it tells a secret."""
import json
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
from pathlib import Path

from stack import BIN, ROOT, Agent, Redis, free_port, wait_until

AGENT = BIN / "midst-agent"
CANARY = "c4n4ry-s3cret"


class Operator(unittest.TestCase):
    def setUp(self):
        self.redis = Redis().start()
        self.addCleanup(self.redis.stop)
        self.dead = free_port()
        self.agent = Agent(f'[[redis]]\nurl = "{self.redis.url}"\n'
                           f'[[postgres]]\ndsn = "host=127.0.0.1 port={self.dead} user=u password={CANARY} dbname=d"\n')
        self.addCleanup(self.agent.stop)

    def test_status_tells_of_every_target_in_words_and_as_json(self):
        self.agent.start()
        self.agent.page()
        done = self.agent.run("status")
        self.assertEqual(done.returncode, 1, "a target is down")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^midst-agent 0\.1\.0, up \d+s, ready$")
        self.assertRegex(lines[1], r"^configuration of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
        self.assertRegex(lines[2], r"^\d+ series on the page; 0 push clients with 0 series$")
        self.assertEqual(lines[4].split(), ["TARGET", "STATE", "SINCE", "LAST", "OK", "TOOK", "SAMPLES", "ADDRESS"])
        self.assertRegex(lines[5], rf"^redis\.main +up +\d+s +\d+s +[\d.]+ ms +\d+  {re.escape(self.redis.url)}/0$")
        self.assertRegex(lines[6], rf"^postgres\.main +down +\d+s +- +[\d.]+ ms +\d+  host=127\.0\.0\.1 port={self.dead}")
        self.assertRegex(lines[7], r"^  connect_refused: .+")
        document = json.loads(self.agent.run("status", "--json").stdout)
        self.assertEqual({target["kind"]: target["state"] for target in document["targets"] if target["target"]},
                         {"redis": "up", "postgres": "down"})
        self.assertEqual(document["configuration"]["error"], None)

    def test_status_as_json_is_what_its_schema_says(self):
        schema = json.loads((ROOT / "docs/status.schema.json").read_text())
        self.agent.start()
        self.agent.page()
        self.conform(json.loads(self.agent.run("status", "--json").stdout), schema, "status")

    def conform(self, value, schema, where):
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
                 "number": (int, float), "integer": int}
        wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        self.assertTrue(any(isinstance(value, kinds[kind]) for kind in wanted), f"{where}: {value!r} is no {wanted}")
        if "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        if isinstance(value, dict):
            self.assertEqual(set(value), set(schema["properties"]), where)
            for key, below in value.items():
                self.conform(below, schema["properties"][key], f"{where}.{key}")
        if isinstance(value, list):
            for item in value:
                self.conform(item, schema["items"], where + "[]")

    def test_status_waits_until_all_is_well(self):
        self.agent.configure(f'[[redis]]\nurl = "{self.redis.url}"\n')
        asking = []
        thread = threading.Thread(target=lambda: asking.append(self.agent.run("status", "--wait", "30s")))
        thread.start()
        time.sleep(0.3)  # it has found nobody by now; nothing is timed
        self.agent.start()
        thread.join()
        self.assertEqual(asking[0].returncode, 0, asking[0].stderr)

    def test_health_is_about_the_agent_alone(self):
        self.agent.start()
        self.agent.page()
        done = self.agent.run("health")
        self.assertEqual((done.returncode, done.stdout), (0, "ready\n"))
        self.agent.kill()
        done = self.agent.run("health")
        self.assertEqual(done.returncode, 69)
        self.assertIn("no daemon answers", done.stderr)

    def test_the_bundle_has_what_helps_and_no_secret(self):
        self.agent.environment["REDIS_PASSWORD"] = CANARY
        self.agent.start()
        self.agent.page()
        archive = self.agent.folder / "b.tgz"
        done = self.agent.run("bundle", "-o", archive)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(archive.stat().st_mode & 0o777, 0o600)
        with tarfile.open(archive) as content:
            files = {Path(each.name).name: content.extractfile(each).read() for each in content.getmembers()}
        self.assertEqual(set(files), {"version.txt", "problems.txt", "config.toml", "status.json", "push_clients.json",
                                      "metrics_1.txt", "metrics_2.txt", "log.txt", "unit.txt"})
        self.assertIn(b"redis_up 1", files["metrics_2.txt"])
        self.assertIn(b"[[postgres]]", files["config.toml"])
        for name, text in files.items():
            self.assertNotIn(CANARY.encode(), text, name)

    def test_the_effective_configuration_joins_files_variables_and_defaults(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "conf.d").mkdir()
        (folder / "a.toml").write_text('[scrape]\ntimeout = "5s"\n[[redis]]\nurl = "redis://u:%s@h:1/2"\n' % CANARY)
        (folder / "conf.d/b.toml").write_text('[[redis]]\nname = "b"\npassword = "%s"\n' % CANARY)
        done = subprocess.run([AGENT, "config", "effective", "--config", folder / "a.toml"], capture_output=True, text=True,
                              timeout=60, env={"MIDST_AGENT_LOG_LEVEL": "debug", "DATA_SOURCE_NAME": f"host=x password={CANARY}"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(CANARY, done.stdout)
        for wanted in ("timeout = '5s'\nmin_interval = \"1s\"  # default", "level = 'debug'\n",
                       "[[redis]]\nurl = 'redis://h:1/2'\n", "[[redis]]\nname = 'b'\npassword = \"(secret)\"\n",
                       "[[postgres]]  # of a variable\nname = \"main\"\ndsn = \"host=x"):
            self.assertIn(wanted, done.stdout)

    def test_the_example_is_the_shipped_file_and_good(self):
        done = subprocess.run([AGENT, "config", "example"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, (ROOT / "configs/midst-agent.toml").read_text())

    def test_the_manual_and_the_completions_are_well_formed(self):
        def page(name):
            return subprocess.run([AGENT, "manual", name], capture_output=True, text=True, timeout=60, check=True).stdout

        for name in ("man1", "man5"):
            if shutil.which("groff"):
                done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page(name), capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ""), name)
        commands = re.findall(r"^  (\w+)", subprocess.run([AGENT, "--help"], capture_output=True, text=True, timeout=60)
                              .stdout.split("Subcommands:")[1], re.M)
        self.assertGreater(len(commands), 8)
        self.assertNotIn("manual", commands)
        for command in commands:
            for name in ("man1", "bash", "zsh", "fish"):
                self.assertIn(command, page(name), f"{name} knows {command}")
        for key in re.findall(r"^(?:# )?([a-z_0-9]+) = ", (ROOT / "configs/midst-agent.toml").read_text(), re.M):
            self.assertIn(key, page("man5"))
        script = page("bash") + 'COMP_WORDS=(midst-agent push cl); COMP_CWORD=2; _midst_agent; echo "${COMPREPLY[@]}"\n'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(done.stdout, "clients\n")


class Watchdog(unittest.TestCase):
    def test_systemd_hears_of_the_loop_of_a_reload_and_of_the_state(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        agent = Agent(f'[[redis]]\nurl = "redis://127.0.0.1:{free_port()}"\n')
        self.addCleanup(agent.stop)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(folder / "notify"))
            systemd.settimeout(20)
            agent.environment.update(NOTIFY_SOCKET=str(folder / "notify"), WATCHDOG_USEC="600000")

            def hear(wanted):
                while wanted not in (message := systemd.recv(4096)):
                    pass
                return message

            agent.start()
            hear(b"READY=1")
            for _ in range(3):
                hear(b"WATCHDOG=1")
            agent.page()
            hear(b"down: connect_refused")
            agent.configure("")
            agent.process.send_signal(1)
            reloading = hear(b"RELOADING=1")
            self.assertRegex(reloading, rb"MONOTONIC_USEC=\d+")
            self.assertIn(b"STATUS=reloaded: 0 targets", hear(b"READY=1"))
            agent.configure("nonsense = 1")
            agent.process.send_signal(1)
            hear(b"RELOADING=1")
            self.assertIn(b"STATUS=the old configuration stays: ", hear(b"READY=1"))
        self.assertIsNone(agent.process.poll())


if __name__ == "__main__":
    unittest.main()
