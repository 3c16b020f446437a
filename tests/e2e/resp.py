"""RESP2 as the tests speak it: a client on one connection, and the words of both directions."""
import socket


class ServerError(Exception):
    """An error reply: "WRONGTYPE Operation against …"."""


def encode(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def encode_reply(value):
    """What Client.read() gave, as it came: bytes are bulk strings, str a status, None a null string."""
    if isinstance(value, ServerError):
        return b"-%s\r\n" % str(value).encode()
    if isinstance(value, str):
        return b"+%s\r\n" % value.encode()
    if isinstance(value, int):
        return b":%d\r\n" % value
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(encode_reply, value))
    return b"$%d\r\n%s\r\n" % (len(value), value)


def read_value(file):
    """The next reply, or the next command as a list of its words. Raises ConnectionError at the end of the stream."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the peer hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return ServerError(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else file.read(int(rest) + 2)[:-2]
    assert kind == b"*", line
    return None if rest == b"-1" else [read_value(file) for _ in range(int(rest))]


class Client:
    """Blocking; a command at a time or many in one write. A context manager."""

    def __init__(self, port, seconds=30):
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def __call__(self, *words):
        """The reply; an error reply is raised."""
        self.socket.sendall(encode(*words))
        reply = self.read()
        if isinstance(reply, ServerError):
            raise reply
        return reply

    def pipeline(self, commands):
        """The replies in order, errors among them as values."""
        self.socket.sendall(b"".join(encode(*words) for words in commands))
        return [self.read() for _ in commands]

    def read(self):
        return read_value(self.file)

    def info(self, *sections):
        lines = self("INFO", *sections).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
