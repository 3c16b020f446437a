#!/usr/bin/env python3
"""midst-agent beside statsd_exporter and beside a program that only reads, on a Unix datagram socket, in one run: lines a
second with one line a datagram and with packets of 8 KiB, CPU per line, many contexts, memory per context, bursts, an
attack with ten million names. Prints medians and spreads, and says whether each promise holds; the exit code is 1 when one
does not.

  cmake --preset bench && ninja -C build/bench midst-agent statsd_load
  tests/bench/peers/statsd_peers.py --bin build/bench/bin [--json FILE] [--only WORD…] [--blocks N]
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import side_by_side
from side_by_side import OURS

PARTS = ("single", "packed", "contexts", "memory", "burst", "attack")
SINK = "bare sink"
SINGLE_BYTES, PACKED_BYTES = 1, 8192
BLOCK_SECONDS = 2
CONTEXTS = 1455
ATTACK_LINES, ATTACK_CAP_BYTES = 10_000_000, 64 * 2**20
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"
SHIPPED_QUEUE = 512

ARGUMENTS = side_by_side.arguments(__doc__, PARTS)
import measure  # noqa: E402
import peers  # noqa: E402
from stack import BIN, Agent, Server, get, samples, wait_until  # noqa: E402

LOAD = BIN / "statsd_load"
LARGE = ('[scrape]\nmin_interval = "0s"\ntimeout = "60s"\n'
         '[ingest.statsd]\nmax_series = 2_000_000\nmax_series_per_family = 2_000_000\nmax_bytes = "2GiB"\n')


class Sink(Server):
    def __init__(self):
        super().__init__("sink")
        self.socket = self.folder / "dsd.sock"

    def command(self):
        return [LOAD, "sink", self.socket]

    def answers(self):
        return self.socket.exists()

    def lines(self):
        return None


class Ours(Agent):
    def __init__(self, config=LARGE):
        super().__init__(config)
        self.socket = self.folder / "dsd.sock"

    def lines(self):
        return self.page(scrape_timeout="60")["midst_push_lines_total", (("protocol", "dogstatsd"),)]


class StatsdExporter(Server):
    def __init__(self, program):
        super().__init__("statsd_exporter")
        self.program, self.socket = program, self.folder / "dsd.sock"

    def command(self):
        return [self.program, f"--web.listen-address=127.0.0.1:{self.port}", "--statsd.listen-udp=", "--statsd.listen-tcp=",
                f"--statsd.listen-unixgram={self.socket}"]

    def lines(self):
        """Its samples, one a line here: it counts an empty line behind each newline at the end of a packet."""
        status, _, body = get(f"http://127.0.0.1:{self.port}/metrics")
        assert status == 200
        return sum(value for (name, _), value in samples(body.decode()).items() if name == "statsd_exporter_samples_total")


def load(*words):
    """What statsd_load says it did."""
    done = subprocess.run([LOAD, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Bench(side_by_side.Bench):
    def __init__(self):
        super().__init__(ARGUMENTS, "statsd_exporter", (peers.newest_statsd_exporter,))

    def programs(self):
        made = {OURS: Ours, SINK: Sink}
        for name, program in self.exporters.items():
            made[name] = lambda program=program: StatsdExporter(program)
        return made

    def block(self, server, size, contexts=CONTEXTS, types="mixed"):
        """(seconds of wall time, CPU seconds) a line, from the first line sent to the last one counted."""
        before, cpu, began = server.lines(), measure.cpu_seconds(server.process.pid), time.perf_counter()
        sent = load("send", server.socket, size, BLOCK_SECONDS, contexts, types)
        if before is not None:
            wait_until(lambda: server.lines() - before == sent["lines"], f"{server.name} counts every line", 60)
        taken = time.perf_counter() - began if before is not None else sent["seconds"]
        # What statsd_load needs to make its lines is no one's; a page at the end is ours, as it is the exporter's.
        return min(taken, sent["seconds"] * 1.1) / sent["lines"], (measure.cpu_seconds(server.process.pid) - cpu) / sent["lines"]

    def throughput(self, title, size, sink_share, peer_share, cpu_limit=None):
        servers = {name: self.start(make()) for name, make in self.programs().items()}
        for server in servers.values():
            self.block(server, size)
        values = measure.alternate(ARGUMENTS.blocks, {name: lambda server=server: self.block(server, size)
                                                      for name, server in servers.items()})
        wall = {name: [each[0] for each in series] for name, series in values.items()}
        cpu = {name: [each[1] for each in series] for name, series in values.items()}
        self.report.compare(f"{title}: time a line beside the bare sink", "ns", 1e9,
                            {OURS: wall[OURS], SINK: wall[SINK]}, OURS, 1 / sink_share)
        others = {name: series for name, series in wall.items() if name != SINK}
        self.report.compare(f"{title}: time a line", "ns", 1e9, others, OURS, 1 / peer_share)
        self.report.compare(f"{title}: CPU a line", "ns", 1e9, {name: cpu[name] for name in others}, OURS, 1, is_judged=False)
        if cpu_limit:
            ours = statistics.median(cpu[OURS]) * 1e9
            self.report.claim(f"{title}: CPU a line", f"{ours:.1f} ns, at most {cpu_limit}", ours <= cpu_limit, value=ours)

    def single(self):
        self.throughput("one line a datagram (T1)", SINGLE_BYTES, 0.95, 2.5)

    def packed(self):
        self.throughput("packets of 8 KiB (T2, T3)", PACKED_BYTES, 0.27, 25, cpu_limit=65)

    def contexts(self):
        counts = (CONTEXTS, 100_000, 1_000_000)
        values = {}
        for count in counts:
            server = self.start(Ours())
            self.block(server, PACKED_BYTES, count)
            values[count] = [self.block(server, PACKED_BYTES, count)[0] for _ in range(ARGUMENTS.blocks)]
            self.stop()
        few = statistics.median(values[CONTEXTS])
        for count, share in zip(counts[1:], (0.7, 0.5)):
            found = few / statistics.median(values[count])
            self.report.claim(f"{count} contexts (T5)", f"{found:.2f} of the lines a second of {CONTEXTS}, at least {share}",
                              found >= share, value=found)

    def memory(self):
        for types, what, limit in (("c", "a counter of two labels", 250), ("h", "a histogram of eleven buckets", 450)):
            server = self.start(Ours())
            load("send", server.socket, PACKED_BYTES, 0.2, 100, types)
            before = measure.rss_bytes(server.process.pid)
            load("send", server.socket, PACKED_BYTES, 2, 100_000, types)
            self.wait_until_idle(server.process.pid)
            found = (measure.rss_bytes(server.process.pid) - before) / 100_000  # before a page takes memory of its own
            contexts = server.page(scrape_timeout="60")["midst_push_contexts", ()]
            assert contexts == 100_000, f"only {contexts} contexts came"
            self.report.claim(f"memory of {what} (T6)", f"{found:.0f} bytes, at most {limit}", found <= limit, value=found)
            self.stop()

    @staticmethod
    def wait_until_idle(pid):
        before = None
        while before != (before := measure.cpu_seconds(pid)):
            time.sleep(0.3)

    def burst(self):
        """In a network namespace of its own, where the queue can be set."""
        folder = Path(tempfile.mkdtemp(prefix="midst-burst-"))
        for queue in (10, SHIPPED_QUEUE):
            config = folder / "agent.toml"
            config.write_text('[web]\nlisten = ["unix:%s/http"]\n[ingest]\nsocket = ""\ndogstatsd_stream_socket = ""\n'
                              'dogstatsd_socket = "%s/dsd.sock"\n' % (folder, folder))
            script = (f"echo {queue} > {QUEUE} && {{ {BIN}/{OURS} run --config {config} 2>/dev/null & }} && "
                      f"while ! [ -S {folder}/dsd.sock ]; do sleep 0.05; done; {LOAD} burst {folder}/dsd.sock 100 5 5; kill $!")
            done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                print(f"\nburst (T7): not measured: {done.stderr.strip()}")
                break
            found = json.loads(done.stdout)
            lost = found["lost"] / (found["lost"] + found["sent"])
            self.report.claim(f"bursts of 100 datagrams each 5 ms, a queue of {queue} (T7)", f"{lost:.2%} lost, none with the shipped queue",
                              lost == 0, judged=queue == SHIPPED_QUEUE, value=lost)
        shutil.rmtree(folder)

    def attack(self):
        config = f'[scrape]\nmin_interval = "0s"\n[ingest.statsd]\nmax_bytes = "{ATTACK_CAP_BYTES}"\n'.replace(
            f'"{ATTACK_CAP_BYTES}"', str(ATTACK_CAP_BYTES))
        server = self.start(Ours(config))
        before = measure.rss_bytes(server.process.pid)
        done = load("attack", server.socket, ATTACK_LINES)
        wait_until(lambda: server.lines() >= ATTACK_LINES, "all lines are read", 120)
        grown = measure.rss_bytes(server.process.pid) - before
        page = server.page()
        legit = page["legit_total", (("k", "v"),)]
        diverted = page["midst_push_overflow_total", (("reason", "family_limit"),)]
        attackers = sum(value for (name, _), value in page.items() if name == "attack_total")
        rate = ATTACK_LINES / done["seconds"] / 1e6
        self.report.claim("ten million names (T14)", f"memory grew by {grown / 2**20:.1f} MiB, at most {ATTACK_CAP_BYTES / 2**20:.0f}",
                          grown <= ATTACK_CAP_BYTES, value=grown)
        self.report.claim("ten million names (T14)",
                          f"{legit:.0f} of {ATTACK_LINES // 10} of another series and {attackers:.0f} of {ATTACK_LINES * 9 // 10} counted, "
                          f"{diverted:.0f} of them in an overflow series; {rate:.2f} million lines a second",
                          legit == ATTACK_LINES // 10 and attackers == ATTACK_LINES * 9 // 10)


if __name__ == "__main__":
    sys.exit(0 if Bench().run() else 1)
