"""One thing wrong with Redis at a time, and exactly what the page then lacks: refused and renamed commands, replies of
another shape, cut and late ones, broken numbers, odd names, keys that are no text, keys of other cluster nodes."""
import re
import time
import unittest

from resp import Client
from scripted_redis import Cut, Hang, Late, Raw, ScriptedRedis, error
from stack import Agent, Cluster, Redis, get

# The families that each question of a default scrape brings, beyond what INFO tells.
FAMILIES_OF = {
    ("CONFIG",): r"redis_config_.*",
    ("LATENCY", "LATEST"): r"redis_latency_spikes?_.*",
    ("LATENCY", "HISTOGRAM"): r"redis_commands_latencies_usec_.*",
    ("SLOWLOG",): r"redis_(slowlog_.*|last_slow_execution_duration_seconds)",
}
# What the agent itself has counted so far: shown also where the newest reply has not come.
KEPT = re.compile(r"redis_(latency_spikes|slowlog_.*)_total")
# About the conversation itself: these may come and go with it.
OWN = re.compile(r"redis_exporter_.*|redis_errors_total|redis_clients_.*")
CONFIG = '[scrape]\nmin_interval = "0s"\n[[redis]]\nurl = "{url}"\n'
LAST_ERROR = "redis_exporter_last_scrape_error"


def fill(client):
    """So that every family of FAMILIES_OF and of the keyspace has something to show."""
    client.pipeline([("CONFIG", "SET", "latency-monitor-threshold", "1", "slowlog-log-slower-than", "1000"),
                     ("EVAL", "local i = 0 while i < 3000000 do i = i + 1 end return i", "0"),
                     ("CONFIG", "SET", "latency-monitor-threshold", "0", "slowlog-log-slower-than", "-1"), ("SET", "a", "1"),
                     ("SET", "b", "1", "EX", "10000"), ("GET", "a"), ("GET", "none"), ("LPUSH", "a", "1"), ("NOSUCH",)])


def families(page):
    return {name for name, _ in page if name.startswith("redis_") and not OWN.fullmatch(name)}


