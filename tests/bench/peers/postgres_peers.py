#!/usr/bin/env python3
"""midst-agent beside postgres_exporter on the same Postgres, in one run: CPU of the server and of the program, time on a
Unix socket and over a slow line, 5 000 tables, round trips, connections, a server without free connections. Prints
medians, ratios and spreads, and says whether each promise holds; the exit code is 1 when one does not.

  tests/bench/peers/postgres_peers.py [--json FILE] [--only WORD…] [--blocks N] [--bin DIR]
"""
import re
import subprocess
import sys
import time

import side_by_side
from side_by_side import HERE, OURS

# How old answers may be. Judged are the first two; the last one has what the exporter does not even have at each scrape.
SHIPPED, ALIKE, EVERYTHING = ("as shipped, a scrape each 15 s", "what both have asked every time", "everything asked every time")
MODES = (SHIPPED, ALIKE, EVERYTHING)
PARTS = ("cpu", "unix", "slow_line", "tables", "connections", "full", "sampler", "statements")
# Time runs this much faster: our scrapes come each 15 s / HASTE, and every ttl that is not 0 is its own / HASTE.
HASTE = 100
SCRAPE_INTERVAL_SECONDS = 15
TABLES, DATABASES = 5000, 20
GROWTH_LIMIT_BYTES = 5e6

ARGUMENTS = side_by_side.arguments(__doc__, PARTS)
import measure  # noqa: E402
import peers  # noqa: E402
import postgres_cost as cost  # noqa: E402
from stack import Agent, Postgres, PostgresExporter, Server, Session, samples  # noqa: E402


class DelayProxy(Server):
    def __init__(self, postgres):
        super().__init__("delay_proxy")
        self.postgres = postgres

    def command(self):
        return [sys.executable, HERE / "delay_proxy.py", "--port", self.port, "--upstream-port", self.postgres.port,
                "--one-way-ms", "5"]


class Exporter(PostgresExporter):
    """With the data source given in words, so that it can be a Unix socket."""

    def __init__(self, postgres, data_source, program):
        super().__init__(postgres, program=program)
        self.environment["DATA_SOURCE_NAME"] = f"{data_source} sslmode=disable"


def ttl_table(ttls):
    return "[postgres.ttl]\n" + "".join(f'{name} = "{milliseconds:.0f}ms"\n' for name, milliseconds in ttls.items())


