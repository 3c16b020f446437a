"""What an operator does with a Redis target beside scraping it: rights, one-off scrapes, discovery, Sentinels, limits."""
import json
import subprocess
import unittest

from stack import BIN, Agent, Cluster, Redis, Replica, Sentinel, get, samples, wait_until

HEAD = '[scrape]\nmin_interval = "0s"\n'


def labels_of(found, name):
    return sorted(labels for known, labels in found if known == name)


class RedisTarget(unittest.TestCase):
    maxDiff = None

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def test_the_printed_acl_line_is_enough_for_everything_enabled(self):
        redis = self.start(Redis())
        redis.feed("SET a 1\nHSET h f 1\nXADD s * f v\nXGROUP CREATE s g 0\nSET b text\nPFADD p 1\n")
        everything = (HEAD + f'[[redis]]\nurl = "redis://{{}}127.0.0.1:{redis.port}/0"\nping = true\n'
                      '[redis.collectors]\nclient_list = true\nconfig_all = true\nacl_log = true\nrdb_size = true\nmodules = true\n'
                      'sampler = true\n[redis.keys]\ncheck = ["*"]\ncount = ["a*", "db1=*"]\nvalues = true\n'
                      '[redis.streams]\ncheck = ["s*"]\n[redis.key_groups]\npatterns = ["^(.)"]\n')
        agent = Agent(everything.format(""))
        self.addCleanup(agent.stop)
        checked = subprocess.run([BIN / "midst-agent", "check", "--connect", "--config", agent.config],
                                 capture_output=True, text=True, timeout=30)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        line = checked.stdout.split("a user with just the rights for this: ")[1].splitlines()[0]
        self.assertTrue(line.startswith("ACL SETUSER midst-agent on >PASSWORD resetkeys resetchannels -@all "), line)
        self.assertEqual(redis.cli(*line.replace(">PASSWORD", ">pw").split()).strip(), "OK")
        watched = self.start(Agent(everything.format("midst-agent:pw@")))
        for _ in range(3):
            found = watched.page("/metrics/redis")
        refused = [labels for labels in labels_of(found, "redis_exporter_collector_success")
                   if found["redis_exporter_collector_success", labels] != 1]
        self.assertEqual(refused, [])
        self.assertEqual(found["redis_total_error_replies", ()], 0)
        wait_until(lambda: watched.page("/metrics/redis").get(("redis_key_sampler_cycles_total", ()), 0) >= 1, "a cycle of the sampler")
        self.assertEqual(redis.info("stats")["total_error_replies"], "0")
        self.assertEqual(redis.cli("ACL", "LOG").strip(), "")

    def test_a_one_off_scrape_adds_checks_and_reaches_configured_targets_alone(self):
        redis = self.start(Redis())
        redis.cli("SET", "cart:1", "12")
        other = self.start(Redis())
        agent = self.start(Agent(f'probe = true\n{HEAD}[[redis]]\nurl = "redis://127.0.0.1:{redis.port}"\n'))
        status, _, body = get(agent.url(f"/scrape?target=redis://127.0.0.1:{redis.port}&check-keys=cart*&count-keys=*"))
        self.assertEqual(status, 200)
        found = samples(body.decode())
        self.assertEqual(found["redis_key_size", (("db", "db0"), ("key", "cart:1"))], 2)
        self.assertEqual(found["redis_keys_count", (("db", "db0"), ("key", "*"))], 1)
        self.assertNotIn("redis_key_size", {name for name, _ in agent.page()})
        for query in (f"target=redis://u:s3cret@127.0.0.1:{other.port}", "target=", "target=main&check-keys=a=b=c"):
            status, _, body = get(agent.url("/scrape?" + query))
            if query == "target=":  # the only target there is
                self.assertEqual(status, 200)
                continue
            self.assertEqual(status, 400, body)
            self.assertNotIn(b"s3cret", body)
        self.assertEqual(agent.page()["redis_target_scrape_request_errors_total", ()], 2)
        self.assertNotIn("midst-agent", other.cli("CLIENT", "LIST"))

    def test_a_cluster_is_discovered_in_the_form_of_http_service_discovery(self):
        cluster = self.start(Cluster())
        node, alone = cluster.nodes[0], self.start(Redis())
        agent = self.start(Agent(f'discovery = true\n{HEAD}'
                                 f'[[redis]]\nname = "node"\nurl = "redis://127.0.0.1:{node.port}"\n'
                                 f'[[redis]]\nname = "alone"\nurl = "redis://127.0.0.1:{alone.port}"\n'))
        status, headers, body = get(agent.url("/discover-cluster-nodes?target=node"))
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        groups = json.loads(body)
        self.assertEqual([group["labels"] for group in groups], [{}])
        self.assertEqual(sorted(groups[0]["targets"]), sorted(f"redis://127.0.0.1:{each.port}" for each in cluster.nodes))
        self.assertEqual(get(agent.url("/discover-cluster-nodes?target=alone"))[::2], (400, b"the target is no cluster\n"))
        self.assertEqual(get(agent.url("/discover-cluster-nodes?target=nobody"))[0], 400)

    def test_the_target_is_the_master_that_the_sentinels_name(self):
        master = self.start(Redis())
        replica = self.start(Replica(master))
        sentinel = self.start(Sentinel(master))
        wait_until(lambda: str(replica.port) in sentinel.cli("SENTINEL", "REPLICAS", "main"), "the Sentinel knows the replica")
        agent = self.start(Agent(f'{HEAD}[[redis]]\nname = "main"\n[redis.follow]\nsentinels = ["127.0.0.1:{sentinel.port}"]\n'
                                 'master = "main"\n[redis.collectors]\nsampler = true\n'))

        def port():
            page = agent.page("/metrics/redis")
            infos = labels_of(page, "redis_instance_info")
            return dict(infos[0])["tcp_port"] if infos else None

        self.assertEqual(port(), str(master.port))
        # A Sentinel promotes nobody before it has looked at the replica itself.
        wait_until(lambda: "OK" in sentinel.cli("SENTINEL", "FAILOVER", "main"), "the failover begins")
        wait_until(lambda: port() == str(replica.port), "the agent follows", 60)
        self.assertEqual(agent.page("/metrics/redis")["redis_up", ()], 1)

    def test_namespace_vitals_and_role_shape_the_page(self):
        redis = self.start(Redis())
        agent = self.start(Agent(f'{HEAD}[[redis]]\nurl = "redis://127.0.0.1:{redis.port}"\nnamespace = "cache"\n'
                                 'profile = "vitals"\ninstance_role_label = true\n'))
        found = agent.page("/metrics/redis")
        self.assertEqual(found["cache_up", (("instance_role", "master"),)], 1)
        names = {name for name, _ in found}
        self.assertEqual({name for name in names if name.startswith("redis_")}, set())
        self.assertNotIn("cache_commands_total", names)
        self.assertLess(len(found), 60)


if __name__ == "__main__":
    unittest.main()
