"""StatsD and DogStatsD clients as their makers ship them push to midst-agent over each transport they speak; every value
arrives as it was meant. Clients that this machine cannot have are skipped with the reason."""
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from peers import CACHE, Absent
from stack import ROOT, Agent, wait_until

CLIENTS = ROOT / "tests/e2e/statsd_clients"
DOWNLOAD_SECONDS, BUILD_SECONDS = 120, 300
HOT_SHOTS, UNIX_DGRAM, DATADOGPY, DATADOG_GO = "17.1.1", "2.0.7", "0.53.0", "v5.9.0"
DEBIAN_GO = Path("/usr/share/gocode/src/github.com/DataDog/datadog-go/statsd")


def run(words, seconds, folder, **environment):
    """Its output; Absent when it fails, as what fails here is the way to a client, not the client."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds, cwd=folder,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired as late:
        raise Absent(f"{words[0]} took more than {seconds} s") from late
    if done.returncode != 0:
        raise Absent(f"{' '.join(map(str, words[:3]))}: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout


def kept(name, make):
    """A folder of the cache, made once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / name
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = CACHE / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def print_of(source):
    """What differs when a program's source does."""
    return hashlib.sha256((CLIENTS / source).read_bytes()).hexdigest()[:12]


def need(program):
    found = shutil.which(program)
    if not found:
        raise Absent(f"there is no {program} on this machine")
    return found


def hot_shots():
    node, npm = need("node"), need("npm")

    def make(folder):
        run([npm, "install", "--no-audit", "--no-fund", f"--nodedir={Path(os.path.realpath(node)).parents[1]}",
             f"hot-shots@{HOT_SHOTS}", f"unix-dgram@{UNIX_DGRAM}"], DOWNLOAD_SECONDS, folder)
        if not list(folder.glob("node_modules/unix-dgram/build/Release/*.node")):
            raise Absent("unix-dgram was not built")

    return [node, CLIENTS / "hot_shots.js", kept(f"hot-shots-{HOT_SHOTS}", make)]


def datadogpy():
    def make(folder):
        run([sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, f"datadog=={DATADOGPY}"],
            DOWNLOAD_SECONDS, folder)

    wheel, = kept(f"datadogpy-{DATADOGPY}", make).glob("*.whl")
    return [sys.executable, "-W", "ignore", CLIENTS / "datadogpy.py", wheel]


def datadog_go_2():
    go = need("go")
    if not DEBIAN_GO.exists():
        raise Absent("golang-github-datadog-datadog-go-dev is not installed")

    def make(folder):
        shutil.copy(CLIENTS / "datadog2.go", folder / "main.go")
        run([go, "build", "-o", "client", "main.go"], BUILD_SECONDS, folder, GO111MODULE="off", GOPATH="/usr/share/gocode",
            GOCACHE=str(folder / "cache"), GOFLAGS="")
        shutil.rmtree(folder / "cache")

    return [kept(f"datadog-go-2-{print_of('datadog2.go')}", make) / "client"]


