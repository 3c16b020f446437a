#!/usr/bin/env python3
"""midst-agent beside redis_exporter on the same Redis servers, in one run: CPU, time over a slow line, many commands, a
hung server, memory, and two million keys sampled. Prints medians, ratios and spreads, and says whether each promise
holds; the exit code is 1 when one does not.

  tests/bench/peers/redis_peers.py [--json FILE] [--only WORD…] [--blocks N] [--bin DIR]
"""
import signal
import sys
import threading
import time

import side_by_side
from side_by_side import E2E, HERE, OURS

PARTS = ("cpu", "slow_line", "histograms", "hung", "keys")
HUNG_SCRAPE_TIMEOUT_SECONDS = 3
KEYS = 2_000_000

ARGUMENTS = side_by_side.arguments(__doc__, PARTS)
import measure  # noqa: E402
import peers  # noqa: E402
import sampled_keys  # noqa: E402
from resp import Client  # noqa: E402
from stack import Agent, Redis, RedisExporter, Server, wait_until  # noqa: E402

DATA = "".join(f"SET key:{n} {n}\nGET key:{n}\nHSET hash:{n} f v\nLPUSH list:{n} v\nEXPIRE key:{n} 10000\nINCR count\n"
               for n in range(50)) + "GET none\nLPUSH count v\nZADD z 1 a\nSADD s a\nTYPE s\nTTL s\nEXISTS s\nDEL s\n"


class Program(Server):
    """One of this folder's Python servers in front of a Redis."""

    def __init__(self, path, upstream, *options):
        super().__init__(path.stem)
        self.path, self.upstream, self.options = path, upstream, options

    def command(self):
        return [sys.executable, self.path, "--port", self.port, "--upstream-port", self.upstream.port, *self.options]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"


class Bench(side_by_side.Bench):
    def __init__(self):
        super().__init__(ARGUMENTS, "redis_exporter", (peers.newest_redis_exporter, peers.packaged_redis_exporter))

    def agent(self, redis, more=""):
        return self.start(Agent(f'[log]\nlevel = "warn"\n[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "{redis.url}"\n{more}'))

    def everyone(self, redis):
        """{name: Scraper} over the same server, each warm."""
        programs = {OURS: self.agent(redis)}
        programs |= {name: self.start(RedisExporter(redis, program=program)) for name, program in self.exporters.items()}
        scrapers = {name: measure.Scraper(program) for name, program in programs.items()}
        for scraper in scrapers.values():
            for _ in range(3):
                scraper.up()
        return scrapers

    def redis(self, *options):
        redis = self.start(Redis("--enable-debug-command", "local", *options))
        redis.feed(DATA)
        return redis

    def cpu(self):
        scrapers = self.everyone(self.redis())
        values = measure.alternate(ARGUMENTS.blocks, {name: lambda scraper=scraper: measure.cpu_block(scraper, 100)
                                                      for name, scraper in scrapers.items()})
        self.report.compare("CPU per default scrape", "ms", 1e3, values, OURS, 1 / 8)
        values = measure.alternate(ARGUMENTS.blocks, {name: lambda scraper=scraper: measure.time_block(scraper, 50)
                                                      for name, scraper in scrapers.items()})
        self.report.compare("Time of a default scrape on loopback", "ms", 1e3, values, OURS, 1)
        values = {name: [measure.rss_bytes(scraper.server.process.pid)] for name, scraper in scrapers.items()}
        self.report.compare("Resident memory afterwards", "MB", 1e-6, values, OURS, 1)

    def slow_line(self):
        redis = self.redis()
        proxy = self.start(Program(HERE / "delay_proxy.py", redis, "--one-way-ms", "5"))
        with Client(proxy.port) as client:
            began = time.perf_counter()
            for _ in range(20):
                client("PING")
            print(f"\nround trip through the slow line: {(time.perf_counter() - began) * 50:.2f} ms")
        scrapers = self.everyone(proxy)
        values = measure.alternate(ARGUMENTS.blocks, {name: lambda scraper=scraper: measure.time_block(scraper, 10)
                                                      for name, scraper in scrapers.items()})
        self.report.compare("Time of a default scrape at 10 ms round trip", "ms", 1e3, values, OURS, 1 / 7)

    def histograms(self):
        many = self.start(Program(E2E / "scripted_redis.py", self.redis(), "--commands", "400"))
        scrapers = self.everyone(many)
        for name in list(scrapers):
            shown = scrapers[name].up()[1].count("redis_commands_latencies_usec_count{")
            if shown == 0 and name != OURS:
                print(f"\nnot compared: {name} knows no command histograms")
                scrapers.pop(name).close()
            else:
                assert shown == 400, f"{name} shows {shown} histograms"
        if len(scrapers) == 1:
            return
        for title, block in (("Time of a scrape with 400 command histograms", measure.time_block),
                             ("CPU of a scrape with 400 command histograms", measure.cpu_block)):
            # One scrape of the exporter takes about a second: three of them make a block, of ours thirty.
            values = measure.alternate(ARGUMENTS.blocks, {
                name: lambda scraper=scraper, block=block, name=name: block(scraper, 30 if name == OURS else 3)
                for name, scraper in scrapers.items()})
            self.report.compare(title, "ms", 1e3, values, OURS, 1 / 100)

    def hung(self):
        redis = self.redis()
        scrapers = self.everyone(redis)
        for name, scraper in scrapers.items():
            rounds = [self.scrape_hung(redis, scraper.server) for _ in range(ARGUMENTS.blocks if name == OURS else 1)]
            answers = [answer for answers in rounds for answer in answers]
            good = [seconds for seconds, is_down in answers if is_down]
            slowest = f", the slowest after {max(good):.2f} s" if good else ""
            self.report.claim(
                f"Hung server, 3 scrapers with a timeout of {HUNG_SCRAPE_TIMEOUT_SECONDS} s each: {name}",
                f"{len(good)} of {len(answers)} answered in time with redis_up 0{slowest}",
                len(good) == len(answers), judged=name == OURS, answered=len(good), asked=len(answers))

    @staticmethod
    def scrape_hung(redis, server):
        """[(seconds, whether a page with redis_up 0 came in time)] of three scrapers at once."""
        answers = []

        def scrape():
            began = time.perf_counter()
            scraper = measure.Scraper(server, headers={"X-Prometheus-Scrape-Timeout-Seconds": str(HUNG_SCRAPE_TIMEOUT_SECONDS)},
                                      seconds=HUNG_SCRAPE_TIMEOUT_SECONDS)
            try:
                page = scraper()[1]
            except OSError:
                page = ""
            finally:
                scraper.close()
            seconds = time.perf_counter() - began
            answers.append((seconds, "\nredis_up 0\n" in page and seconds < HUNG_SCRAPE_TIMEOUT_SECONDS))

        redis.process.send_signal(signal.SIGSTOP)
        try:
            threads = [threading.Thread(target=scrape) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            redis.process.send_signal(signal.SIGCONT)
        steady = measure.Scraper(server)
        try:
            wait_until(lambda: "\nredis_up 1\n" in steady()[1], "it comes back", 60)
        finally:
            steady.close()
        return answers

    def keys(self):
        sampled_keys.run(self, KEYS, ARGUMENTS.blocks)


if __name__ == "__main__":
    sys.exit(0 if Bench().run() else 1)
