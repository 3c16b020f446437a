"""The Python binding against the real agent: exact values from threads, forks and both ways of ending a process."""
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from stack import BIN, ROOT, Agent, get, wait_until

os.environ["MIDST_PUSH_LIBRARY"] = str(BIN.parent / "push-dev/lib/libmidst-push.so.0")
sys.path.insert(0, str(ROOT / "bindings/python"))
import midst_push  # noqa: E402

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def count_and_end(jobs, amount):
    jobs.labels("spawned").inc(amount)


class PushPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = Agent("[scrape]\nmin_interval = \"10ms\"\n")
        cls.addClassCleanup(cls.agent.stop)
        cls.agent.start()

    def client(self, **options):
        client = midst_push.Client(str(self.agent.push_socket), **options)
        self.addCleanup(client.close)
        return client

    def expect(self, wanted):
        wait_until(lambda: {series: self.agent.page().get(series) for series in wanted} == wanted, f"{wanted}")

    def test_all_types_arrive_exactly(self):
        client = self.client(resource="python test")
        jobs = client.counter("py_jobs_total", "Jobs.", ["kind"])
        level = client.gauge("py_level", "Level.")
        spare = client.gauge("py_spare", "Spare.", ["room"], merge="max")
        took = client.histogram("py_seconds", "Time.", [1, 2])
        jobs.labels("a").inc()
        jobs.labels("a").inc(2)
        jobs.labels("ä\0").inc(0.5)
        jobs.labels("a").inc(-5)
        level.set(5)
        level.inc()
        level.dec(2)
        spare.labels("x").set(1)
        spare.labels("y").set(2)
        took.observe(0.5)
        took.observe_many([1.5, 9])
        self.assertTrue(client.flush(10))
        self.expect({("py_jobs_total", (("kind", "a"),)): 3, ("py_jobs_total", (("kind", "ä\ufffd"),)): 0.5,
                     ("py_level", ()): 4, ("py_spare", (("room", "y"),)): 2, ("py_seconds_bucket", (("le", "1"),)): 1,
                     ("py_seconds_bucket", (("le", "2"),)): 2, ("py_seconds_count", ()): 3, ("py_seconds_sum", ()): 11})
        spare.remove("y")
        self.assertTrue(client.flush(10))
        wait_until(lambda: ("py_spare", (("room", "y"),)) not in self.agent.page(), "it is removed")
        self.assertIn(("py_spare", (("room", "x"),)), self.agent.page())
        stats = client.stats()
        self.assertTrue(stats.is_connected)
        self.assertGreater(stats.bytes_sent, 0)

    def test_timers_and_exemplars(self):
        client = self.client()
        took = client.histogram("py_took_seconds", "Time.", [60], ["what"])

        @took.labels("function").time()
        def work(depth):
            return work(depth - 1) + 1 if depth else 0

        self.assertEqual(work(4), 4)
        self.assertEqual(work.__name__, "work")
        with took.labels("block").time():
            pass
        with self.assertRaises(ZeroDivisionError), took.labels("block").time():
            1 // 0
        took.labels("traced").observe(0.25, trace=(bytes(range(1, 17)), bytes(range(0xa0, 0xa8))))
        self.assertRaises(ValueError, took.labels("traced").observe, 1, trace=(b"x", b"y"))
        client.counter("py_traced_total", "Traced.").inc(3, trace=(bytes(range(1, 17)), bytes(8)))
        self.assertTrue(client.flush(10))
        self.expect({("py_took_seconds_count", (("what", what),)): count
                     for what, count in (("function", 5), ("block", 2), ("traced", 1))} | {("py_traced_total", ()): 3})
        _, _, body = get(self.agent.url(), {"Accept": OPENMETRICS})
        self.assertRegex(body.decode(), r'what="traced",le="60"\} 1 # \{span_id="a0a1a2a3a4a5a6a7",'
                                        r'trace_id="0102030405060708090a0b0c0d0e0f10"\} 0\.25 ')
        self.assertRegex(body.decode(), r'py_traced_total 3 # \{trace_id="0102030405060708090a0b0c0d0e0f10"\} 3 ')

    def test_counts_of_threads_add_up(self):
        client = self.client()
        ticks = client.counter("py_ticks_total", "Ticks.", ["n"])
        threads = [threading.Thread(target=lambda: [ticks.labels(n % 7).inc() for n in range(7000)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(client.flush(10))
        self.expect({("py_ticks_total", (("n", str(n)),)): 4000 for n in range(7)})

    def test_forks_add_up_whether_they_close_flush_or_run_multiprocessing(self):
        client = self.client()
        jobs = client.counter("py_forked_total", "Jobs.", ["how"])
        jobs.labels("forked").inc(1000)
        for end in (client.close, lambda: client.flush(10)):
            child = os.fork()
            if child == 0:
                jobs.labels("forked").inc(10)
                jobs.labels("only child").inc()
                end()
                os._exit(0)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
        process = multiprocessing.get_context("fork").Process(target=count_and_end, args=(jobs, 5))
        process.start()
        process.join()
        self.assertEqual(process.exitcode, 0)
        jobs.labels("forked").inc(1)
        self.assertTrue(client.flush(10))
        self.expect({("py_forked_total", (("how", "forked"),)): 1021, ("py_forked_total", (("how", "only child"),)): 2,
                     ("py_forked_total", (("how", "spawned"),)): 5})

    def test_a_program_that_just_ends_delivers(self):
        program = ("import midst_push\n"
                   f"midst_push.Client({str(self.agent.push_socket)!r}).counter('py_short_total', 'Short.').inc(7)\n")
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30,
                       env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python")})
        self.expect({("py_short_total", ()): 7})

    def test_a_program_that_is_terminated_delivers(self):
        program = ("import midst_push, os, signal\n"
                   f"client = midst_push.Client({str(self.agent.push_socket)!r}, flush_interval=10)\n"
                   "client.counter('py_terminated_total', 'Terminated.').inc(7)\n"
                   "os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n")
        done = subprocess.run([sys.executable, "-c", program], timeout=30,
                              env={**os.environ, "PYTHONPATH": str(ROOT / "bindings/python")})
        self.assertEqual(done.returncode, -signal.SIGTERM)
        self.expect({("py_terminated_total", ()): 7})

    def test_wrong_use_is_told_and_harms_nothing(self):
        client = self.client()
        right = client.counter("py_right_total", "Right.", ["a"])
        with self.assertLogs("midst_push", logging.WARNING) as logs:
            wrong = client.gauge("py_right_total", "Wrong.")
            wrong.set(1)
            client.histogram("not a name", "Wrong.").observe(1)
        self.assertEqual([record.getMessage().split(": ")[1] for record in logs.records], ["py_right_total", "not a name"])
        self.assertRaises(ValueError, right.inc)
        self.assertRaises(ValueError, right.labels, "x", "y")
        self.assertRaises(ValueError, client.gauge, "py_g", "G.", merge="average")
        right.labels("x").inc()
        client.close()
        client.close()
        right.labels("x").inc()
        right.labels("new").inc()
        self.assertFalse(client.flush(0.01))
        self.assertFalse(client.stats().is_connected)
        self.assertRaises(ValueError, client.counter, "py_late_total", "Late.")
        self.expect({("py_right_total", (("a", "x"),)): 1})

    def test_nothing_waits_for_an_agent_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder, midst_push.Client(str(Path(folder) / "none.sock")) as client:
            client.counter("py_alone_total", "Alone.").inc()
            self.assertFalse(client.flush(0.05))


if __name__ == "__main__":
    unittest.main()
