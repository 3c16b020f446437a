"""A queries file beside the exporters that it is written for, against docs/parity.md; the example of docs/custom_queries.md
as it stands there; and what a mistake in either costs."""
import re
import subprocess
import unittest

import peers
from parity import Explanations, differences, documented, listed, scrape_both, types
from stack import BIN, ROOT, Agent, Postgres, PostgresExporter, samples

FILE = ROOT / "tests/e2e/queries/well_known.yaml"
NAMESPACES = re.findall(r"^(\w+):$", FILE.read_text(), re.M)
OF_FILE = re.compile(f"({'|'.join(NAMESPACES)})_")
# Those whose metrics the file has too; the exporters answer 500 when both are there and say different things about one.
COLLIDING = ("database", "postmaster", "replication", "stat_statements", "stat_user_tables", "table_sizes")
TABLES = """
CREATE EXTENSION pg_stat_statements;
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 1000) n;
CREATE TABLE plain (id int);
VACUUM ANALYZE orders;
"""


def of_file(found):
    return {key: detail for key, detail in found.items() if OF_FILE.match(key[0])}


class QueriesFiles(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres("autovacuum=off", "shared_preload_libraries=pg_stat_statements").start()
        cls.addClassCleanup(cls.postgres.stop)
        for statement in TABLES.strip().split(";\n"):
            cls.postgres.sql(statement.rstrip(";"))

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def agent(self, postgres_keys, more=""):
        return Agent('[scrape]\nmin_interval = "0s"\n'
                     f'[[postgres]]\ndsn = "{self.postgres.dsn()}"\nmax_share = 0\n{postgres_keys}\n{more}')

    def compare(self, found_exporter, flags):
        try:
            program, version = found_exporter()
        except peers.Absent as reason:
            self.skipTest(str(reason))
        exporter = self.start(PostgresExporter(self.postgres, f"--extend.query-path={FILE}", *flags, program=program))
        switches = "".join(f"{name} = false\n" for name in COLLIDING)
        agent = self.start(self.agent(f'queries_files = ["{FILE}"]', f"[postgres.collectors]\n{switches}"))
        before, ours, after = scrape_both(exporter, agent, "/metrics/postgres")
        explanations = Explanations(documented("Postgres", "Of a queries file"))
        unexplained = explanations.unexplained(of_file(differences(before, ours, after)))
        self.assertFalse(unexplained, f"not explained by docs/parity.md, beside {version}:\n" + listed(unexplained))
        self.assertEqual(explanations.idle(), [], "rows of docs/parity.md that are no longer true")
        self.same_labels_and_help(before, ours)

    def same_labels_and_help(self, before, ours):
        theirs = {key: value for key, value in samples(before).items() if OF_FILE.match(key[0])}
        mine = {key: value for key, value in samples(ours).items() if OF_FILE.match(key[0])}
        shared = theirs.keys() & mine.keys()
        self.assertGreater(len(shared), 45)
        for name, labels in mine:  # nothing of ours has other labels than theirs where they have the name
            if name in {name for name, _ in theirs}:
                self.assertIn((name, labels), theirs)
        help_of = {page: dict(re.findall(r"^# HELP (\w+) (.*)$", page, re.M)) for page in (before, ours)}
        for name in types(before).keys() & types(ours).keys():
            if OF_FILE.match(name) and not help_of[before][name].startswith("Unknown metric"):
                self.assertEqual(help_of[ours][name], help_of[before][name])

    def test_a_queries_file_beside_the_packaged_exporter(self):
        self.compare(peers.packaged_postgres_exporter, ["--no-collector.database"])

    def test_a_queries_file_beside_the_newest_exporter(self):
        self.compare(peers.newest_postgres_exporter, [f"--no-collector.{name}" for name in
                                                       ("database", "replication", "stat_user_tables")])

    def test_what_the_exporter_passes_over_holds(self):
        path = self.postgres.folder / "more.yaml"
        path.write_text('newer:\n  query: SELECT 1 AS n\n  runonserver: ">=99.0.0"\n'
                        'older:\n  query: SELECT 1 AS n, 2 AS m\n  runonserver: "<99.0.0 || >=100.0.0"\n'
                        '  metrics:\n    - m: {usage: GAUGE, pg_version: ">=99.0.0"}\n'
                        'mapped:\n  query: "SELECT \'up\' AS state"\n  metrics:\n'
                        '    - state: {usage: MAPPEDMETRIC, metric_mapping: {up: 2}}\n')
        page = self.start(self.agent(f'queries_files = ["{path}"]')).page("/metrics/postgres")
        server = (("server", f"127.0.0.1:{self.postgres.port}"),)
        self.assertEqual({key: value for key, value in page.items() if re.match("newer|older|mapped", key[0])},
                         {("older_n", server): 1, ("mapped_state", server): 2})

    def test_a_file_with_mistakes_is_refused_with_all_of_them_and_their_places(self):
        path = self.postgres.folder / "bad.yaml"
        path.write_text("a:\n  query: SELECT 1; SELECT 2\nb:\n  query: SELECT 1 AS n\n  metrics:\n    - n: {usage: GUAGE}\n")
        agent = self.agent(f'queries_files = ["{path}"]')
        self.addCleanup(agent.stop)
        done = subprocess.run([BIN / "midst-agent", "check", "--config", agent.config], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        said = done.stdout + done.stderr
        self.assertIn(f"{path}:2:10: error: query a: the SQL has more than one statement", said)
        self.assertIn(f'{path}:6:18: error: unknown usage "GUAGE"', said)

    def test_the_example_of_the_document_works(self):
        text = (ROOT / "docs/custom_queries.md").read_text()
        sql, = re.findall(r"```sql\n(.*?)```", text, re.S)
        toml, = re.findall(r"```toml\n(.*?)```", text, re.S)
        expected, = re.findall(r"```prometheus\n(.*?)```", text, re.S)
        for statement in sql.strip().split(";\n"):
            self.postgres.sql(statement.rstrip(";"))
        toml = re.sub(r'^dsn = .*$', f'dsn = "{self.postgres.dsn()}"', toml, flags=re.M)
        page = self.start(Agent('[scrape]\nmin_interval = "0s"\n' + toml)).page("/metrics/postgres")
        wanted = samples(expected)
        self.assertGreater(len(wanted), 5)
        names = {name for name, _ in wanted}
        self.assertEqual({key: value for key, value in page.items() if key[0] in names}, wanted)
        self.assertEqual(page["pg_scrape_collector_success", (("collector", "orders"),)], 1)


if __name__ == "__main__":
    unittest.main()
