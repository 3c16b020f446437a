"""The two commands of the README: infra/up.sh ends with everything up and every request counted, infra/down.sh with
nothing left; both may be run twice."""
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from stack import BIN, ROOT


class UpAndDown(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "run"
        self.addCleanup(self.script, "down.sh")

    def script(self, name, *words):
        environment = {**os.environ, "MIDST_RUN_DIR": str(self.folder), "MIDST_BIN_DIR": str(BIN)}
        return subprocess.run([ROOT / "infra" / name, *words], capture_output=True, text=True, timeout=150,
                              env=environment, stdin=subprocess.DEVNULL)

    def started(self):
        return {line.split()[0]: int(line.split()[1]) for line in (self.folder / "pids").read_text().splitlines()}

    def test_up_shows_the_truth_twice_and_down_leaves_nothing(self):
        for _ in range(2):
            done = self.script("up.sh", "--no-build")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            rows = dict(re.findall(r"^  (\S+) +(\S+)$", done.stdout, re.MULTILINE))
            for up in ("redis_up", "pg_up", "pgbouncer_up"):
                self.assertEqual(rows[up], "1")
            sent = int(re.search(r"GETs of /v1/profiles/:id sent: (\d+)", done.stdout)[1])
            self.assertGreater(sent, 0)
            self.assertEqual(rows['http_requests_total{method="GET",route="/v1/profiles/:id",status="200"}'], str(sent))
        processes = self.started()
        self.assertEqual(set(processes), {"redis", "postgres", "pgbouncer", "midst-agent", "midst-api"})
        self.assertEqual(self.script("down.sh").returncode, 0)
        for name, pid in processes.items():
            self.assertFalse(Path(f"/proc/{pid}").exists(), f"{name} is still there")
        self.assertFalse(self.folder.exists())
        self.assertIn("nothing was started", self.script("down.sh").stdout)

    def test_up_says_plainly_what_failed_and_leaves_nothing_running(self):
        done = self.script("up.sh", "--no-such-option")
        self.assertEqual(done.returncode, 1)
        self.assertIn("unknown option --no-such-option", done.stderr)


if __name__ == "__main__":
    unittest.main()
