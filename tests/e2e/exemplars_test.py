"""Exemplars from a request's trace to Prometheus' exemplar API: API, push, agent, OpenMetrics, a real Prometheus."""
import json
import unittest
import urllib.parse

from stack import Agent, Api, Prometheus, get, wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Exemplars(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = cls.started(Agent(""))
        cls.api = cls.started(Api(cls.agent.push_socket, config='[push]\ninterval = "100ms"\n'))
        cls.prometheus = cls.started(Prometheus(f"127.0.0.1:{cls.agent.port}", ("exemplar-storage",)))

    @classmethod
    def started(cls, server):
        cls.addClassCleanup(server.stop)
        return server.start()

    def request(self, path, flags):
        status, _, _ = get(self.api.url(path), {"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})
        self.assertEqual(status, 200)

    def exemplar_lines(self, accept):
        _, _, body = get(self.agent.url(), {"Accept": accept})
        return [line for line in body.decode().splitlines() if " # {" in line]

    def query_exemplars(self, query):
        words = urllib.parse.urlencode({"query": query, "start": "0", "end": "9999999999"})
        status, _, body = get(f"http://127.0.0.1:{self.prometheus.port}/api/v1/query_exemplars?{words}")
        self.assertEqual(status, 200, body)
        return json.loads(body)["data"]

    def test_prometheus_knows_the_trace_of_a_slow_bucket(self):
        found = wait_until(lambda: self.request("/health", "01") or
                           self.query_exemplars('http_request_duration_seconds_bucket{route="/health"}'), "an exemplar is stored")
        self.assertEqual({series["seriesLabels"]["method"] for series in found}, {"GET"})
        for series in found:
            for exemplar in series["exemplars"]:
                self.assertEqual(exemplar["labels"], {"trace_id": TRACE, "span_id": SPAN})
                self.assertLessEqual(float(exemplar["value"]), float(series["seriesLabels"]["le"]))
        lines = self.exemplar_lines(OPENMETRICS)
        self.assertTrue(all(line.startswith("http_request_duration_seconds_bucket{") for line in lines), lines)
        self.assertIn(f'trace_id="{TRACE}"', lines[0])
        self.assertEqual(self.exemplar_lines("text/plain; version=0.0.4"), [])
        complaints = [line for line in self.prometheus.log().splitlines() if "level=warn" in line or "level=error" in line]
        self.assertEqual(complaints, [])

    def test_a_request_without_a_sampled_trace_leaves_none(self):
        self.request("/v1/profiles", "00")
        wait_until(lambda: any(name == "http_requests_total" and ("route", "/v1/profiles") in labels
                               for name, labels in self.agent.page()), "the request is counted")
        self.assertEqual([line for line in self.exemplar_lines(OPENMETRICS) if "/v1/profiles" in line], [])


if __name__ == "__main__":
    unittest.main()
