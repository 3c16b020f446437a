"""What the daemon says to systemd, with neither: notify.py PROGRAM FOLDER. A socket of our own takes the place of systemd's.
Prints what was seen; the last line says what is wrong, with exit code 1."""
import array
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

program, folder = sys.argv[1], Path(sys.argv[2])
WATCHDOG_SECONDS = 0.4
CONFIG = """
[web]
listen = ["127.0.0.1:0"]
[ingest]
socket = "{0}/push.sock"
state_file = "{0}/push.state"
dogstatsd_socket = "{0}/dsd.sock"
dogstatsd_stream_socket = "{0}/dsd-stream.sock"
[control]
socket = "{0}/control.sock"
"""


class Messages:
    """What arrives: (time, {key: value}, number of descriptors passed)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.seen = []

    def take(self, timeout):
        self.socket.settimeout(max(timeout, 0.001))
        text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4 * 16))
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data)
        for descriptor in descriptors:
            os.close(descriptor)
        fields = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
        self.seen.append((time.monotonic(), fields, len(descriptors)))
        return self.seen[-1]

    def wait(self, key, value=None, within=10.0):
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0:
            try:
                entry = self.take(left)
            except TimeoutError:
                break
            if key in entry[1] and value in (None, entry[1][key]):
                return entry
        sys.exit(print(f"no {key}={value or ''} within {within:g} s") or 1)


def expect(condition, text):
    if not condition:
        sys.exit(print(text) or 1)


messages = Messages(folder / "notify.sock")
config = folder / "midst-agent.toml"
config.write_text(CONFIG.format(folder))
environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(folder / "notify.sock"), "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6))}
daemon = subprocess.Popen([program, "run", "--config", str(config)], env=environment, stderr=(folder / "log").open("w"))
try:
    _, ready, _ = messages.wait("READY", "1")
    expect(ready.get("STATUS"), "READY=1 without STATUS=")
    print(f"READY=1, STATUS={ready['STATUS'].replace(str(folder), 'FOLDER')[:90]}")
    kept = sorted(fields["FDNAME"] for _, fields, passed in messages.seen if fields.get("FDSTORE") == "1" and passed == 1)
    expect(kept == ["dogstatsd", "dogstatsd-stream", "push"], f"descriptors kept with systemd: {kept}")
    print(f"FDSTORE=1 with one descriptor each: {', '.join(kept)}")
    beats = [messages.wait("WATCHDOG", "1", 2)[0] for _ in range(8)]
    gaps = [later - earlier for earlier, later in zip(beats, beats[1:])]
    # Half of the time and what a busy machine adds; never the whole of it.
    expect(max(gaps) < WATCHDOG_SECONDS, f"WATCHDOG=1 came {max(gaps):.3f} s after the one before, of {WATCHDOG_SECONDS} s")
    expect(sorted(gaps)[len(gaps) // 2] <= WATCHDOG_SECONDS * 0.6, f"WATCHDOG=1 mostly comes {sorted(gaps)[len(gaps) // 2]:.3f} s apart")
    print(f"WATCHDOG=1 every {sorted(gaps)[len(gaps) // 2] * 1000:.0f} ms of WATCHDOG_USEC {WATCHDOG_SECONDS * 1000:.0f} ms")
    daemon.send_signal(signal.SIGHUP)
    _, reloading, _ = messages.wait("RELOADING", "1")
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    expect(0 <= now - int(reloading.get("MONOTONIC_USEC", 0)) < 10_000_000, f"RELOADING=1 with {reloading}")
    messages.wait("READY", "1")
    print("SIGHUP: RELOADING=1 with MONOTONIC_USEC, then READY=1")
    daemon.send_signal(signal.SIGTERM)
    messages.wait("STOPPING", "1")
    expect(daemon.wait(10) == 0, f"SIGTERM: exit code {daemon.returncode}")
    print("SIGTERM: STOPPING=1, exit code 0")
finally:
    daemon.kill()
    daemon.wait()
