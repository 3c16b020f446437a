"""Stands between a client and a real redis-server and changes, cuts, delays or withholds replies by rules: the real
server's answers, with exactly one thing wrong. As a program: a server with many commands in its statistics, for tests/bench/peers."""
import argparse
import socket
import socketserver
import threading
import time

from resp import Client, ServerError, encode_reply, read_value


class Raw(bytes):
    """Sent as it is instead of the reply."""


class Cut:
    """Only the first bytes of the reply are sent, then the connection is closed. Less than 0: so many are missing."""

    def __init__(self, keep):
        self.keep = keep


class Hang:
    """Nothing is sent from this reply on; the connection stays open."""


class Late:
    """The reply is sent after so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds


def error(text):
    """A rule that answers with an error."""
    return lambda words, value: ServerError(text)


class ScriptedRedis:
    """Listens on `port`. A rule is (first words of a command, what to do); the first that matches counts. What to do
    is a function of the command's words and the real reply that gives another reply, Raw, Cut, Hang or Late."""

    def __init__(self, upstream_port):
        self.upstream_port, self.rules = upstream_port, []
        self.commands = []  # every command received, as upper-case text
        self.connections = 0
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self):
                owner.connections += 1
                owner.serve(self)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def stop(self):
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join()

    def rule_for(self, words):
        for first, action in self.rules:
            if words[: len(first)] == first:
                return action
        return None

    def serve(self, connection):
        with Client(self.upstream_port) as upstream:
            while True:
                try:
                    raw_words = read_value(connection.rfile)
                    words = tuple(word.decode(errors="replace").upper() for word in raw_words)
                    self.commands.append(" ".join(words))
                    reply = upstream.pipeline([raw_words])[0]
                    if not self.answer(connection, words, reply):
                        return
                except (ConnectionError, OSError):
                    return

    def answer(self, connection, words, reply):
        """False when the connection has ended."""
        action = self.rule_for(words)
        changed = action(words, reply) if callable(action) else action
        if action is None:
            connection.wfile.write(encode_reply(reply))
        elif isinstance(changed, Raw):
            connection.wfile.write(changed)
        elif isinstance(changed, Cut):
            connection.wfile.write(encode_reply(reply)[: changed.keep])
            connection.connection.shutdown(socket.SHUT_RDWR)
            return False
        elif isinstance(changed, Hang):
            connection.rfile.read()
            return False
        elif isinstance(changed, Late):
            time.sleep(changed.seconds)
            connection.wfile.write(encode_reply(reply))
        else:
            connection.wfile.write(encode_reply(changed))
        return True


class ManyCommands:
    """Serves what a real server said once, with its statistics widened to `count` commands, each with a histogram."""

    def __init__(self, upstream_port, count):
        self.upstream_port, self.count, self.replies = upstream_port, count, {}

    def names(self):
        return [f"command{number}" for number in range(self.count)]

    def info(self, text):
        """INFO with these commands in place of its own; each was called a thousand times and took 10 to 500 us."""
        lines = [line for line in text.split("\r\n") if not line.startswith(("cmdstat_", "latency_percentiles_"))]
        calls = [f"cmdstat_{name}:calls=1000,usec={10_000 + n},usec_per_call=10.00,rejected_calls=0,failed_calls=0"
                 for n, name in enumerate(self.names())]
        percentiles = [f"latency_percentiles_usec_{name}:p50=9.023,p99=54.015,p99.9=500.223" for name in self.names()]
        for section, added in (("# Commandstats", calls), ("# Latencystats", percentiles)):
            if section in lines:
                place = lines.index(section) + 1
                lines[place:place] = added
        return "\r\n".join(lines)

    def histogram(self):
        ladder = [1, 2, 4, 8, 16, 33, 66, 132, 264, 528]
        buckets = [number for step, bound in enumerate(ladder, 1) for number in (bound, 100 * step)]
        return [part for name in self.names()
                for part in (name.encode(), [b"calls", 1000, b"histogram_usec", buckets])]

    def reply(self, words, upstream):
        """The encoded reply; asked of the real server the first time."""
        key = tuple(words)
        if key not in self.replies:
            value = upstream.pipeline([words])[0]
            first = words[0].upper()
            if first == b"INFO" and isinstance(value, bytes):
                value = self.info(value.decode()).encode()
            elif [word.upper() for word in words] == [b"LATENCY", b"HISTOGRAM"]:
                value = self.histogram()
            self.replies[key] = encode_reply(value)
        return self.replies[key]

    def serve_forever(self, port):
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self):
                with Client(owner.upstream_port) as upstream:
                    try:
                        while True:
                            self.wfile.write(owner.reply(read_value(self.rfile), upstream))
                    except (ConnectionError, OSError):
                        return

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        with Listener(("127.0.0.1", port), Handler) as listener:
            listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    parser.add_argument("--commands", type=int, default=400)
    arguments = parser.parse_args()
    ManyCommands(arguments.upstream_port, arguments.commands).serve_forever(arguments.port)
