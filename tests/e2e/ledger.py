"""The program push_ledger: it counts with the push client and keeps a ledger of that, to compare pages with."""
import struct
import subprocess

from stack import BIN

NAMES = [("ledger_total", (("n", str(n)),)) for n in range(10)] + [("ledger_quarters_total", ()), ("ledger_seconds_count", ())]


class Client:
    def __init__(self, agent, ledger):
        self.process = subprocess.Popen([BIN / "push_ledger", agent.push_socket, ledger, "100", "2"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.hear("counting")

    def hear(self, word):
        line = self.process.stdout.readline().decode().strip()
        assert line == word, f"{line!r} instead of {word!r}"

    def tell(self, command, word):
        self.process.stdin.write(command.encode())
        self.process.stdin.flush()
        self.hear(word)

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def kill(self):
        """What it has counted is in the ledger, and little of it was sent."""
        self.tell("p", "paused")
        self.process.kill()
        self.end()


def told(ledger):
    """{series: value} as the pages have to show it at rest."""
    whole, quarters, observed = struct.unpack("3Q", ledger.read_bytes())
    return {name: quarters / 4 if name[0] == "ledger_quarters_total" else observed if name[0] == "ledger_seconds_count" else whole
            for name in NAMES}
