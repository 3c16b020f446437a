"""A TCP proxy on loopback that hands on every piece of a stream a fixed time after it came, in both directions.

At SIGUSR1 it prints a line of JSON: how many connections there were, and how many turns the clients took on them. A
turn is what a client sends before it has heard anything new. Run as a program of its own, so that neither peer nor the
measuring client shares an interpreter with it."""
import argparse
import heapq
import itertools
import json
import select
import signal
import socket
import time

PIECE_BYTES = 256 * 1024


class Proxy:
    def __init__(self, port, upstream_port, delay_seconds):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.upstream_port, self.delay = upstream_port, delay_seconds
        self.peer_of = {}
        self.due, self.order = [], itertools.count()  # (time, order, to whom, bytes; b"" closes)
        self.clients, self.has_heard = set(), set()  # clients; those of them whose next piece begins a turn
        self.counts = {"connections": 0, "turns": 0}
        signal.signal(signal.SIGUSR1, lambda *_: print(json.dumps(self.counts), flush=True))

    def run(self):
        while True:
            wait = max(0.0, self.due[0][0] - time.monotonic()) if self.due else None
            for ready in select.select([self.listener, *self.peer_of], [], [], wait)[0]:
                self.accept() if ready is self.listener else self.receive(ready)
            while self.due and self.due[0][0] <= time.monotonic():
                _, _, receiver, piece = heapq.heappop(self.due)
                self.deliver(receiver, piece)

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.upstream_port))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer_of[client], self.peer_of[server] = server, client
        self.counts["connections"] += 1
        self.clients.add(client)
        self.has_heard.add(client)

    def receive(self, sender):
        try:
            piece = sender.recv(PIECE_BYTES)
        except OSError:
            piece = b""
        receiver = self.peer_of[sender]
        if piece and sender in self.has_heard:
            self.has_heard.discard(sender)
            self.counts["turns"] += 1
        if not piece:
            del self.peer_of[sender]
            self.clients.discard(sender)
            self.has_heard.discard(sender)
        heapq.heappush(self.due, (time.monotonic() + self.delay, next(self.order), receiver, piece))

    def deliver(self, receiver, piece):
        try:
            if piece:
                receiver.sendall(piece)
                if receiver in self.clients:
                    self.has_heard.add(receiver)
            else:
                receiver.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        if not piece and receiver not in self.peer_of:
            receiver.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream-port", type=int, required=True)
    parser.add_argument("--one-way-ms", type=float, default=5)
    arguments = parser.parse_args()
    Proxy(arguments.port, arguments.upstream_port, arguments.one_way_ms / 1000).run()
