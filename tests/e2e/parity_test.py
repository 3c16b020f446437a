"""Postgres side by side with the exporter we replace, against docs/parity.md; parity.py says how."""
import unittest

from parity import Explanations, differences, documented, listed, scrape_both
from stack import Agent, Postgres, PostgresExporter, samples


class Parity(unittest.TestCase):
    maxDiff = None

    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def test_postgres(self):
        postgres = self.start(Postgres())
        postgres.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)")
        postgres.sql("INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 5000) n")
        postgres.sql("VACUUM ANALYZE orders")
        postgres.sql('CREATE DATABASE "we""ird базаβ"')
        postgres.sql("SELECT pg_create_physical_replication_slot('standby', true)")
        exporter = self.start(PostgresExporter(postgres))
        agent = self.start(Agent('[scrape]\nmin_interval = "0s"\n'
                                 f'[[postgres]]\ndsn = "{postgres.dsn()}"\ncompat = "0.11"\n'))
        before, ours, after = scrape_both(exporter, agent, "/metrics/postgres")
        explanations = Explanations(documented("Postgres"))
        unexplained = explanations.unexplained(differences(before, ours, after))
        self.assertFalse(unexplained, "not explained by docs/parity.md, section Postgres:\n" + listed(unexplained))
        self.assertEqual(explanations.idle(), [], "rows of docs/parity.md that are no longer true")
        self.assertGreater(len(samples(ours)), 100)


if __name__ == "__main__":
    unittest.main()
