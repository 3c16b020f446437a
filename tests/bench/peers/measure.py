"""What the comparisons with other programs share: clocks of other processes, alternating blocks, verdicts."""
import http.client
import os
import statistics
import time


def cpu_seconds(pid):
    """CPU time of all threads of a process that live, in nanosecond resolution where the kernel keeps it."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            continue
    return total / 1e9 if total else tick_seconds(pid)


def tick_seconds(pid):
    """utime + stime, in ticks of 10 ms; of threads that have ended, too."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


class Scraper:
    """Scrapes one program over a kept connection, as Prometheus does."""

    def __init__(self, server, path="/metrics", headers=None, seconds=60, up="redis_up"):
        self.server, self.path, self.up_line = server, path, f"\n{up} 1\n"
        self.headers = {"X-Prometheus-Scrape-Timeout-Seconds": "30", **(headers or {})}
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds)

    def __call__(self):
        """(seconds, page); raises OSError when there is no answer in time."""
        began = time.perf_counter()
        self.connection.request("GET", self.path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - began
        if answer.status != 200:
            raise AssertionError(f"{self.server.name} answered {answer.status}")
        return taken, body.decode()

    def up(self):
        """A page that says that the server is up, or an error: a failed scrape is cheap and must not be measured."""
        taken, page = self()
        if self.up_line not in page:
            raise AssertionError(f"{self.server.name} does not say {self.up_line.strip()}")
        return taken, page

    def close(self):
        self.connection.close()


def cpu_block(scraper, count):
    """CPU seconds per scrape over a block."""
    pid = scraper.server.process.pid
    before = cpu_seconds(pid)
    for _ in range(count):
        scraper.up()
    return (cpu_seconds(pid) - before) / count


def time_block(scraper, count):
    """The median seconds per scrape over a block."""
    return statistics.median(scraper.up()[0] for _ in range(count))


def alternate(blocks, measured):
    """{name: [value of each block]}; in each block every program once, in turning order."""
    values = {name: [] for name in measured}
    names = list(measured)
    for block in range(blocks):
        for name in names[block % len(names):] + names[: block % len(names)]:
            values[name].append(measured[name]())
    return values


class Report:
    """Collects comparisons, prints each at once, and knows whether all hold."""

    def __init__(self):
        self.results = []

    def compare(self, title, unit, scale, values, ours, limit, is_judged=True):
        """Ours against each other name of `values`; `limit` bounds ours/theirs for the first of them, the judge."""
        medians = {name: statistics.median(series) * scale for name, series in values.items()}
        print(f"\n{title}")
        for name, series in values.items():
            print(f"  {name:<28} median {medians[name]:10.3f} {unit}   spread {min(series) * scale:.3f} … "
                  f"{max(series) * scale:.3f}   {len(series)} blocks")
        judge = next(name for name in values if name != ours)
        for name in values:
            if name == ours:
                continue
            ratio = medians[ours] / medians[name]
            verdict = ("pass" if ratio <= limit else "FALLS SHORT") if is_judged and name == judge else "told, not judged"
            print(f"  ours / {name}: 1/{1 / ratio:.1f} of it; to be at most 1/{1 / limit:g}: {verdict}")
            self.results.append({"title": title, "against": name, "unit": unit, "ours": medians[ours], "theirs": medians[name],
                                 "ratio": ratio, "limit": limit, "judged": is_judged and name == judge, "holds": ratio <= limit,
                                 "blocks": {"ours": values[ours], "theirs": values[name]}})

    def claim(self, title, text, holds, judged=True, **numbers):
        """A statement that is true or not, without a ratio."""
        verdict = ("pass" if holds else "FALLS SHORT") if judged else "told, not judged"
        print(f"\n{title}\n  {text}: {verdict}")
        self.results.append({"title": title, "text": text, "holds": holds, "judged": judged, **numbers})

    def holds(self):
        return all(result["holds"] for result in self.results if result["judged"])
