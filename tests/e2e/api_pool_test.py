"""The API's connections to Postgres on the agent's page: db_pool_connections{state} while requests hold and wait for them."""
import socket
import unittest

from stack import Agent, Api, Postgres, Session, get, wait_until

POOL_SIZE, REQUESTS = 3, 8


class ApiPool(unittest.TestCase):
    def start(self, server):
        self.addCleanup(server.stop)
        return server.start()

    def setUp(self):
        self.postgres = self.start(Postgres())
        self.agent = self.start(Agent(f'[scrape]\nmin_interval = "0s"\n[[postgres]]\ndsn = "{self.postgres.dsn()}"\n'))
        self.api = self.start(Api(self.agent.push_socket, f"postgresql://postgres@127.0.0.1:{self.postgres.port}/postgres",
                                  config=f'[database]\npool_size = {POOL_SIZE}\nacquire_timeout = "60s"\n'
                                         '[http]\nrequest_timeout = "60s"\n[push]\ninterval = "100ms"\n'))
        wait_until(lambda: get(self.api.url("/v1/profiles"))[0] == 200, "the API serves out of Postgres")

    def pool(self):
        page = self.agent.page()
        return {dict(labels)["state"]: value for (name, labels), value in page.items() if name == "db_pool_connections"}

    def expect(self, **states):
        wait_until(lambda: self.pool() == states, f"db_pool_connections is {states}, not {self.pool()}")

    def request(self, number):
        """Sends a request that no cache answers, and leaves its connection open."""
        client = socket.create_connection(("127.0.0.1", self.api.port))
        self.addCleanup(client.close)
        client.sendall(f"GET /v1/profiles?offset={number} HTTP/1.1\r\nHost: test\r\n\r\n".encode())

    def backends(self):
        return int(self.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event_type = 'Lock'"))

    def test_each_connection_and_each_waiting_request_is_in_one_state(self):
        self.expect(idle=1, active=0, waiting=0)
        holder = Session(self.postgres, name="holder")
        self.addCleanup(holder.stop)
        holder.run("BEGIN; LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE")
        for number in range(1, 3):
            self.request(number)
        self.expect(idle=0, active=2, waiting=0)
        for number in range(3, REQUESTS + 1):
            self.request(number)
        self.expect(idle=0, active=POOL_SIZE, waiting=REQUESTS - POOL_SIZE)
        self.assertEqual(self.backends(), POOL_SIZE, "the server sees what the page says")
        holder.run("COMMIT")
        self.expect(idle=POOL_SIZE, active=0, waiting=0)
        self.assertEqual(self.backends(), 0)


if __name__ == "__main__":
    unittest.main()
