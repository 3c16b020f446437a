"""Every format of /metrics against a parser that is not ours, and against the Prometheus that will scrape it."""
import gzip
import subprocess
import unittest

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from stack import Prometheus, Stack, get, samples, wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
# What Prometheus 2.42 sends; it prefers OpenMetrics.
PROMETHEUS_ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = cls.enterClassContext(Stack(with_api=True))
        for path in ("/health", "/v1/profiles", "/none"):
            get(cls.stack.api.url(path))
        wait_until(lambda: any(name == "http_requests_total" for name, _ in cls.stack.agent.page()), "pushed metrics")

    def page(self, accept, **headers):
        status, received, body = get(self.stack.agent.url(), {"Accept": accept, **headers})
        self.assertEqual(status, 200)
        return received, body

    def test_promtool_finds_no_parse_error_and_only_lints_of_drop_in_names(self):
        _, body = self.page("text/plain")
        done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
        # 3 is promtool's code for lint findings; names that dashboards hold on to are not ours to correct.
        self.assertIn(done.returncode, (0, 3), done.stderr.decode())
        ours = [line for line in (done.stdout + done.stderr).decode().splitlines()
                if line.startswith(("midst_", "http_", "db_", "cache_", "active_"))]
        self.assertEqual(ours, [], "a name of our own breaks the rules")

    def test_text_is_what_an_unknown_client_gets(self):
        for accept in ("", "*/*", "text/html"):
            headers, body = self.page(accept)
            self.assertEqual(headers["Content-Type"], TEXT)
            self.assertEqual(samples(body.decode())["redis_up", ()], 1)

    def test_openmetrics_parses_and_carries_the_same_series(self):
        headers, body = self.page(PROMETHEUS_ACCEPT)
        self.assertEqual(headers["Content-Type"], OPENMETRICS)
        found = {(sample.name, tuple(sorted(sample.labels.items())))
                 for family in parse_openmetrics(body.decode()) for sample in family.samples}
        _, text = self.page("text/plain")
        ours = set(samples(text.decode()))
        moving = {"pg_stat_activity_count", "pg_stat_activity_max_tx_duration", "pg_locks_count"}
        self.assertEqual({series for series in found ^ ours if series[0] not in moving}, set())

    def test_gzip_is_served_when_asked_for_and_only_then(self):
        headers, body = self.page("text/plain", **{"Accept-Encoding": "gzip"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertIn(b"\nredis_up 1\n", gzip.decompress(body))
        headers, body = self.page("text/plain", **{"Accept-Encoding": "gzip;q=0"})
        self.assertIsNone(headers["Content-Encoding"])
        self.assertIn(b"\nredis_up 1\n", body)

    def scraped_by_prometheus(self, features=()):
        prometheus = Prometheus(f"127.0.0.1:{self.stack.agent.port}", features)
        self.addCleanup(prometheus.stop)
        prometheus.start()
        wait_until(lambda: [value for _, value in prometheus.query("up")] == [1], "Prometheus says up 1")
        expected = {"redis_up": 1, "pg_up": 1, "pgbouncer_up": 1,
                    'http_requests_total{route="/health",method="GET",status="200"}': 1}
        for query, value in expected.items():
            self.assertEqual([found for _, found in prometheus.query(query)], [value], query)
        for level in ("level=warn", "level=error"):
            complaints = [line for line in prometheus.log().splitlines() if level in line]
            self.assertEqual(complaints, [])

    def test_debians_prometheus_scrapes_openmetrics_without_a_warning(self):
        self.scraped_by_prometheus()

    def test_debians_prometheus_scrapes_protobuf_without_a_warning(self):
        self.scraped_by_prometheus(features=("native-histograms",))


if __name__ == "__main__":
    unittest.main()