def datadog_go_5():
    go = need("go")

    def make(folder):
        shutil.copy(CLIENTS / "datadog5.go", folder / "main.go")
        (folder / "go.mod").write_text("module client\n\ngo 1.19\n")
        environment = {"GOMODCACHE": str(folder / "mod"), "GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod -modcacherw"}
        run([go, "get", f"github.com/DataDog/datadog-go/v5@{DATADOG_GO}"], DOWNLOAD_SECONDS, folder, **environment)
        run([go, "build", "-o", "client", "."], BUILD_SECONDS, folder, **environment)
        for left in ("mod", "cache"):
            shutil.rmtree(folder / left, ignore_errors=True)

    return [kept(f"datadog-go-{DATADOG_GO}-{print_of('datadog5.go')}", make) / "client"]


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = Agent('[scrape]\nmin_interval = "0s"\n[ingest.statsd]\nset_window = "3s"\nbuckets = [0.1, 1, 10]\n')
        cls.addClassCleanup(cls.agent.stop)
        cls.agent.start()
        cls.datagrams, cls.streams = cls.agent.folder / "dsd.sock", cls.agent.folder / "dsd-stream.sock"

    def send(self, command, *words):
        """Runs a client to its end. The words are its arguments."""
        try:
            command = command()
        except Absent as reason:
            self.skipTest(str(reason))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DD_")}
        done = subprocess.run([str(word) for word in [*command, *words]], capture_output=True, text=True, timeout=60,
                              env=environment)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-2000:])

    def expect(self, prefix, wanted):
        """Waits until the page has every value; wanted is {(series, labels): value}."""
        def found():
            page = self.agent.page()
            return {(name, labels): page.get((f"{prefix}_{name}", labels)) for name, labels in wanted}

        try:
            wait_until(lambda: found() == wanted, "all values", 5)
        except AssertionError:
            self.assertEqual(found(), wanted)

    def expect_set(self, name, count):
        """The window in which the members came shows them once it has ended, for three seconds."""
        wait_until(lambda: self.agent.page().get((name, ())) == count, f"{name} shows {count}", 10)

    def expect_client(self, client, transport, name="metrics"):
        labels = dict(client=client, client_transport=transport)
        total = sum(value for (series, has), value in self.agent.page().items()
                    if series == f"midst_push_client_{name}_total" and labels.items() <= dict(has).items())
        self.assertGreater(total, 0, f"{client} over {transport} reports its {name}")

    def hot_shots(self, protocol, path, transport):
        prefix = f"hot_{protocol}"
        events = self.event_count("success")
        malformed, negative = self.faults("malformed_value"), self.faults("negative_counter")
        self.send(hot_shots, protocol, path, prefix + ".")
        route = (("method", "GET"), ("route", "/a"))
        self.expect(prefix, {("requests_total", route): 100, ("bare_total", (("tag_blue", "true"),)): 3,
                             ("level", ()): -2, ("took_sum", ()): 0.25, ("took_bucket", (("le", "1"),)): 1,
                             ("took_bucket", (("le", "0.1"),)): 0, ("size_sum", ()): 7, ("size_count", ()): 1})
        self.assertEqual(self.agent.page()["midst_service_check", (("name", f"{prefix}.db"),)], 1)
        self.assertEqual(self.event_count("success") - events, 1)
        self.assertEqual(self.faults("malformed_value") - malformed, 1)
        self.assertEqual(self.faults("negative_counter") - negative, 1)
        self.expect_client("nodejs", transport)

    def event_count(self, alert_type):
        return self.agent.page()["midst_push_events_total", (("alert_type", alert_type),)]

    def faults(self, reason):
        return self.agent.page()["midst_push_line_errors_total", (("reason", reason),)]

    def test_hot_shots_by_datagrams(self):
        self.hot_shots("uds", self.datagrams, "uds")
        self.expect_set("hot_uds_users_unique", 2)

    def test_hot_shots_by_a_stream_of_lines(self):
        self.hot_shots("stream", self.streams, "stream")

    def test_python3_statsd_by_a_stream_of_lines(self):
        if not importlib.util.find_spec("statsd"):
            self.skipTest("python3-statsd is not installed")
        self.send(lambda: [sys.executable, CLIENTS / "python_statsd.py"], self.streams, "pystatsd")
        self.expect("pystatsd", {("requests_total", ()): 100, ("sampled_total", ()): 2, ("took_sum", ()): 0.25,
                                 ("took_count", ()): 1, ("level", ()): 3})
        self.expect_set("pystatsd_users_unique", 1)

    def datadogpy(self, address, transport):
        prefix, environment = f"ddpy_{transport.replace('-', '_')}", ("env", "test")
        errors = self.event_count("error")
        self.send(datadogpy, address, prefix)
        self.expect(prefix, {("requests_total", (environment, ("route", "/a"))): 100, ("level", (environment,)): 42.5,
                             ("size_sum", (environment, ("kind", "x"))): 7, ("spread_sum", (environment,)): 3,
                             ("took_sum", (environment,)): 0.25})
        self.assertEqual(self.agent.page()["midst_service_check", (("name", "db"),)], 2)
        self.assertEqual(self.event_count("error") - errors, 1)
        self.expect_client("py", transport)

    def test_datadogpy_by_datagrams(self):
        self.datadogpy(self.datagrams, "uds")

    def test_datadogpy_by_a_stream_of_frames(self):
        self.datadogpy(f"unixstream://{self.streams}", "uds-stream")

    def test_datadog_go_2_by_datagrams(self):
        self.send(datadog_go_2, self.datagrams, "ddgo2.")
        environment = ("env", "test")
        self.expect("ddgo2", {("requests_total", (environment, ("route", "/a"))): 100, ("level", (environment,)): 42.5,
                              ("took_sum", (environment,)): 0.25, ("size_sum", (environment,)): 7})

    def datadog_go_5(self, scheme, path):  # it reports of itself every ten seconds only
        prefix, environment = f"ddgo5_{scheme}", ("env", "test")
        self.send(datadog_go_5, f"{scheme}://{path}", prefix + ".")
        self.expect(prefix, {("requests_total", (environment, ("route", "/a"))): 100, ("level", (environment,)): 42.5,
                             ("took_sum", (environment,)): 0.25, ("size_sum", (environment,)): 7,
                             ("spread_sum", (environment,)): 150, ("spread_count", (environment,)): 100,
                             ("spread_bucket", (environment, ("le", "1"))): 50})

    def test_datadog_go_5_by_datagrams(self):
        self.datadog_go_5("unix", self.datagrams)

    def test_datadog_go_5_by_a_stream_of_frames(self):
        self.datadog_go_5("unixstream", self.streams)


if __name__ == "__main__":
    unittest.main()
