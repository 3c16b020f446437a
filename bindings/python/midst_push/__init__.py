"""Counters, gauges and histograms of a Python program, sent to midst-agent by libmidst-push. Everything is thread-safe."""
from __future__ import annotations

import atexit
import ctypes
import functools
import logging
import multiprocessing.util
import signal
import time
from typing import Callable, Iterable, NamedTuple, Optional, Sequence, Tuple, TypeVar

from ._native import Problem, Stats as _Stats, doubles, library, texts

__all__ = ["Client", "Counter", "Gauge", "Histogram", "Stats", "Timer"]

DEFAULT_BOUNDS = (.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
MERGES = ("last", "sum", "min", "max")
Trace = Tuple[bytes, bytes]
Function = TypeVar("Function", bound=Callable)
log = logging.getLogger("midst_push")


class Stats(NamedTuple):
    """What the client of this process has done since it was opened or forked."""
    flushes: int
    skipped_flushes: int
    reconnects: int
    send_errors: int
    bytes_sent: int
    rejected_series: int
    overflowed_series: int
    is_connected: bool


@Problem
def _on_problem(_context, what, detail):
    log.warning("%s: %s", what.decode("utf-8", "replace"), detail.decode("utf-8", "replace"))


def _ids(trace: Trace) -> Trace:
    trace_id, span_id = trace
    if len(trace_id) != 16 or len(span_id) != 8:
        raise ValueError("a trace is 16 bytes of trace id and 8 bytes of span id")
    return trace_id, span_id


class _Metric:
    """A family and, where it has no labels, its only series; or one series of a family with labels."""

    def __init__(self, client: Client, family: Optional[int], label_names: Sequence[str], series: Optional[int] = None) -> None:
        self._client, self._family, self._label_names, self._children = client, family, tuple(label_names), {}
        self._handle = series
        if series is None and not self._label_names:
            self._handle = self._find(()) or 0

    def _find(self, values: tuple) -> Optional[int]:
        return self._client._if_open(library.series_of, self._family, *texts(values))

    def labels(self, *values: object) -> "_Metric":
        """The series of these label values, in the order of the label names."""
        found = self._children.get(values)
        if found is None:
            if len(values) != len(self._label_names):
                raise ValueError(f"{len(values)} label values for the labels {self._label_names}")
            found = type(self)(self._client, self._family, (), self._find(values) or 0)
            if len(self._children) < 10_000:  # the library keeps as many series by default
                self._children[values] = found
        return found

    def _series(self) -> Optional[int]:
        if self._handle is None:
            raise ValueError(f"which series? labels{self._label_names} are wanted")
        return self._handle if self._client._handle else None


class Counter(_Metric):
    """A number that only grows."""

    def labels(self, *values: object) -> Counter:
        return super().labels(*values)  # type: ignore[return-value]

    def inc(self, amount: float = 1, trace: Optional[Trace] = None) -> None:
        """Adds; an amount below 0 is ignored. `trace` is (16 bytes, 8 bytes) and leaves an exemplar."""
        if trace is None:
            library.add(self._series(), amount)
        else:
            library.add_exemplar(self._series(), amount, *_ids(trace))


class Gauge(_Metric):
    """A number that goes up and down."""

    def labels(self, *values: object) -> Gauge:
        return super().labels(*values)  # type: ignore[return-value]

    def set(self, value: float) -> None:
        library.set(self._series(), value)

    def inc(self, amount: float = 1) -> None:
        library.add(self._series(), amount)

    def dec(self, amount: float = 1) -> None:
        library.add(self._series(), -amount)

    def remove(self, *values: object) -> None:
        """Takes the series of these label values off the page until it is set again."""
        self._client._if_open(library.remove, self._family, *texts(values))


class Histogram(_Metric):
    """A distribution over fixed bounds."""

    def labels(self, *values: object) -> Histogram:
        return super().labels(*values)  # type: ignore[return-value]

    def observe(self, value: float, trace: Optional[Trace] = None) -> None:
        """`trace` is (16 bytes, 8 bytes) and leaves an exemplar."""
        if trace is None:
            library.observe(self._series(), value)
        else:
            library.observe_exemplar(self._series(), value, *_ids(trace))

    def observe_many(self, values: Iterable[float]) -> None:
        library.observe_many(self._series(), *doubles(values))

    def time(self) -> Timer:
        """A context manager and decorator that observes seconds."""
        return Timer(self)


class Timer:
    """Observes the seconds of a `with` block, or of every call of the function it decorates."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram, self._starts = histogram, []

    def __enter__(self) -> Timer:
        self._starts.append(time.perf_counter())
        return self

    def __exit__(self, *_: object) -> None:
        self._histogram.observe(time.perf_counter() - self._starts.pop())

    def __call__(self, function: Function) -> Function:
        @functools.wraps(function)
        def timed(*args, **named):
            with Timer(self._histogram):
                return function(*args, **named)
        return timed  # type: ignore[return-value]


class Client:
    """The connection to midst-agent; sends on a thread of its own. One for a program is usual."""

    def __init__(self, socket_path: Optional[str] = None, *, resource: str = "", flush_interval: float = 1.0,
                 max_series: int = 0) -> None:
        """`flush_interval` in seconds, 0.1 to 10; `max_series` 0 is the library's 10 000."""
        self._handle: Optional[int] = library.open(socket_path.encode() if socket_path else None, resource.encode(),
                                                   round(flush_interval * 1000), max_series, _on_problem, None)
        if not self._handle:
            raise MemoryError("midst_push_open")
        library.deliver_at_signal(signal.SIGTERM)  # of no effect where the program handles it itself
        _clients.add(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _if_open(self, function, *arguments):
        return function(*arguments) if self._handle else None

    def _declare(self, function, name: str, help: str, label_names: Sequence[str], *more):
        if not self._handle:
            raise ValueError("the client is closed")
        return function(self._handle, name.encode(), help.encode(), *texts(label_names), *more)

    def counter(self, name: str, help: str, label_names: Sequence[str] = ()) -> Counter:
        return Counter(self, self._declare(library.counter, name, help, label_names), label_names)

    def gauge(self, name: str, help: str, label_names: Sequence[str] = (), merge: str = "sum") -> Gauge:
        """`merge` says how several processes are put together: last, sum, min or max."""
        return Gauge(self, self._declare(library.gauge, name, help, label_names, MERGES.index(merge)), label_names)

    def histogram(self, name: str, help: str, bounds: Sequence[float] = DEFAULT_BOUNDS,
                  label_names: Sequence[str] = ()) -> Histogram:
        return Histogram(self, self._declare(library.histogram, name, help, label_names, *doubles(bounds)), label_names)

    def flush(self, timeout: float = 1.0) -> bool:
        """Sends now and waits, at most `timeout` seconds, until the agent has taken it. Returns whether it has."""
        return bool(self._if_open(library.flush, self._handle, round(timeout * 1000)))

    def stats(self) -> Stats:
        found = _Stats()
        library.get_stats(self._handle, ctypes.byref(found), ctypes.sizeof(found))
        *counts, is_connected = (getattr(found, name) for name, _ in _Stats._fields_)
        return Stats(*counts, bool(is_connected))

    def close(self) -> None:
        """Sends the last totals, within 50 ms. No other thread may be counting; what is counted afterwards counts nowhere."""
        handle, self._handle = self._handle, None
        _clients.discard(self)
        library.close(handle)


_clients: set[Client] = set()


@atexit.register
def _close_all() -> None:
    for client in list(_clients):
        client.close()


# A process of multiprocessing ends without atexit, and its finalizers must be registered in it.
multiprocessing.util.register_after_fork(
    _clients, lambda _: multiprocessing.util.Finalize(None, _close_all, exitpriority=0))
