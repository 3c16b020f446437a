"""Starts the real servers and programs on free loopback ports under a temporary folder, for the end-to-end tests."""
import json
import os
import pwd
import random
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
    """Below the range of which the kernel takes the ports of clients."""
    while True:
        port = random.randint(10240, 22000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


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


class Tls:
    """A certificate authority with a server's and a client's certificate, in a folder of its own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="midst-tls-"))
        self.folder.chmod(0o755)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=midst test authority", "-keyout", "ca.key", "-out", "ca.crt")
        self.sign("server", "subjectAltName=DNS:redis.test,IP:127.0.0.1")
        self.sign("client", "extendedKeyUsage=clientAuth")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

    def sign(self, name, extension):
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def path(self, name):
        return self.folder / name

    def stop(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    """redis-server with options as on its command line: Redis("--maxclients", 10). With `tls` it speaks nothing else
    and wants a client's certificate."""

    def __init__(self, *options, name="redis", tls=None):
        super().__init__(name)
        self.options, self.tls = options, tls

    def command(self):
        listen = ("--port", self.port)
        if self.tls:
            listen = ("--port", 0, "--tls-port", self.port, "--tls-auth-clients", "yes", "--tls-replication", "yes",
                      "--tls-ca-cert-file", self.tls.path("ca.crt"), "--tls-cert-file", self.tls.path("server.crt"),
                      "--tls-key-file", self.tls.path("server.key"))
        return ["redis-server", "--bind", "127.0.0.1", *listen, "--save", "", "--dir", self.folder, *self.options]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'rediss' if self.tls else 'redis'}://{self.address}"

    def cli(self, *words, stdin=None):
        tls = ["--tls", "--cacert", self.tls.path("ca.crt"), "--cert", self.tls.path("client.crt"), "--key",
               self.tls.path("client.key")] if self.tls else []
        return subprocess.run(["redis-cli", "-p", str(self.port), *tls, *map(str, words)], check=True,
                              capture_output=True, text=True, input=stdin).stdout

    def feed(self, text):
        """One command a line, on one connection."""
        return self.cli(stdin=text)

    def info(self, *sections):
        """{field: value} of INFO."""
        lines = self.cli("INFO", *sections).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


class Replica(Redis):
    def __init__(self, master, *options):
        super().__init__("--replicaof", f"127.0.0.1 {master.port}", *options, name="redis-replica")

    def start(self):
        super().start()
        wait_until(lambda: self.info("replication").get("master_link_status") == "up", "the replica is in step")
        return self


class Sentinel(Redis):
    """A sentinel over one master called "main"; several of the same master find each other by themselves."""

    def __init__(self, master, quorum=1):
        super().__init__(name="sentinel")
        self.file = self.folder / "sentinel.conf"
        self.file.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
                             f"sentinel monitor main 127.0.0.1 {master.port} {quorum}\n"
                             "sentinel down-after-milliseconds main 5000\nsentinel failover-timeout main 60000\n")

    def command(self):
        return ["redis-server", self.file, "--sentinel"]


class Cluster:
    """Three masters with a replica each; `masters` and `replicas` in the order of their slots."""

    SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))

    def __init__(self, *options):
        # The bus is given a port because the default, the port + 10000, may not exist.
        self.nodes = [Redis("--cluster-enabled", "yes", "--cluster-port", free_port(), "--cluster-node-timeout", 5000,
                            "--repl-diskless-sync-delay", 0, *options, name="redis-cluster") for _ in range(6)]
        self.masters, self.replicas = self.nodes[:3], self.nodes[3:]

    def start(self):
        for node in self.nodes:
            node.start()
        for epoch, node in enumerate(self.nodes, 1):  # only a node that knows no other takes an epoch
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for master, slots in zip(self.masters, self.SLOTS):
            master.cli("CLUSTER", "ADDSLOTSRANGE", *slots)
        for node in self.nodes[1:]:
            self.nodes[0].cli("CLUSTER", "MEET", "127.0.0.1", node.port, node.options[3])
        for master, replica in zip(self.masters, self.replicas):
            identity = master.cli("CLUSTER", "MYID").strip()
            wait_until(lambda: identity in replica.cli("CLUSTER", "NODES"), "the replica knows its master")
            wait_until(lambda: replica.cli("CLUSTER", "REPLICATE", identity).strip() == "OK", "it replicates")
        wait_until(lambda: all("cluster_state:ok" in node.cli("CLUSTER", "INFO") and
                               node.cli("CLUSTER", "NODES").count("slave") == 3 for node in self.nodes), "the cluster stands")
        wait_until(lambda: all(node.info("replication").get("master_link_status") == "up" for node in self.replicas),
                   "the replicas are in step")
        return self

    def stop(self):
        for node in self.nodes:
            node.stop()


