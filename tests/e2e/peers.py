"""Finds the exporters that we are held against: the distribution's, and the newest that Go modules give."""
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from stack import ROOT

CACHE = Path(os.environ.get("MIDST_PEERS_CACHE", ROOT / "build/peers_cache"))
DOWNLOAD_SECONDS, BUILD_SECONDS = 120, 420


class Absent(Exception):
    """The peer cannot be had on this machine; the message says why."""


class Peer(NamedTuple):
    """An exporter written in Go. `known` is asked for, in this order, after "latest": a module proxy may give single
    versions but no list of them; docs/parity.md was written against the first one that is given."""
    name: str
    module: str
    package: str  # what the distribution calls its program
    version_flag: str
    version_line: str  # regular expression; its group is the version
    version_variable: str  # set by the linker
    known: tuple
    main: str = "."


PROMETHEUS_VERSION = "github.com/prometheus/common/version.Version"
REDIS = Peer("redis_exporter", "github.com/oliver006/redis_exporter", "prometheus-redis-exporter", "-version",
             r"Metrics Exporter (\S+)", "main.BuildVersion", ("v1.88.0",))
POSTGRES = Peer("postgres_exporter", "github.com/prometheus-community/postgres_exporter", "prometheus-postgres-exporter",
                "--version", r"postgres_exporter, version (\S+)", PROMETHEUS_VERSION,
                ("v0.20.1", "v0.19.1", "v0.17.1"), "./cmd/postgres_exporter")
# Debian's package prometheus-pgbouncer-exporter is another program of the same name.
PGBOUNCER = Peer("pgbouncer_exporter", "github.com/prometheus-community/pgbouncer_exporter", "", "--version",
                 r"pgbouncer_exporter, version (\S+)", PROMETHEUS_VERSION, ("v0.12.1", "v0.11.0"))

STATSD = Peer("statsd_exporter", "github.com/prometheus/statsd_exporter", "", "--version",
              r"statsd_exporter, version (\S+)", PROMETHEUS_VERSION, ("v0.30.0", "v0.28.0"))


def version_of(peer, program):
    done = subprocess.run([program, peer.version_flag], capture_output=True, text=True, timeout=30)
    found = re.search(peer.version_line, done.stdout + done.stderr)
    if not found:
        raise Absent(f"{program} does not tell its version")
    return found[1]


def number_of(version):
    """(0, 19) of "v0.19.1", to be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


@functools.cache
def packaged(peer):
    """(program, version) of the distribution's package."""
    program = shutil.which(peer.package)
    if not program:
        raise Absent(f"the package {peer.package} is not installed")
    return program, version_of(peer, program)


@functools.cache
def newest(peer):
    """(program, version); built once from the Go module into CACHE, with the dependencies that it pins itself."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = CACHE / peer.name
        if not program.exists():
            build(peer, program)
    return str(program), version_of(peer, program)


def packaged_redis_exporter():
    return packaged(REDIS)


def packaged_postgres_exporter():
    return packaged(POSTGRES)


def newest_redis_exporter():
    return newest(REDIS)


def newest_postgres_exporter():
    return newest(POSTGRES)


def newest_pgbouncer_exporter():
    return newest(PGBOUNCER)


def newest_statsd_exporter():
    return newest(STATSD)


def source_of(peer, folder):
    """(folder with the peer's source, version), downloaded below `folder`."""
    if not shutil.which("go"):
        raise Absent("there is no Go on this machine")
    reasons = []
    for version in ("latest", *peer.known):
        found = download(peer, version, folder)
        if "Error" not in found:
            return Path(found["Dir"]), found["Version"]
        reasons.append(f"{version}: {found['Error']}")
    raise Absent(f"{peer.module} cannot be had: {'; '.join(reasons)}")


def build(peer, program):
    kept, version = source_of(peer, CACHE / "mod")
    source = CACHE / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(kept, source)
    unfinished = program.with_suffix(".unfinished")
    done = run(["go", "build", "-ldflags", f"-X {peer.version_variable}={version}", "-o", unfinished, peer.main],
               BUILD_SECONDS, CACHE / "mod", source)
    if done.returncode != 0:
        raise Absent(f"{peer.module} {version} does not build here: {done.stderr[-500:]}")
    unfinished.rename(program)
    for left in ("mod", "go-build", "source"):
        shutil.rmtree(CACHE / left, ignore_errors=True)


def download(peer, version, folder):
    folder.mkdir(parents=True, exist_ok=True)
    done = run(["go", "mod", "download", "-json", f"{peer.module}@{version}"], DOWNLOAD_SECONDS, folder, folder)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"Error": done.stderr.strip()[-500:] or "no answer"}


def run(words, seconds, modules, folder):
    environment = {**os.environ, "GOMODCACHE": str(modules), "GOCACHE": str(CACHE / "go-build"),
                   "GOFLAGS": "-buildvcs=false -modcacherw"}
    try:
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds,
                              env=environment, cwd=folder)
    except subprocess.TimeoutExpired as late:
        raise Absent(f"{' '.join(map(str, words[:3]))} took more than {seconds} s") from late
