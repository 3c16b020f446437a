"""The part "keys" of redis_peers.py: two million keys under the background sampler, what it costs the agent's memory and
other clients' waits, and beside it what the exporter's own ways of looking at keys cost."""
import random
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import measure
from resp import Client
from stack import BIN, RedisExporter, samples, wait_until

KINDS = ("session", "user:profile", "cart", "rate.limit")
SETTINGS = "[redis.collectors]\nsampler = true\n"
# Five times the default pace, for the memory of a whole cycle to be seen within the run.
HASTY_SETTINGS = SETTINGS + "[redis.sampler]\nduty_cycle = 0.05\n"
WINDOW_SECONDS = 4
IDLE, BUSY = "an agent that does not sample", "an agent that samples"
CYCLE_SECONDS = 300
GROWTH_LIMIT_BYTES = 10e6
P99_LIMIT = 2.0
SCANNED, SAMPLED, CYCLES = (f"redis_key_sampler_{what}_total" for what in ("keys_scanned", "keys_sampled", "cycles"))


def is_known():
    """Whether this midst-agent takes [redis.sampler] at all."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('[[redis]]\nurl = "redis://127.0.0.1:1"\n' + SETTINGS)
        file.flush()
        return subprocess.run([BIN / "midst-agent", "check", "--config", file.name], capture_output=True).returncode == 0


def fill(redis, keys):
    with Client(redis.port, seconds=120) as client:
        for kind in KINDS:
            client("DEBUG", "POPULATE", keys // len(KINDS), kind, 16)
        count = client("DBSIZE")
        assert count >= keys, f"{count} keys instead of {keys}"


def p99_window(client, names, seconds=WINDOW_SECONDS, until=lambda: False):
    """The 99th percentile of the waits of one busy client."""
    waits, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end and not until():
        name = random.choice(names)
        began = time.perf_counter()
        client("GET", name)
        waits.append(time.perf_counter() - began)
    return statistics.quantiles(waits, n=100)[98]


def value(agent, name):
    return agent.page().get((name, ()), 0)


def waits_in_turns(bench, redis, names, blocks):
    """{who: [p99 of each block]}, beside an agent that does not sample and beside one that does, in turning order."""
    found = {IDLE: [], BUSY: []}
    with Client(redis.port) as client:
        for block in range(blocks):
            for who in (IDLE, BUSY) if block % 2 == 0 else (BUSY, IDLE):
                found[who].append(wait_beside(bench, redis, client, names, who))
    return found


def wait_beside(bench, redis, client, names, who):
    agent = bench.agent(redis, SETTINGS if who == BUSY else "")
    value(agent, SCANNED)
    time.sleep(1)
    wait_until(lambda: who == IDLE or value(agent, SCANNED) > 0, "the sampler begins")
    before = value(agent, SCANNED)
    waited = p99_window(client, names)
    assert (value(agent, SCANNED) > before) == (who == BUSY), f"not so: {who}"
    agent.stop()
    return waited


def memory(bench, redis, keys):
    """(growth in bytes, seconds, keys scanned, keys looked at) of the first cycle of a fresh agent."""
    agent = bench.agent(redis, HASTY_SETTINGS)
    pid, began = agent.process.pid, time.monotonic()
    agent.page()
    first = most = measure.rss_bytes(pid)
    while value(agent, CYCLES) < 1 and time.monotonic() - began < CYCLE_SECONDS:
        time.sleep(0.5)
        most = max(most, measure.rss_bytes(pid))
    page = agent.page()
    most = max(most, measure.rss_bytes(pid))
    seconds = time.monotonic() - began
    agent.stop()
    counted = sum(number for (name, _), number in page.items() if name == "redis_key_prefix_keys")
    return most - first, seconds, page.get((CYCLES, ()), 0), page.get((SAMPLED, ()), 0), counted


def exporter_costs(bench, redis, names, program, flag, what):
    """Told beside it: one scrape of the exporter with its way of looking at keys."""
    exporter = bench.start(RedisExporter(redis, flag, what, program=program))
    before, done = measure.rss_bytes(exporter.process.pid), threading.Event()
    taken = []

    def scrape():
        try:
            taken.append(measure.Scraper(exporter, seconds=60).up()[0])
        except (OSError, AssertionError) as failed:
            print(f"  {failed}")
        done.set()

    with Client(redis.port) as client:
        thread = threading.Thread(target=scrape)
        thread.start()
        waited = p99_window(client, names, 60, done.is_set)
        thread.join()
    growth = measure.rss_bytes(exporter.process.pid) - before
    exporter.stop()
    return taken[0] if taken else float("nan"), waited, growth


def run(bench, keys, blocks):
    title = f"{keys:,} keys sampled"
    if not is_known():
        bench.report.claim(title, "this midst-agent knows no [redis.sampler]; not measured", False)
        return
    redis = bench.redis()
    fill(redis, keys)
    names = [f"{random.choice(KINDS)}:{random.randrange(keys // len(KINDS))}" for _ in range(10_000)]
    waits = waits_in_turns(bench, redis, names, blocks)
    for who, values in waits.items():
        print(f"  p99 of another client's GET, beside {who:<30} median {statistics.median(values) * 1e6:8.1f} us   spread "
              f"{min(values) * 1e6:.1f} … {max(values) * 1e6:.1f}   {len(values)} blocks")
    ratio = statistics.median(waits[BUSY]) / statistics.median(waits[IDLE])
    # Nobody is served faster because of the sampler: such a ratio tells of other work on the machine. So do waits that
    # waver by themselves, one bad window aside.
    steady = sorted(waits[IDLE])[:-1]
    is_telling = ratio >= 0.5 and steady[-1] <= 5 * steady[0]
    bench.report.claim(f"{title}: other clients' p99", f"{ratio:.2f} times what it is without sampling; to be at most {P99_LIMIT:g} times"
                       + ("" if is_telling else "; but the machine is too busy to tell"),
                       is_telling and ratio <= P99_LIMIT, ratio=ratio, limit=P99_LIMIT, blocks=waits)
    growth, seconds, cycles, sampled, counted = memory(bench, redis, keys)
    is_complete = cycles >= 1 and abs(counted - redis_size(redis)) <= 0.01 * keys
    bench.report.claim(f"{title}: memory of the agent",
                       f"grew by {growth / 1e6:.2f} MB in a cycle of {seconds:.0f} s (complete: {'yes' if is_complete else 'NO'}, "
                       f"{counted:,.0f} keys counted, {sampled:,.0f} looked at); to be under {GROWTH_LIMIT_BYTES / 1e6:g} MB",
                       growth < GROWTH_LIMIT_BYTES and is_complete, growth_bytes=growth, limit=GROWTH_LIMIT_BYTES)
    for name, program in bench.exporters.items():
        for flag, what in (("-count-keys", "*"), ("-check-key-groups", "^([a-z]+)")):
            taken, waited, grown = exporter_costs(bench, redis, names, program, flag, what)
            bench.report.claim(f"{title}: {name} {flag}", f"one scrape took {taken:.2f} s, other clients' p99 {waited * 1e6:.0f} us, "
                               f"memory grew by {grown / 1e6:.1f} MB", True, judged=False, seconds=taken, p99=waited, growth_bytes=grown)


def redis_size(redis):
    with Client(redis.port) as client:
        return client("DBSIZE")