class SqlServer(Server):
    """What Postgres and PgBouncer have in common: clients that trust."""

    DATABASE = "postgres"

    def __init__(self, name):
        super().__init__(name, as_service_user=True)

    def psql(self, database=None, user="postgres"):
        """The words of a psql that is asked for bare values and stops at the first error."""
        return ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", user,
                "-d", database or self.DATABASE]

    def sql(self, statement, database=None, user="postgres"):
        return subprocess.run([*self.psql(database, user), "-c", statement], check=True, capture_output=True, text=True).stdout

    def dsn(self, database=None, user="postgres"):
        return f"host=127.0.0.1 port={self.port} dbname={database or self.DATABASE} user={user}"


class Postgres(SqlServer):
    """A primary with settings as in its configuration: Postgres("wal_level=logical", "max_connections=20")."""

    def __init__(self, *settings, name="postgres"):
        super().__init__(name)
        self.settings = ("fsync=off", "shared_buffers=16MB", *settings)
        self.make_data()

    def make_data(self):
        self.run_tool("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8",
                      "--pgdata", self.folder / "data")

    def run_tool(self, tool, *words):
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        subprocess.run([PG_BIN / tool, *map(str, words)], check=True, capture_output=True, cwd=self.folder, **identity)

    def command(self):
        fixed = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        return [PG_BIN / "postgres", "-D", self.folder / "data",
                *(word for setting in (*fixed, *self.settings) for word in ("-c", setting))]

    def answers(self):
        return subprocess.run([PG_BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0


class Standby(Postgres):
    """A streaming standby of a running primary, over a slot of its own; `slot` "" is for none."""

    def __init__(self, primary, *settings, slot="standby"):
        self.primary, self.slot = primary, slot
        super().__init__(*settings, name="postgres-standby")

    def make_data(self):
        slot = ("--create-slot", "--slot", self.slot) if self.slot else ()
        self.run_tool("pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf", *slot, "--dbname",
                      f"{self.primary.dsn()} application_name={self.name}", "--pgdata", self.folder / "data")

    def start(self):
        super().start()
        wait_until(lambda: self.sql("SELECT status FROM pg_stat_wal_receiver").strip() == "streaming", "the standby streams")
        return self


class Session:
    """A psql that stays connected, for transactions that are left open; `name` is its application_name."""

    def __init__(self, postgres, database="postgres", user="postgres", name="session"):
        self.process = subprocess.Popen(postgres.psql(database, user), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env={**os.environ, "PGAPPNAME": name})

    def send(self, statement, then=""):
        self.process.stdin.write(f"{statement};\n{then}")
        self.process.stdin.flush()

    def run(self, statement):
        """Sends and waits until it is done; returns what it printed."""
        self.send(statement, then="\\echo done\n")
        lines = []
        while (line := self.process.stdout.readline()) != "done\n":
            lines.append(line)
            assert line, f"psql ended: {''.join(lines)}"
        return "".join(lines)

    def stop(self):
        self.process.kill()
        self.process.communicate()


class PgBouncer(SqlServer):
    DATABASE = "pgbouncer"  # the admin console

    def __init__(self, postgres):
        super().__init__("pgbouncer")
        (self.folder / "users.txt").write_text('"postgres" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {self.folder}/users.txt\n"
            "admin_users = postgres\npool_mode = transaction\n"
            "ignore_startup_parameters = extra_float_digits\n")  # what the exporter's driver sends

    def command(self):
        return ["/usr/sbin/pgbouncer", self.folder / "pgbouncer.ini"]


class Agent(Server):
    """midst-agent with a configuration text; {folder} and {port} in it are filled in."""

    def __init__(self, config):
        super().__init__("midst-agent")
        self.config, self.push_socket = self.folder / "midst-agent.toml", self.folder / "push.sock"
        self.configure(config)

    def configure(self, config, web=""):
        """Takes effect at the next start or reload. `web` is what [web] has besides its address."""
        self.config.write_text(f'[web]\nlisten = ["127.0.0.1:{self.port}"]\n{web}' + config +
                               f'\n[ingest]\nsocket = "{self.push_socket}"\n'
                               f'state_file = "{self.folder}/push.state"\n'
                               f'dogstatsd_socket = "{self.folder}/dsd.sock"\n'
                               f'dogstatsd_stream_socket = "{self.folder}/dsd-stream.sock"\n'
                               f'[control]\nsocket = "{self.folder}/control.sock"\n')

    def run(self, *words):
        """A command of the program with this agent's configuration."""
        return subprocess.run([BIN / "midst-agent", *map(str, words), "--config", self.config], capture_output=True,
                              text=True, timeout=60)

    def command(self):
        return [BIN / "midst-agent", "run", "--config", self.config]

    def url(self, path="/metrics"):
        return f"http://127.0.0.1:{self.port}{path}"

    def page(self, path="/metrics", scrape_timeout="10"):
        status, _, body = get(self.url(path), {"X-Prometheus-Scrape-Timeout-Seconds": scrape_timeout})
        assert status == 200, f"{path} answered {status}: {body[:500]}"
        return samples(body.decode())


class Api(Server):
    """midst-api; `config` is the text of its configuration file."""

    def __init__(self, push_socket, database_url=None, redis_url=None, config=""):
        super().__init__("midst-api")
        self.config = self.folder / "midst-api.toml"
        self.config.write_text(config)
        self.environment.update(API_LISTEN=f"127.0.0.1:{self.port}", MIDST_PUSH_SOCKET=str(push_socket))
        for name, value in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)):
            self.environment.pop(name, None)
            if value:
                self.environment[name] = value

    def command(self):
        return [BIN / "midst-api", "--config", self.config]

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
    def __init__(self, redis, *flags, program="prometheus-redis-exporter", password=None):
        super().__init__("redis-exporter")
        self.redis, self.flags, self.program = redis, flags, program
        if password:
            self.environment["REDIS_PASSWORD"] = password

    def command(self):
        return [self.program, "-redis.addr", self.redis.url, "-web.listen-address", f"127.0.0.1:{self.port}", *self.flags]

    def url(self, path="/metrics"):
        return f"http://127.0.0.1:{self.port}{path}"


class PostgresExporter(Server):
    def __init__(self, postgres, *flags, database="postgres", user="postgres", program="prometheus-postgres-exporter"):
        super().__init__("postgres-exporter")
        self.flags, self.program = flags, program
        self.environment["DATA_SOURCE_NAME"] = (
            f"postgresql://{user}@127.0.0.1:{postgres.port}/{database}?sslmode=disable")

    def command(self):
        return [self.program, f"--web.listen-address=127.0.0.1:{self.port}", *self.flags]

    def url(self, path="/metrics"):
        return f"http://127.0.0.1:{self.port}{path}"


class PgBouncerExporter(Server):
    def __init__(self, pgbouncer, *flags, program):
        super().__init__("pgbouncer-exporter")
        self.pgbouncer, self.flags, self.program = pgbouncer, flags, program

    def command(self):
        return [self.program, f"--web.listen-address=127.0.0.1:{self.port}", "--pgBouncer.connectionString",
                f"postgres://postgres@127.0.0.1:{self.pgbouncer.port}/pgbouncer?sslmode=disable", *self.flags]

    def url(self, path="/metrics"):
        return f"http://127.0.0.1:{self.port}{path}"


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
