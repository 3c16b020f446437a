"""Finds the exporters that we are held against: the distribution's, and the newest that Go modules give."""
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from stack import ROOT

MODULE = "github.com/oliver006/redis_exporter"
# Asked for where the module proxy gives single versions but no list of them; the one that docs/parity.md was written against.
KNOWN_VERSION = "v1.88.0"
CACHE = Path(os.environ.get("MIDST_PEERS_CACHE", ROOT / "build/peers_cache"))
DOWNLOAD_SECONDS, BUILD_SECONDS = 120, 420


class Absent(Exception):
    """The peer cannot be had on this machine; the message says why."""


def version_of(program):
    done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30)
    found = re.search(r"Metrics Exporter (\S+)", done.stdout + done.stderr)
    if not found:
        raise Absent(f"{program} does not tell its version")
    return found[1]


@functools.cache
def packaged_redis_exporter():
    """(program, version) of the distribution's package."""
    program = shutil.which("prometheus-redis-exporter")
    if not program:
        raise Absent("the package prometheus-redis-exporter is not installed")
    return program, version_of(program)


@functools.cache
def newest_redis_exporter():
    """(program, version); built once from the Go module into CACHE, with the dependencies that it pins itself."""
    if not shutil.which("go"):
        raise Absent("there is no Go on this machine")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = CACHE / "redis_exporter"
        if not program.exists():
            build(program)
    return str(program), version_of(program)


def build(program):
    environment = {**os.environ, "GOMODCACHE": str(CACHE / "mod"), "GOCACHE": str(CACHE / "go-build"),
                   "GOFLAGS": "-buildvcs=false -modcacherw"}
    module = download("latest", environment)
    if "Error" in module:
        module = download(KNOWN_VERSION, environment)
    if "Error" in module:
        raise Absent(f"{MODULE} cannot be had: {module['Error']}")
    source = CACHE / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(module["Dir"], source)
    unfinished = program.with_suffix(".unfinished")
    done = run(["go", "build", "-ldflags", f"-X main.BuildVersion={module['Version']}", "-o", unfinished, "."],
               BUILD_SECONDS, environment, source)
    if done.returncode != 0:
        raise Absent(f"{MODULE} {module['Version']} does not build here: {done.stderr[-500:]}")
    unfinished.rename(program)
    for left in ("mod", "go-build", "source"):
        shutil.rmtree(CACHE / left, ignore_errors=True)


def download(version, environment):
    done = run(["go", "mod", "download", "-json", f"{MODULE}@{version}"], DOWNLOAD_SECONDS, environment, CACHE)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"Error": done.stderr.strip()[-500:] or "no answer"}


def run(words, seconds, environment, folder):
    try:
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=seconds,
                              env=environment, cwd=folder)
    except subprocess.TimeoutExpired as late:
        raise Absent(f"{' '.join(map(str, words[:3]))} took more than {seconds} s") from late