class Bench(side_by_side.Bench):
    def __init__(self):
        super().__init__(ARGUMENTS, "postgres_exporter", (peers.newest_postgres_exporter, peers.packaged_postgres_exporter))
        self.shipped_ttls = self.judged_collectors = None

    def postgres(self, *settings, tables=30):
        """A server with a database "shop" of some tables, a role that may only look, and a few clients."""
        postgres = self.start(Postgres("autovacuum=off", "max_locks_per_transaction=256", *settings))
        postgres.sql("CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor")
        postgres.sql("CREATE DATABASE shop")
        for first in range(0, tables, 500):
            postgres.sql(f"""DO $$ BEGIN FOR n IN {first}..{min(first + 500, tables) - 1} LOOP
                EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, name text)', n);
                EXECUTE format('INSERT INTO t%s SELECT g, g::text FROM generate_series(1, 20) g', n);
                END LOOP; END $$""", "shop")
        postgres.sql("ANALYZE", "shop")
        for number in range(5):
            self.servers.append(Client(postgres, number))
        return postgres

    def agent(self, where, ttls=None, more="", sample_interval="0s"):
        ttls = self.shipped() if ttls is None else ttls
        return self.start(Agent(f'[log]\nlevel = "warn"\n[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{where}"\n'
                                f'max_share = 0\nsample_interval = "{sample_interval}"\n{more}{ttl_table(ttls)}'))

    def shipped(self):
        """{collector: its own ttl in ms}, as the page of an agent tells it."""
        if self.shipped_ttls is None:
            postgres = self.start(Postgres())
            agent = self.start(Agent(f'[[postgres]]\ndsn = "{postgres.dsn()}"\nmax_share = 0\n'))
            found = {dict(labels)["collector"]: value * 1e3 for (name, labels), value in agent.page().items()
                     if name == "midst_pg_collector_interval_seconds"}
            for server in (agent, postgres):
                self.servers.remove(server)
                server.stop()
            self.shipped_ttls = found
        return self.shipped_ttls

    def ttls(self, mode):
        """{collector: ttl in ms} for a mode."""
        if mode == EVERYTHING:
            return dict.fromkeys(self.shipped(), 0)
        asked_always = self.judge_collectors() if mode == ALIKE else set()
        return {name: 0 if name in asked_always else milliseconds / HASTE for name, milliseconds in self.shipped().items()}

    def judge_collectors(self):
        """What the exporter that judges calls its default collectors; it has no times to live."""
        if self.judged_collectors is None:
            postgres = self.start(Postgres())
            program = self.exporters[next(iter(self.exporters))]
            page = samples(self.scraper(self.start(Exporter(postgres, self.socket(postgres, "postgres", "postgres"), program))).up()[1])
            self.judged_collectors = {dict(labels)["collector"] for name, labels in page if name == "pg_scrape_collector_success"}
        return self.judged_collectors

    def scraper(self, program):
        scraper = measure.Scraper(program, up="pg_up")
        for _ in range(3):
            scraper.up()
        return scraper

    def exporter_scrapers(self, postgres, where):
        return {name: self.scraper(self.start(Exporter(postgres, where, program))) for name, program in self.exporters.items()}

    @staticmethod
    def socket(postgres, database="shop", user="monitor"):
        return f"host={postgres.folder} port={postgres.port} dbname={database} user={user}"

    def in_turns(self, mode, postgres, scrapers, measured):
        """{name: [what `measured` makes of each block]}, alternating; ours at the pace of its mode."""
        pace = {} if mode == EVERYTHING else {OURS: SCRAPE_INTERVAL_SECONDS / HASTE}
        blocks = {name: cost.Costs(postgres, scraper, pace.get(name, 0)) for name, scraper in scrapers.items()}
        return measure.alternate(ARGUMENTS.blocks, {name: lambda name=name: measured(name, blocks[name]) for name in blocks})

    def costs(self, mode, postgres, scrapers, scrapes):
        """{"server" or "program": {name: [seconds per scrape of each block]}}."""
        values = self.in_turns(mode, postgres, scrapers, lambda name, costs: costs.block(scrapes[name]))
        return {what: {name: [block[what] for block in series] for name, series in values.items()}
                for what in ("server", "program")}

    def times(self, title, mode, postgres, scrapers, limit, scrapes):
        values = self.in_turns(mode, postgres, scrapers, lambda _, costs: costs.times(scrapes))
        self.compare(f"{title}, {mode}", mode, values, limit)

    def cpu(self):
        for mode in MODES:
            ttls = self.ttls(mode)
            postgres = self.postgres()
            where = self.socket(postgres)
            scrapers = {OURS: self.scraper(self.agent(where, ttls)), **self.exporter_scrapers(postgres, where)}
            found = self.costs(mode, postgres, scrapers, dict.fromkeys(scrapers, 60))
            self.compare(f"CPU of the server per scrape, {mode}", mode, found["server"], 1 / 3)
            self.compare(f"CPU of the program per scrape, {mode}", mode, found["program"], 1 / 5)
            self.stop()

    def compare(self, title, mode, values, limit):
        self.report.compare(title, "ms", 1e3, values, OURS, limit, is_judged=mode != EVERYTHING)

    def unix(self):
        for mode in MODES:
            ttls = self.ttls(mode)
            postgres = self.postgres()
            where = self.socket(postgres)
            scrapers = {OURS: self.scraper(self.agent(where, ttls)), **self.exporter_scrapers(postgres, where)}
            self.times("Time of a scrape on a Unix socket", mode, postgres, scrapers, 1 / 4, 40)
            if mode == SHIPPED:
                values = {name: [measure.rss_bytes(scraper.server.process.pid)] for name, scraper in scrapers.items()}
                self.report.compare("Resident memory of the program afterwards", "MB", 1e-6, values, OURS, 1)
            self.stop()

    def slow_line(self):
        for mode in MODES:
            ttls = self.ttls(mode)
            postgres = self.postgres()
            proxies = {name: self.start(DelayProxy(postgres)) for name in (OURS, *self.exporters)}
            where = {name: f"host=127.0.0.1 port={proxy.port} dbname=shop user=monitor" for name, proxy in proxies.items()}
            scrapers = {OURS: self.scraper(self.agent(where[OURS], ttls))}
            scrapers |= {name: self.scraper(self.start(Exporter(postgres, where[name], program)))
                         for name, program in self.exporters.items()}
            self.times("Time of a scrape at 10 ms round trip", mode, postgres, scrapers, 1 / 12, 10)
            if mode == EVERYTHING:
                for name, scraper in scrapers.items():
                    self.count_turns(name, scraper, proxies[name], postgres)
            self.stop()

    def count_turns(self, name, scraper, proxy, postgres, scrapes=20):
        before = cost.wire_counts(proxy)
        for _ in range(scrapes):
            scraper.up()
        counted = {what: (count - before[what]) / scrapes for what, count in cost.wire_counts(proxy).items()}
        if name == OURS:
            held = len(cost.sessions(postgres))
            self.report.claim("Round trips in steady state: " + name,
                              f"{counted['turns']:g} turns per scrape over {held} held connections, {counted['connections']:g} new ones",
                              counted["turns"] <= held and counted["connections"] == 0, held=held, **counted)
        else:
            self.report.claim("Round trips in steady state: " + name,
                              f"{counted['turns']:g} turns per scrape, {counted['connections']:g} new connections", True,
                              judged=False, **counted)

    def tables(self):
        for mode in MODES:
            ttls = self.ttls(mode)
            postgres = self.postgres("shared_buffers=128MB", tables=TABLES)
            where = self.socket(postgres)
            scrapers = {OURS: measure.Scraper(self.agent(where, ttls), up="pg_up")}
            self.growth(mode, postgres, scrapers[OURS])
            scrapers |= self.exporter_scrapers(postgres, where)
            # A scrape of the exporter takes about a second: three of them make a block.
            found = self.costs(mode, postgres, scrapers, {name: 40 if name == OURS else 3 for name in scrapers})
            both = {name: [server + program for server, program in zip(found["server"][name], found["program"][name])]
                    for name in scrapers}
            self.compare(f"{TABLES} tables: CPU of server and program per scrape, {mode}", mode, both, 1 / 10)
            for what in ("server", "program"):
                self.compare(f"{TABLES} tables: of that the {what}, {mode}", EVERYTHING, found[what], 1)
            for name, scraper in scrapers.items():
                page = scraper.up()[1]
                series = sum(1 for line in page.splitlines() if line and not line.startswith("#"))
                self.report.claim(f"{TABLES} tables, series: {name}, {mode}", f"{series:,} series, {len(page) / 1e6:.1f} MB a page",
                                  True, judged=False, series=series, page_bytes=len(page))
            self.stop()

    def growth(self, mode, postgres, scraper):
        """Of the server's processes that serve the agent, from the first scrape that all of them answered to the 50th."""
        scraper.up(), scraper.up()
        first = {pid: cost.own_memory_bytes(pid) for pid in cost.sessions(postgres)}
        for _ in range(50):
            scraper.up()
        names = cost.sessions(postgres)
        last = {pid: cost.own_memory_bytes(pid) for pid in names}
        growth = {names[pid]: last[pid] - first[pid] for pid in first if pid in last}
        text = ", ".join(f"{names[pid]} by {(last[pid] - first[pid]) / 1e6:.2f} MB to {last[pid] / 1e6:.2f} MB" for pid in first if pid in last)
        self.report.claim(f"{TABLES} tables: growth of the server's processes over 50 scrapes, {mode}",
                          f"{text}; to be under {GROWTH_LIMIT_BYTES / 1e6:g} MB",
                          first.keys() == last.keys() and max(growth.values()) < GROWTH_LIMIT_BYTES, growth_bytes=growth)

    def connections(self):
        postgres = self.postgres()
        for number in range(DATABASES - 1):
            postgres.sql(f"CREATE DATABASE shop{number}")
            postgres.sql("CREATE TABLE t (id int PRIMARY KEY)", f"shop{number}")
        where = self.socket(postgres)
        scraper = self.scraper(self.agent(where, self.ttls(EVERYTHING)))
        seen, most = set(), 0
        for _ in range(60):
            scraper.up()
            found = cost.sessions(postgres)
            most = max(most, len(found))
            seen |= set(found.values())
        shown = {dict(labels)["datname"] for (name, labels) in samples(scraper.up()[1])
                 if name == "pg_stat_user_tables_n_live_tup"}
        self.report.claim(f"{DATABASES} databases: connections of {OURS}",
                          f"at most {most} at any time, to {len(seen)} databases over 60 scrapes; tables of {len(shown)} shown; to be at most 3",
                          most <= 3 and len(shown) == DATABASES, most=most, shown=len(shown))
        for name, exporter in self.exporter_scrapers(postgres, where).items():
            before = self.new_sessions(postgres)
            for _ in range(20):
                exporter.up()
            cost.settled_children(postgres.process.pid)
            shown = {dict(labels)["datname"] for (metric, labels) in samples(exporter.up()[1])
                     if metric == "pg_stat_user_tables_n_live_tup"}
            self.report.claim(f"{DATABASES} databases: connections of {name}",
                              f"{(self.new_sessions(postgres) - before) / 20:.0f} new ones per scrape; tables of {len(shown)} databases shown",
                              True, judged=False)

    @staticmethod
    def new_sessions(postgres):
        return int(postgres.sql("SELECT sum(sessions) FROM pg_stat_database WHERE datname = 'shop'"))

    def full(self):
        postgres = self.postgres("max_connections=20")
        where = self.socket(postgres)
        scrapers = {OURS: self.scraper(self.agent(where, self.ttls(EVERYTHING))), **self.exporter_scrapers(postgres, where)}
        clients = 0
        while self.is_free(postgres):
            self.servers.append(Client(postgres, clients, "shop"))
            clients += 1
        for name, scraper in scrapers.items():
            page = samples(scraper()[1])
            up = page.get(("pg_up", ()))
            failed = sum(1 for (metric, _), value in page.items() if metric == "pg_scrape_collector_success" and value == 0)
            working = sum(1 for (metric, _), value in page.items() if metric == "pg_scrape_collector_success" and value == 1)
            has_data = any(metric == "pg_stat_database_numbackends" for metric, _ in page)
            text = (f"pg_up {up}, statistics of databases {'shown' if has_data else 'MISSING'}, {working} collectors succeed, {failed} fail, "
                    f"{len(page)} series")
            self.report.claim(f"All connections taken by others: {name}", text, up == 1 and has_data and failed == 0,
                              judged=name == OURS, up=up, failed=failed, series=len(page))

    @staticmethod
    def is_free(postgres):
        """Whether one more client gets in; tried for a while, since a process that ends leaves its place a little later."""
        for _ in range(5):
            cost.settled_children(postgres.process.pid)
            try:
                postgres.sql("SELECT 1", "shop", "monitor")
                return True
            except subprocess.CalledProcessError as refused:
                assert re.search(r"too many clients|remaining connection slots", refused.stderr), refused.stderr
        return False

    def sampler(self, seconds=10):
        """Told: what the wait sampler costs beside the scrapes, as CPU of the agent and its server process each second."""
        postgres, found = self.postgres(), {}
        for which, interval in (("on", "1s"), ("off", "0s")):
            agent = self.agent(self.socket(postgres), sample_interval=interval)
            self.scraper(agent)
            watched = [agent.process.pid, next(pid for pid, database in cost.sessions(postgres).items() if database == "shop")]
            before = [measure.cpu_seconds(pid) for pid in watched]
            time.sleep(seconds)
            found[which] = [(measure.cpu_seconds(pid) - was) / seconds * 1e3 for pid, was in zip(watched, before)]
            self.servers.remove(agent)
            agent.stop()
        text = "; ".join(f"{which}: agent {agent:.3f} ms, server {server:.3f} ms" for which, (agent, server) in found.items())
        self.report.claim("Wait sampler, CPU of each second without scrapes", text, True, judged=False, **found)

    def statements(self):
        """Told: which statements cost the server what, by its own measurement."""
        for tables in (30, TABLES):
            postgres = self.postgres("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on",
                                     "pg_stat_statements.track=all", "shared_buffers=128MB", tables=tables)
            postgres.sql("CREATE EXTENSION pg_stat_statements")
            where = self.socket(postgres)
            rows = cost.statement_costs(postgres, self.scraper(self.agent(where, self.ttls(EVERYTHING))), 20)
            total = sum(float(row[0]) for row in rows)
            print(f"\n{OURS}, {tables} tables: {total:.3f} ms per scrape in {len(rows)} statements (ms, calls, rows, statement)")
            for row in rows:
                if float(row[0]) >= 0.01 * total:
                    print(f"  {float(row[0]):9.4f}  {row[1]:>6}  {row[2]:>8}  {row[3]}")
            self.stop()


class Client(Session):
    """An idle connection of somebody."""

    def __init__(self, postgres, number, database="shop"):
        super().__init__(postgres, database, "monitor", f"client {number}")
        self.run("SELECT 1")


if __name__ == "__main__":
    sys.exit(0 if Bench().run() else 1)
