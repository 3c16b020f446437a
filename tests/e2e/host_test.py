"""The host block against Debian's node_exporter on the same machine: names, labels, types and values."""
import re
import shutil
import unittest

from stack import Agent, Server, get, samples

PROGRAM = shutil.which("prometheus-node-exporter")
COLLECTORS = ("cpu", "meminfo", "diskstats", "filesystem", "loadavg", "netdev", "stat", "uname")
# Upstream's exclusions, which Debian has changed; with the file systems of other machines, that the agent never asks.
EXCLUDED = ("--collector.filesystem.mount-points-exclude="
            r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
            "--collector.filesystem.fs-types-exclude="
            "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|"
            "overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs|nfs.*|cifs|smb.*|fuse\\..*|9p|"
            "ceph|glusterfs|lustre|afs|virtiofs|ocfs2|gfs2)$",
            r"--collector.diskstats.device-exclude=^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
            "--collector.netdev.device-exclude=^$")
# What the exporter's collectors of these names show besides.
NOT_SHOWN = re.compile(r"node_disk_(info|filesystem_info|device_mapper_info|ata_.*)|node_exporter_build_info|"
                       r"node_cpu_(core|package|info|frequency|online).*|node_scrape_collector_duration_seconds|"
                       r"node_scrape_collector_success|node_network_(receive|transmit)_nohandler_total|node_softirqs_total|promhttp_.*")
STEADY = ("node_boot_time_seconds", "node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes",
          "node_memory_HugePages_Total", "node_memory_Hugepagesize_bytes", "node_memory_VmallocTotal_bytes",
          "node_filesystem_size_bytes", "node_filesystem_files", "node_filesystem_readonly",
          "node_filesystem_device_error", "node_uname_info")


class NodeExporter(Server):
    def __init__(self):
        super().__init__("node-exporter")

    def command(self):
        return [PROGRAM, f"--web.listen-address=127.0.0.1:{self.port}", "--collector.disable-defaults",
                "--web.disable-exporter-metrics", *(f"--collector.{name}" for name in COLLECTORS), *EXCLUDED]

    def text(self):
        status, _, body = get(f"http://127.0.0.1:{self.port}/metrics")
        assert status == 200, body
        return body.decode()


def types(text):
    return dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))


@unittest.skipUnless(PROGRAM, "Debian's prometheus-node-exporter is not installed")
class Host(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exporter = cls.started(NodeExporter())
        cls.agent = cls.started(Agent("[host]\nenabled = true\n"))
        before = samples(cls.exporter.text())
        cls.text = get(cls.agent.url("/metrics/host"))[2].decode()
        cls.ours = samples(cls.text)
        cls.theirs_text = cls.exporter.text()
        cls.theirs = samples(cls.theirs_text)
        cls.before = before

    @classmethod
    def started(cls, server):
        cls.addClassCleanup(server.stop)
        return server.start()

    def test_every_series_is_one_of_the_exporters(self):
        foreign = [series for series in self.ours if series not in self.theirs and "node_scrape" not in series[0]]
        self.assertEqual(foreign, [])
        self.assertGreater(len(self.ours), 100)

    def test_nothing_of_these_collectors_is_missing(self):
        missing = {name for name, labels in self.theirs if (name, labels) not in self.ours}
        self.assertEqual({name for name in missing if not NOT_SHOWN.fullmatch(name)}, set())

    def test_every_type_is_the_exporters(self):
        theirs = types(self.theirs_text)
        self.assertEqual({name: kind for name, kind in types(self.text).items() if theirs.get(name) != kind}, {})

    def test_what_does_not_change_is_equal(self):
        compared = 0
        for series, value in self.ours.items():
            if series[0] in STEADY:
                self.assertEqual(value, self.theirs[series], series)
                compared += 1
        self.assertGreaterEqual(compared, 10)

    def test_counters_lie_between_two_scrapes_of_the_exporter(self):
        compared = 0
        for series, value in self.ours.items():
            if not series[0].endswith("_total"):
                continue
            # Its times of reads and writes are whole milliseconds; sums of them differ in the last digit.
            self.assertLessEqual(self.before[series], value + 1e-6, series)
            self.assertLessEqual(value, self.theirs[series] + 1e-6, series)
            compared += 1
        self.assertGreater(compared, 50)

    def test_it_is_a_kind_and_a_target_of_its_own(self):
        page = self.agent.page("/metrics?collect[]=host&collect[]=agent")
        self.assertEqual(page["midst_agent_target_up", (("kind", "host"), ("target", "host"))], 1)
        self.assertEqual(page["node_scrape_collector_success", (("collector", "netdev"),)], 1)
        self.assertIn(("node_load1", ()), page)


if __name__ == "__main__":
    unittest.main()
