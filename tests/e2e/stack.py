"""Starts the real servers and programs on free loopback ports under a temporary folder, for the end-to-end tests."""
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("MIDST_BIN_DIR", ROOT / "build/dev/bin"))
PG_BIN = Path("/usr/lib/postgresql/15/bin")
# Debug builds under sanitizers are several times slower; nothing here measures speed.
PATIENCE_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    """Polls until the condition holds and returns its value; fails with `what` otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def get(url, headers=None, timeout=PATIENCE_SECONDS, data=None, method=None):
    """(status, headers, body); error answers are answers too."""
    request = urllib.request.Request(url, headers=headers or {}, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()


LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def samples(text):
    """{(series name, ((label, value), …)): number} of a text 0.0.4 page. Not prometheus_client's parser, which renames
    counters without _total; a line that is no sample, or a series that comes twice, is an error."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        labels = tuple(sorted((name, re.sub(r'\\[\\"n]', lambda escape: UNESCAPED[escape.group()], value))
                              for name, value in LABEL.findall(match[2] or "")))
        assert (match[1], labels) not in found, f"twice on the page: {line!r}"
        found[match[1], labels] = float(match[3])
    return found


def service_user():
    """Postgres and PgBouncer refuse to run as root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


class Server:
    """A process in a folder of its own that can be killed and started again on the same port and data."""

    def __init__(self, name, as_service_user=False):
        self.name, self.port, self.user = name, free_port(), service_user() if as_service_user else None
        self.folder = Path(tempfile.mkdtemp(prefix=f"midst-{name}-"))
        self.folder.chmod(0o755)
        self.environment, self.process = dict(os.environ), None
        self.give(self.folder)

    def give(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def command(self):
        raise NotImplementedError

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([str(part) for part in self.command()], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment, **identity)
        wait_until(lambda: self.answers() or self.process.poll() is not None, f"{self.name} answers")
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended at once: {self.log()}")
        return self

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    def __init__(self):
        super().__init__("redis")

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--dir", self.folder]

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], check=True, capture_output=True, text=True).stdout


class Postgres(Server):
    def __init__(self):
        super().__init__("postgres", as_service_user=True)
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        subprocess.run([PG_BIN / "initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                        "--locale=C.UTF-8", "--pgdata", self.folder / "data"], check=True, capture_output=True,
                       cwd=self.folder, **identity)

    def command(self):
        return [PG_BIN / "postgres", "-D", self.folder / "data", "-c", f"port={self.port}", "-c",
                "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off",
                "-c", "shared_buffers=16MB"]

    def answers(self):
        return subprocess.run([PG_BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def sql(self, statement, database="postgres"):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U",
                               "postgres", "-d", database, "-c", statement], check=True, capture_output=True, text=True).stdout

    def dsn(self, database="postgres"):
        return f"host=127.0.0.1 port={self.port} dbname={database} user=postgres"


class PgBouncer(Server):
    def __init__(self, postgres):
        super().__init__("pgbouncer", as_service_user=True)
        (self.folder / "users.txt").write_text('"postgres" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {self.folder}/users.txt\n"
            "admin_users = postgres\npool_mode = transaction\n")

    def command(self):
        return ["/usr/sbin/pgbouncer", self.folder / "pgbouncer.ini"]

    def dsn(self, database="pgbouncer"):
        return f"host=127.0.0.1 port={self.port} dbname={database} user=postgres"


class Agent(Server):
    """midst-agent with a configuration text; {folder} and {port} in it are filled in."""

    def __init__(self, config):
        super().__init__("midst-agent")
        self.config, self.push_socket = self.folder / "midst-agent.toml", self.folder / "push.sock"
        web = f'[web]\nlisten = ["127.0.0.1:{self.port}"]\n'
        self.config.write_text(web + config + f'\n[ingest]\nsocket = "{self.push_socket}"\n')

    def command(self):
        return [BIN / "midst-agent", "run", "--config", self.config]

    def url(self, path="/metrics"):
        return f"http://127.0.0.1:{self.port}{path}"

    def page(self, path="/metrics", scrape_timeout="10"):
        status, _, body = get(self.url(path), {"X-Prometheus-Scrape-Timeout-Seconds": scrape_timeout})
        assert status == 200, f"{path} answered {status}: {body[:500]}"
        return samples(body.decode())


class Api(Server):
    def __init__(self, push_socket, database_url=None, redis_url=None):
        super().__init__("midst-api")
        self.environment.update(API_LISTEN=f"127.0.0.1:{self.port}", MIDST_PUSH_SOCKET=str(push_socket))
        for name, value in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)):
            self.environment.pop(name, None)
            if value:
                self.environment[name] = value

    def command(self):
        return [BIN / "midst-api"]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


class Prometheus(Server):
    def __init__(self, target, features=()):
        super().__init__("prometheus")
        self.features = features
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: midst-agent\n"
            f"  static_configs: [{{targets: ['{target}']}}]\n")

    def command(self):
        return ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=debug",
                *(f"--enable-feature={feature}" for feature in self.features)]

    def answers(self):
        return super().answers() and get(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200

    def query(self, expression):
        status, _, body = get(f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.parse.quote(expression)}")
        assert status == 200, body
        return [(entry["metric"], float(entry["value"][1])) for entry in json.loads(body)["data"]["result"]]


class RedisExporter(Server):
    def __init__(self, redis):
        super().__init__("redis-exporter")
        self.redis = redis

    def command(self):
        return ["prometheus-redis-exporter", "-redis.addr", f"redis://127.0.0.1:{self.redis.port}",
                "-web.listen-address", f"127.0.0.1:{self.port}"]


class PostgresExporter(Server):
    def __init__(self, postgres, database="postgres"):
        super().__init__("postgres-exporter")
        self.environment["DATA_SOURCE_NAME"] = (
            f"postgresql://postgres@127.0.0.1:{postgres.port}/{database}?sslmode=disable")

    def command(self):
        return ["prometheus-postgres-exporter", f"--web.listen-address=127.0.0.1:{self.port}"]


class Stack:
    """Redis, Postgres, PgBouncer and an agent over them; with_api adds midst-api. A context manager."""

    def __init__(self, with_api=False, extra_config=""):
        self.servers = []
        try:
            self.redis = self.add(Redis()).start()
            self.postgres = self.add(Postgres()).start()
            self.pgbouncer = self.add(PgBouncer(self.postgres)).start()
            self.agent = self.add(Agent(f"""
[scrape]
min_interval = "0s"

[[redis]]
url = "redis://127.0.0.1:{self.redis.port}"

[[postgres]]
dsn = "{self.postgres.dsn()}"

[[pgbouncer]]
dsn = "{self.pgbouncer.dsn()}"
{extra_config}""")).start()
            if with_api:
                self.postgres.sql("CREATE DATABASE midst")
                self.api = self.add(Api(self.agent.push_socket,
                                        f"postgresql://postgres@127.0.0.1:{self.pgbouncer.port}/midst",
                                        f"redis://127.0.0.1:{self.redis.port}")).start()
        except BaseException:
            self.__exit__()
            raise

    def add(self, server):
        self.servers.append(server)
        return server

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()
