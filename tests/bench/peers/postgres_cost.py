"""What scrapes cost a Postgres: CPU of all its processes, memory of one of them, connections held."""
import json
import os
import signal
import statistics
import time
from pathlib import Path

import measure
from stack import wait_until


def children(pid):
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def settled_children(pid, seconds=5):
    """The server's processes once none comes or goes: a connection's process ends a little after its scrape."""
    end, seen, steady = time.monotonic() + seconds, children(pid), 0
    while steady < 5 and time.monotonic() < end:
        time.sleep(0.004)
        now = children(pid)
        steady = steady + 1 if now == seen else 0
        seen = now
    return seen


def cpu_seconds(postgres):
    """CPU time of the postmaster, of its processes that live (in nanoseconds) and of those that ended (in ticks of 10 ms
    of their sum)."""
    pid = postgres.process.pid
    living = settled_children(pid)
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return ended + measure.cpu_seconds(pid) + sum(measure.cpu_seconds(child) for child in living)


class Costs:
    """What scrapes at a pace cost: CPU seconds per scrape over a block, of the server and of the program, or their time."""

    def __init__(self, postgres, scraper, pace_seconds=0.0):
        self.postgres, self.scraper, self.pace = postgres, scraper, pace_seconds

    def scrapes(self, count):
        """The seconds that each took."""
        taken = []
        for _ in range(count):
            began = time.monotonic()
            taken.append(self.scraper.up()[0])
            if self.pace:
                time.sleep(max(0.0, began + self.pace - time.monotonic()))
        return taken

    def times(self, count):
        return statistics.median(self.scrapes(count))

    def block(self, count):
        pid = self.scraper.server.process.pid
        server, program = cpu_seconds(self.postgres), measure.cpu_seconds(pid)
        self.scrapes(count)
        program = measure.cpu_seconds(pid) - program
        return {"server": (cpu_seconds(self.postgres) - server) / count, "program": program / count}


def sessions(postgres, name="midst-agent"):
    """{pid: database} of a program's connections."""
    rows = postgres.sql(f"SELECT pid, datname FROM pg_stat_activity WHERE application_name = '{name}'").split()
    return {int(pid): database for pid, database in (row.split("|") for row in rows)}


def own_memory_bytes(pid):
    """What a process holds for itself: without the shared buffers that it touched."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))


def wire_counts(proxy):
    """What delay_proxy.py has counted so far."""
    lines = len(proxy.log().splitlines())
    proxy.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: proxy.log().count("\n") > lines, "the proxy counts")
    return json.loads(proxy.log().splitlines()[-1])


def statement_costs(postgres, scraper, scrapes):
    """[(ms, calls per scrape, rows per call, beginning of the statement)], the dearest first. The ms are those of its
    fastest execution times its calls: the mean tells more of other work on the machine."""
    postgres.sql("SELECT pg_stat_statements_reset()")
    for _ in range(scrapes):
        scraper.up()
    rows = postgres.sql(
        "SELECT round((min_exec_time * calls / {0})::numeric, 4) AS ms, round(calls / {0}.0, 2), round(rows / calls, 1),"
        " left(regexp_replace(query, '\\s+', ' ', 'g'), 110) FROM pg_stat_statements"
        " WHERE calls > 0 AND query NOT LIKE '%pg_stat_statements_reset%' ORDER BY ms DESC".format(scrapes))
    return [row.split("|", 3) for row in rows.splitlines()]
