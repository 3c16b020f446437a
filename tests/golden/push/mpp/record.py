#!/usr/bin/env python3
"""Writes the conversations beside it: what a client sends in hexadecimal, what the agent answers and then shows in words. A
client in another language can be held against them; conformance_test.cpp holds the agent. Run without arguments."""
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def fixed(field, value):
    return varint(field << 3 | 1) + struct.pack("<Q", value) if value else b""


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def packed(field, values):
    return text(field, b"".join(varint(value) for value in values)) if values else b""


def doubles(field, values):
    return text(field, struct.pack(f"<{len(values)}d", *values)) if values else b""


def deltas(ids):
    return [id_ - before for before, id_ in zip([0, *ids], ids)]


def frame(kind, payload=b"", length=None):
    return struct.pack("<IBBH", len(payload) if length is None else length, kind, 0, 0) + payload


def hello(instance=1, major=1, epoch=0):
    return frame(1, text(1, "MPP") + number(2, major) + text(5, bytes([instance]) * 16) + text(7, "golden/1") + fixed(10, epoch))


def family(id_, name, kind=0, labels=(), bounds=(), merge=0):
    return frame(3, number(1, id_) + text(2, name) + number(3, kind) + text(5, "Help.") +
                 b"".join(text(6, label) for label in labels) + doubles(7, bounds) + number(8, merge))


def series(id_, family_, *values):
    return frame(4, number(1, id_) + number(2, family_) + b"".join(text(3, value) for value in values))


def histogram(id_, buckets, sum_):
    return number(1, id_) + packed(2, buckets) + varint(3 << 3 | 1) + struct.pack("<d", sum_)


def snap(seq, whole=(), real=(), histograms=(), last=True, removed=()):
    return frame(5, number(1, seq) + number(4, last) + packed(5, deltas([id_ for id_, _ in whole])) + packed(6, [value for _, value in whole]) +
                 packed(7, deltas([id_ for id_, _ in real])) + doubles(8, [value for _, value in real]) +
                 b"".join(text(9, point) for point in histograms))


BYE = frame(7)
COUNTER = family(0, "a_total", labels=["x"]) + series(0, 0, "y")

CONVERSATIONS = {
    "counter": ("A counter: totals, never differences; a snapshot that is said again, or says less, changes nothing.", [
        (hello(), "WELCOME"), (COUNTER + snap(1, [(0, 5)]), "ACK 1", 'a_total{x="y"} 5'),
        (snap(2, [(0, 8)]), "ACK 2", 'a_total{x="y"} 8'), (snap(2, [(0, 9)]), "ACK 2", 'a_total{x="y"} 8'),
        (snap(3, real=[(0, 8.5)]), "ACK 3", 'a_total{x="y"} 8.5'),
        (snap(4, [(0, 4)]), "ACK 4", 'a_total{x="y"} 8.5', 'midst_push_dropped_total{reason="counter_decrease"} 1'),
        (BYE, "closed bye", 'a_total{x="y"} 8.5')]),
    "several_frames": ("A snapshot of several frames is acknowledged with its last one.", [
        (hello() + COUNTER + series(1, 0, "z"), "WELCOME"), (snap(1, [(0, 1)], last=False), 'a_total{x="y"} 1'),
        (snap(1, [(1, 2)]), "ACK 1", 'a_total{x="y"} 1', 'a_total{x="z"} 2')]),
    "gauges": ("Gauges of one instance, by the way they merge.", [
        (hello() + family(0, "level", 1, merge=1) + family(1, "low", 1, merge=2) + family(2, "last", 1) + series(0, 0) + series(1, 1) + series(2, 2), "WELCOME"),
        (snap(1, [(0, 3)], [(1, -2.5), (2, 7.25)]), "ACK 1", "level 3", "low -2.5", "last 7.25"),
        (snap(2, [(0, 1)]), "ACK 2", "level 1", "low -2.5"), (BYE, "closed bye", "last 7.25", "no level")]),
    "histogram": ("A histogram: counts of each bucket alone, the agent adds them up.", [
        (hello() + family(0, "took_seconds", 2, bounds=[0.5, 1]) + series(0, 0), "WELCOME"),
        (snap(1, histograms=[histogram(0, [1, 0, 2], 5.5)]), "ACK 1", "took_seconds 1/1/3 5.5"),
        (snap(2, histograms=[histogram(0, [1, 1], 6)]), "ACK 2", "took_seconds 1/1/3 5.5", 'midst_push_dropped_total{reason="bucket_mismatch"} 1')]),
    "refusals": ("What is refused is said, and the rest goes on.", [
        (hello() + COUNTER, "WELCOME"), (family(1, "a_total", 1), "ERR family_refused type_conflict"),
        (family(2, "redis_up", 1), "ERR family_refused reserved_name"), (family(3, "no name"), "ERR family_refused invalid"),
        (series(1, 1) + series(2, 0) + snap(1, [(0, 2), (1, 1)]), "ACK 1 rejected 1 unknown_family rejected 2 invalid", 'a_total{x="y"} 2')]),
    "ignorable": ("Frame types from 128 up and unknown fields are skipped.", [
        (hello() + frame(200, b"anything"), "WELCOME"),
        (frame(3, number(1, 0) + text(2, "a_total") + text(99, "new")) + series(0, 0) + snap(1, [(0, 1)]), "ACK 1", "a_total 1")]),
    "version": ("Another major version is refused.", [(hello(major=2), "ERR version", "closed protocol_error")]),
    "not_hello": ("HELLO comes first.", [(snap(1), "ERR protocol", "closed protocol_error")]),
    "too_long": ("A frame beyond max_frame ends the connection.", [(hello(), "WELCOME"), (frame(5, length=65537), "ERR protocol", "closed protocol_error")]),
    "unknown_type": ("A reserved frame type ends the connection.", [(hello(), "WELCOME"), (frame(9), "ERR protocol", "closed protocol_error")]),
    "counted_before": ("An instance that another agent has counted is noted first; only what it adds counts.", [
        (hello(epoch=77), "WELCOME"), (COUNTER + snap(1, [(0, 600)]), "ACK 1", 'a_total{x="y"} 0'), (snap(2, [(0, 615)]), "ACK 2", 'a_total{x="y"} 15')]),
}

for name, (title, turns) in CONVERSATIONS.items():
    lines = [f"# {title}"]
    for sent, *expected in turns:
        lines.append("> " + sent.hex())
        lines += [("< " if line.split()[0] in ("WELCOME", "ACK", "ERR", "closed") else "= ") + line for line in expected]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")
