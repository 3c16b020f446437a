"""The frame of the comparisons: command line, which midst-agent, servers that are stopped, parts that are run in turn."""
import argparse
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
E2E = HERE.parents[1] / "e2e"
sys.path.insert(0, str(E2E))

OURS = "midst-agent"


def arguments(description, parts):
    """The command line. To be called before stack.py is imported, which reads where midst-agent is."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results there, too")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="WORD", help=f"of {', '.join(parts)}")
    parser.add_argument("--blocks", type=int, default=7, help="blocks per program, at least 5")
    parser.add_argument("--bin", type=Path, help="folder of midst-agent; default: build/release/bin")
    parsed = parser.parse_args()
    if parsed.blocks < 5:
        parser.error("medians of fewer than 5 blocks say nothing")
    found = parsed.bin or os.environ.get("MIDST_BIN_DIR") or HERE.parents[2] / "build/release/bin"
    os.environ["MIDST_BIN_DIR"] = str(Path(found).resolve())
    return parsed


class Bench:
    """A comparison; its parts are methods of the names on the command line."""

    def __init__(self, parsed, peer, finders):
        """`finders` give (program, version) of the peer, the newest first: it is the judge."""
        import measure
        self.arguments, self.peer, self.servers, self.report = parsed, peer, [], measure.Report()
        self.exporters = self.find_exporters(finders)

    def find_exporters(self, finders):
        """{name: program}."""
        import peers
        found = {}
        for find in finders:
            try:
                program, version = find()
                found[f"{self.peer} {version}"] = program
            except peers.Absent as absent:
                print(f"not compared: {absent}")
        return found

    def start(self, server):
        self.servers.append(server)
        return server.start()

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self.servers.clear()

    def run(self):
        from stack import BIN
        if not self.exporters:
            print(f"no {self.peer} to compare with: install prometheus-{self.peer.replace('_', '-')}, or Go")
            return False
        if not (BIN / OURS).exists():
            print(f"there is no {BIN / OURS}; build it, or name its folder with --bin")
            return False
        print(f"{OURS}: {BIN}; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}; peers: {', '.join(self.exporters)}")
        if os.getloadavg()[0] > os.cpu_count() / 2:
            print("others are at work on this machine: take the numbers again on a calm one")
        for part in self.arguments.only:
            try:
                getattr(self, part)()
            finally:
                self.stop()
        if self.arguments.json:
            self.arguments.json.write_text(json.dumps(self.report.results, indent=1) + "\n")
        print("\nall promises hold" if self.report.holds() else "\nnot all promises hold")
        return self.report.holds()