class Faults(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        with Client(cls.redis.start().port) as client:
            fill(client)
        agent = Agent(CONFIG.format(url=cls.redis.url))
        try:
            agent.start().page()
            cls.complete = families(agent.page())
        finally:
            agent.stop()
        for pattern in FAMILIES_OF.values():
            assert any(re.fullmatch(pattern, name) for name in cls.complete), f"{pattern} is not on the page"

    def agent(self, redis, more=""):
        agent = Agent(CONFIG.format(url=redis.url) + more)
        self.addCleanup(agent.stop)
        return agent.start()

    def scripted(self, *rules, upstream=None):
        server = ScriptedRedis((upstream or self.redis).port)
        self.addCleanup(server.stop)
        server.rules = list(rules)
        return server

    def without(self, *questions):
        """The families of a complete page but for those of these questions."""
        return {name for name in self.complete
                if not any(re.fullmatch(FAMILIES_OF[question], name) for question in questions)}

    def without_newest(self, *questions):
        """The same on a server that was scraped before: the agent's own counts go on."""
        return self.without(*questions) | {name for name in self.complete if KEPT.fullmatch(name)}

    def assert_up_with(self, page, expected):
        self.assertEqual(page["redis_up", ()], 1)
        self.assertEqual(families(page) ^ expected, set(), "families lost or gained")

    def until_complete(self, agent, seconds=10):
        """A reconnect may wait for its back-off."""
        end = time.monotonic() + seconds
        page = agent.page()
        while page["redis_up", ()] != 1 and time.monotonic() < end:
            page = agent.page()
        self.assert_up_with(page, self.complete)

    def assert_down(self, page, word):
        self.assertEqual(page["redis_up", ()], 0)
        self.assertEqual(page[LAST_ERROR, (("err", word),)], 1)
        self.assertEqual(families(page) - {"redis_up", "redis_target_scrape_request_errors_total"}, set())


class Refused(Faults):
    """-NOPERM, unknown and renamed commands, -LOADING to one question or to all."""

    def test_a_question_refused_in_any_way_costs_its_own_families_alone(self):
        refusals = ("NOPERM this user has no permissions to run the command", "ERR unknown command 'X'",
                    "LOADING Redis is loading the dataset in memory", "ERR something else went wrong",
                    "MOVED 1234 127.0.0.1:1", "BUSY Redis is busy running a script")
        for question in FAMILIES_OF:
            for refusal in refusals:
                with self.subTest(question=question, refusal=refusal):
                    agent = self.agent(self.scripted((question, error(refusal))))
                    for _ in range(3):
                        self.assert_up_with(agent.page(), self.without(question))

    def test_all_questions_but_info_refused_leave_all_of_info(self):
        agent = self.agent(self.scripted(*((question, error("NOPERM no")) for question in FAMILIES_OF)))
        for _ in range(3):
            self.assert_up_with(agent.page(), self.without(*FAMILIES_OF))

    def test_commands_that_were_renamed_away_cost_their_families_alone(self):
        redis = Redis("--rename-command", "CONFIG", "", "--rename-command", "SLOWLOG", "HIDDEN", "--rename-command", "LATENCY", "")
        self.addCleanup(redis.stop)
        with Client(redis.start().port) as client:
            client.pipeline([("SET", "a", "1"), ("SET", "b", "1", "EX", "10000"), ("GET", "a"), ("LPUSH", "a", "1")])
            agent = self.agent(redis)
            for _ in range(10):
                page = agent.page()
            self.assert_up_with(page, self.without(*FAMILIES_OF))
            # Each was sent once; NOSUCH-like errors do not grow with the scrapes.
            self.assertLessEqual(int(client.info("stats")["total_error_replies"]), 1 + 6)

    def test_info_refused_is_down_with_the_reason(self):
        for refusal, word in (("LOADING Redis is loading the dataset in memory", "loading"),
                              ("NOPERM this user has no permissions to run the 'info' command", "noperm"),
                              ("NOAUTH Authentication required.", "auth"),
                              ("MASTERDOWN Link with MASTER is down", "other")):
            with self.subTest(refusal):
                agent = self.agent(self.scripted((("INFO",), error(refusal))))
                for _ in range(2):
                    page = agent.page()
                    self.assertEqual(page["redis_up", ()], 0)
                    if word != "other":
                        self.assert_down(page, word)

    def test_a_server_that_loads_is_down_until_it_has_loaded(self):
        server = self.scripted(((), error("LOADING Redis is loading the dataset in memory")))
        agent = self.agent(server)
        self.assert_down(agent.page(), "loading")
        server.rules.clear()
        self.assert_up_with(agent.page(), self.complete)


class Shapes(Faults):
    """Replies that are not what the command answers."""

    def test_a_reply_of_another_shape_costs_its_own_families_alone(self):
        shapes = {"a number": 7, "a status": "OK", "a null": None, "a text": b"\xff\x00 text", "numbers": [1, 2, 3],
                  "nulls": [None, None], "nested": [[[[]]]], "odd pairs": [b"a", [b"b"], b"c"]}
        for question in FAMILIES_OF:
            for shape, value in shapes.items():
                if (question, shape) == (("SLOWLOG",), "a number"):
                    continue  # what SLOWLOG LEN answers
                with self.subTest(question=question, shape=shape):
                    agent = self.agent(self.scripted((question, lambda words, reply, value=value: value)))
                    self.assert_up_with(agent.page(), self.without(question))

    def test_info_of_another_shape_is_down(self):
        for value in (7, None, [b"redis_version:7.0.15"], b"", b"\xff\xfe\x00", b"no field at all\r\n"):
            with self.subTest(value):
                page = self.agent(self.scripted((("INFO",), lambda words, reply, value=value: value))).page()
                self.assertEqual(page["redis_up", ()], 0)
                self.assertEqual(page[LAST_ERROR, (("err", "protocol"),)], 1)

    def test_bytes_that_are_no_protocol_are_down_and_the_next_scrape_is_complete(self):
        for garbage in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$abc\r\n", b"*-7\r\n", b"$99999999999999999999\r\n", b"\x16\x03\x01\r\n"):
            with self.subTest(garbage):
                server = self.scripted((("INFO",), lambda words, reply, garbage=garbage: Raw(garbage)))
                agent = self.agent(server)
                page = agent.page(scrape_timeout="2")
                self.assertEqual(page["redis_up", ()], 0)
                server.rules.clear()
                self.until_complete(agent)


class Broken(Faults):
    """Connections that end or hang in the middle of a reply."""

    def questions_in_order(self):
        """The questions of a scrape on a known server, in the order of its one write."""
        server = self.scripted()
        agent = self.agent(server)
        agent.page()
        seen = len(server.commands)
        agent.page()
        return [tuple(command.split()[:2]) for command in server.commands[seen:]]

    def test_a_disconnect_inside_a_reply_costs_what_had_not_come_yet(self):
        order = self.questions_in_order()
        self.assertEqual(order[0][0], "INFO")
        for place, question in enumerate(order[1:], 1):
            for keep in (0, 1, 5, -1):
                with self.subTest(question=question, keep=keep):
                    server = self.scripted()
                    agent = self.agent(server)
                    self.assert_up_with(agent.page(), self.complete)
                    server.rules = [(question, Cut(keep))]
                    lost = [own for own in FAMILIES_OF for asked in order[place:] if asked[: len(own)] == own]
                    # The slow log asks two things; cut in the second, its families are not complete.
                    self.assert_up_with(agent.page(), self.without_newest(*lost))
                    server.rules.clear()
                    self.until_complete(agent)

    def test_a_disconnect_inside_info_is_down_once(self):
        for keep in (1, 4, 100, 3000, -1):
            with self.subTest(keep=keep):
                server = self.scripted()
                agent = self.agent(server)
                self.assert_up_with(agent.page(), self.complete)
                server.rules = [(("INFO",), Cut(keep))]
                self.assert_down(agent.page(), "closed")
                server.rules.clear()
                self.until_complete(agent)

    def test_a_hang_inside_the_replies_costs_what_had_not_come_yet_and_no_deadline(self):
        order = self.questions_in_order()
        for place, question in enumerate(order[1:], 1):
            with self.subTest(question=question):
                server = self.scripted()
                agent = self.agent(server)
                self.assert_up_with(agent.page(), self.complete)
                server.rules = [(question, Hang())]
                began = time.monotonic()
                page = agent.page(scrape_timeout="1.5")
                self.assertLess(time.monotonic() - began, 1.5)
                lost = [own for own in FAMILIES_OF for asked in order[place:] if asked[: len(own)] == own]
                self.assert_up_with(page, self.without_newest(*lost))
                server.rules.clear()
                self.until_complete(agent)

    def test_a_hang_before_info_is_down_within_the_deadline(self):
        server = self.scripted((("INFO",), Hang()))
        agent = self.agent(server)
        began = time.monotonic()
        self.assert_down(agent.page(scrape_timeout="1.5"), "timeout")
        self.assertLess(time.monotonic() - began, 1.5)
        server.rules.clear()
        self.until_complete(agent)

    def test_a_late_reply_is_waited_for(self):
        agent = self.agent(self.scripted((("SLOWLOG", "LEN"), Late(0.4))))
        self.assert_up_with(agent.page(scrape_timeout="5"), self.complete)


class Texts(Faults):
    """INFO and the other texts with broken numbers, repeated fields and odd names in them."""

    def changed(self, change, question=("INFO",)):
        """The page when `change` has edited what the question's reply says."""
        return self.agent(self.scripted((question, lambda words, reply: change(reply)))).page()

    def replaced(self, fields):
        """The page of an INFO in which these fields have other values."""
        def change(text):
            for name, value in fields.items():
                text = re.sub(rb"(?m)^%s:[^\r]*" % name.encode(), b"%s:%s" % (name.encode(), value.encode()), text)
            return text
        return self.changed(change)

    def test_huge_numbers_are_shown_as_they_are(self):
        page = self.replaced({"used_memory": "18446744073709551615", "total_commands_processed": "9" * 40, "hz": "-1",
                              "connected_clients": "1e308", "mem_fragmentation_ratio": "0.000000000001", "evicted_keys": "00042"})
        self.assert_up_with(page, self.complete)
        for name, value in (("memory_used_bytes", 2.0**64), ("commands_processed_total", 1e40), ("hz", -1),
                            ("connected_clients", 1e308), ("mem_fragmentation_ratio", 1e-12), ("evicted_keys_total", 42)):
            self.assertEqual(page[f"redis_{name}", ()], value, name)

    def test_what_is_no_number_costs_itself_alone(self):
        broken = {"used_memory": "12%", "hz": "", "connected_clients": "1.5K", "evicted_keys": " 4", "keyspace_hits": "0x10"}
        lost = {"redis_memory_used_bytes", "redis_hz", "redis_connected_clients", "redis_evicted_keys_total", "redis_keyspace_hits_total"}
        self.assert_up_with(self.replaced(broken), self.complete - lost)

    def test_repeated_lines_are_shown_once_with_their_first_value(self):
        def change(text):
            again = re.sub(rb"(?m)^(\w+:)(\d+)\r$", rb"\g<1>123456789\r", text)
            return text + b"\r\n" + again
        page = self.changed(change)  # a series that comes twice fails in samples()
        self.assert_up_with(page, self.complete)
        self.assertNotEqual(page["redis_memory_used_bytes", ()], 123456789)
        self.assertEqual(page["redis_hz", ()], 10)

    def test_repeated_histograms_and_spikes_are_shown_once(self):
        for question in (("LATENCY", "HISTOGRAM"), ("LATENCY", "LATEST")):
            with self.subTest(question):
                self.assert_up_with(self.changed(lambda reply: reply + reply, question), self.complete)

    def test_odd_names_stay_valid_labels_and_cost_nothing(self):
        odd = (b'cmdstat_we"ird\\:calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0', b"cmdstat_:calls=1,usec=1",
               b"cmdstat_\xff\xfe:calls=2,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0", b"errorstat_\xc3\x28:count=3",
               b"errorstat_{}:count=4", b"db99:keys=5,expires=0,avg_ttl=0", b"dbx:keys=1", b"slave0:ip=::1,port=1,state=on\xff,offset=1,lag=0",
               "cmdstat_ключ:calls=7,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0".encode(), b":", b"::::", b"a" * 100_000)
        page = self.changed(lambda text: text + b"\r\n" + b"\r\n".join(odd) + b"\r\n")
        gained = {"redis_connected_slave_offset_bytes", "redis_connected_slave_lag_seconds"}
        self.assert_up_with(page, self.complete | gained)
        self.assertEqual(page["redis_commands_total", (("cmd", 'we"ird\\'),)], 1)
        self.assertEqual(page["redis_commands_total", (("cmd", "ключ"),)], 7)
        self.assertEqual(page["redis_errors_total", (("err", "{}"),)], 4)
        self.assertEqual(page["redis_db_keys", (("db", "db99"),)], 5)

    def test_more_kinds_of_errors_than_allowed_are_folded(self):
        added = b"".join(b"errorstat_CUSTOM%d:count=2\r\n" % number for number in range(500))
        page = self.changed(lambda text: text + b"\r\n" + added)
        self.assert_up_with(page, self.complete)
        kinds = {dict(labels)["err"]: value for (name, labels), value in page.items() if name == "redis_errors_total"}
        self.assertLess(len(kinds), 100)
        self.assertEqual(sum(value for kind, value in kinds.items() if kind.startswith("CUSTOM") or kind == "other"), 1000)

    def test_a_slow_command_with_binary_arguments_costs_nothing(self):
        def change(reply):
            return [[2**62, 1, 10**15, [b"\xff\x00SET", b"\xfe" * 128], b"127.0.0.1:1", b"\xff"]] if isinstance(reply, list) else reply
        page = self.changed(change, ("SLOWLOG", "GET"))
        self.assertEqual(page["redis_up", ()], 1)
        self.assertEqual(page["redis_slowlog_last_id", ()], 2.0**62)
        self.assertEqual(page["redis_last_slow_execution_duration_seconds", ()], 1e9)
        self.assertEqual(self.complete - families(page), set())


class Keys(Faults):
    """Keys that the operator asked for by name or pattern."""

    def sizes(self, page):
        return {dict(labels)["key"]: value for (name, labels), value in page.items() if name == "redis_key_size"}

    def watched(self, *commands):
        redis = Redis()
        self.addCleanup(redis.stop)
        client = self.enterContext(Client(redis.start().port))
        fill(client)
        client.pipeline(commands)
        return redis, client

    def test_keys_with_odd_names_each_have_their_series(self):
        names = ['k:plain', 'k:quote"', "k:back\\slash", "k:new\nline", "k:ключ", "k:", "k:{x}=,", "k: "]
        redis, _ = self.watched(*(("RPUSH", name, "a") for name in names))
        page = self.agent(redis, '[redis.keys]\ncheck = ["k:*"]\n').page()
        self.assertEqual(self.sizes(page), dict.fromkeys(names, 1))
        self.assertEqual(self.complete - families(page), set())

    def test_keys_that_are_no_text_cost_nothing_and_leave_the_page_valid(self):
        redis, _ = self.watched(("RPUSH", b"k:\xff\xfe", "a"), ("RPUSH", b"k:\x00", "a", "b"), ("RPUSH", b"k:\xc3", "a"),
                                ("RPUSH", b"k:same\xff", "a"), ("RPUSH", b"k:same\xfe", "a"),
                                ("RPUSH", "k:text", "a", "b", "c"))
        agent = self.agent(redis, '[redis.keys]\ncheck = ["k:*"]\ncount = ["k:*"]\n')
        page = agent.page()
        # What is no UTF-8 is shown as U+FFFD; two keys that then look the same are one series.
        self.assertEqual(self.sizes(page), {"k:text": 3, "k:\x00": 2, "k:\ufffd\ufffd": 1, "k:\ufffd": 1, "k:same\ufffd": 1})
        self.assertEqual(page["redis_keys_count", (("db", "db0"), ("key", "k:*"))], 6)
        self.assertEqual(self.complete - families(page), set())

    def test_values_that_are_no_text_or_too_big_cost_nothing(self):
        redis, _ = self.watched(("SET", "k:binary", b"\xff\x00\xfe"), ("SET", "k:big", "x" * 5_000_000), ("SET", "k:number", "1e3"),
                                ("SET", "k:nan", "nan"), ("SET", "k:lines", 'a"\n\\b'))
        agent = self.agent(redis, '[redis.keys]\ncheck = ["k:*"]\nvalues = true\n')
        page = agent.page()
        self.assertEqual(self.sizes(page), {"k:binary": 3, "k:big": 5_000_000, "k:number": 3, "k:nan": 3, "k:lines": 5})
        self.assertEqual(page["redis_key_value", (("db", "db0"), ("key", "k:number"))], 1000)
        self.assertLess(len(get(agent.url())[2]), 1_000_000)
        self.assertEqual(self.complete - families(page), set())

    def test_a_key_that_changes_its_type_or_goes_is_followed(self):
        redis, client = self.watched(("RPUSH", "k", "a", "b"), ("SET", "other", "12"))
        agent = self.agent(redis, '[redis.keys]\nsingle = ["k", "other"]\nmissing = "omit"\n')
        self.assertEqual(self.sizes(agent.page()), {"k": 2, "other": 2})
        client.pipeline([("DEL", "k"), ("SADD", "k", "a", "b", "c")])
        agent.page()
        self.assertEqual(self.sizes(agent.page()), {"k": 3, "other": 2})
        client("DEL", "k")
        agent.page()
        page = agent.page()
        self.assertEqual(self.sizes(page), {"other": 2})
        self.assertEqual(self.complete - families(page), set())

    def test_a_denied_key_costs_itself_alone(self):
        redis, client = self.watched(("RPUSH", "mine", "a", "b"), ("RPUSH", "theirs", "a"))
        client("ACL", "SETUSER", "watcher", "on", ">pw", "+@all", "%R~mine*")
        redis_url = type("Address", (), {"url": f"redis://watcher:pw@{redis.address}"})
        page = self.agent(redis_url, '[redis.keys]\nsingle = ["mine", "theirs"]\n').page()
        self.assertEqual(self.sizes(page), {"mine": 2})
        self.assertEqual(self.complete - families(page), set())

    def test_keys_of_other_cluster_nodes_cost_themselves_alone(self):
        cluster = Cluster()
        self.addCleanup(cluster.stop)
        cluster.start()
        for number in range(60):
            cluster.masters[0].cli("-c", "RPUSH", f"item:{number}", "a")
        here = set(cluster.masters[1].cli("--raw", "KEYS", "*").split())
        self.assertTrue(0 < len(here) < 60)
        names = ", ".join(f'"item:{number}"' for number in range(60))
        page = self.agent(cluster.masters[1], f"[redis.keys]\nsingle = [{names}]\n").page()
        self.assertEqual(page["redis_up", ()], 1)
        self.assertEqual(self.sizes(page), dict.fromkeys(here, 1))
        self.assertIn(("redis_cluster_state", ()), page)


if __name__ == "__main__":
    unittest.main()
