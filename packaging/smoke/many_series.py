"""Sends 20 StatsD counters with so many series together over a stream socket: many_series.py SOCKET COUNT."""
import socket
import sys

path, count = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
    client.connect(path)
    for first in range(0, count, 100):
        lines = "".join(f"smoke_series_{number % 20}:1|c|#number:{number}\n" for number in range(first, min(first + 100, count)))
        client.sendall(lines.encode())
