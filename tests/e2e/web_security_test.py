"""The web side as operators lock it down: TLS, passwords, hosts; with a real Prometheus on the other side."""
import base64
import http.client
import json
import signal
import socket
import ssl
import subprocess
import unittest

from stack import BIN, Agent, Prometheus, Tls, get, wait_until

AGENT = BIN / "midst-agent"
PASSWORD = "canary-secret"
OTHER_HASH = "$2y$04$vEVNYSiaes9UJIJ/58oQU.WGiRrq/FCUP74Yn8wowZukNrsobpX.W"  # "secret"


def hash_of(password):
    """By libcrypt itself, at the lowest cost."""
    import ctypes
    crypt = ctypes.CDLL("libcrypt.so.1")
    crypt.crypt.restype = crypt.crypt_gensalt.restype = ctypes.c_char_p
    salt = crypt.crypt_gensalt(b"$2b$", ctypes.c_ulong(4), b"0123456789abcdef", 16)
    return crypt.crypt(password.encode(), salt).decode()


def login(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class WebSecurity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tls, cls.hash = Tls(), hash_of(PASSWORD)
        cls.addClassCleanup(cls.tls.stop)

    def agent(self, config):
        agent = Agent(config)
        self.addCleanup(agent.stop)
        self.control = agent.folder / "control.sock"
        agent.config.write_text(agent.config.read_text() + f'[control]\nsocket = "{self.control}"\n')
        return agent

    def locked(self, accounts=None):
        accounts = accounts or f'prometheus = "{self.hash}"\n'
        return (f'[web.tls]\ncert_file = "{self.tls.path("server.crt")}"\nkey_file = "{self.tls.path("server.key")}"\n'
                f'[web.basic_auth_users]\n{accounts}')

    def https(self, agent, path="/metrics", headers=None, method="GET"):
        """(status, headers, body) with the server's certificate checked."""
        trust = ssl.create_default_context(cafile=str(self.tls.path("ca.crt")))
        connection = http.client.HTTPSConnection("127.0.0.1", agent.port, timeout=10, context=trust)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def tell(self, agent, *words):
        return subprocess.run([AGENT, *words, "--config", agent.config], capture_output=True, text=True, timeout=60)

    def test_prometheus_scrapes_through_tls_with_its_password(self):
        agent = self.agent(self.locked()).start()
        prometheus = Prometheus(f"127.0.0.1:{agent.port}")
        self.addCleanup(prometheus.stop)
        file = prometheus.folder / "prometheus.yml"
        (prometheus.folder / "password").write_text(PASSWORD)
        file.write_text(file.read_text() + "  scheme: https\n"
                        f"  tls_config: {{ca_file: '{self.tls.path('ca.crt')}'}}\n"
                        f"  basic_auth: {{username: prometheus, password_file: {prometheus.folder}/password}}\n")
        prometheus.start()
        wait_until(lambda: [value for _, value in prometheus.query("up")] == [1.0], "Prometheus scrapes")

        status, headers, _ = self.https(agent)
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, 'Basic realm="midst-agent", charset="UTF-8"'))
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(self.https(agent, headers=login("prometheus", "wrong"))[0], 401)
        self.assertEqual(self.https(agent, "/-/healthy")[0], 401)
        status, _, page = self.https(agent, headers=login("prometheus", PASSWORD))
        self.assertEqual(status, 200)
        self.assertIn('midst_agent_http_denied_total{reason="credentials"} 3\n', page)
        self.assertIn("midst_agent_http_tls_certificate_expiry_timestamp_seconds", page)
        self.assertEqual(get(agent.url())[0], 400, "plain HTTP is told so")

        # The control socket is the operator's: it asks for no password.
        self.assertEqual(self.tell(agent, "health").returncode, 0)
        self.assertEqual(self.tell(agent, "status").returncode, 0)
        agent.kill(signal.SIGTERM)
        for secret in (PASSWORD, self.hash, base64.b64encode(f"prometheus:{PASSWORD}".encode()).decode()):
            self.assertNotIn(secret, agent.log())

    def test_a_reload_takes_over_users_and_certificates_or_nothing(self):
        agent = self.agent(self.locked()).start()
        before = agent.config.read_text()
        self.assertEqual(self.https(agent, headers=login("prometheus", PASSWORD))[0], 200)

        agent.config.write_text(before.replace(str(self.tls.path("server.crt")), "/absent.crt"))
        refused = self.tell(agent, "reload")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("web.tls.cert_file: /absent.crt: No such file or directory", refused.stdout + refused.stderr)
        self.assertEqual(self.https(agent, headers=login("prometheus", PASSWORD))[0], 200)

        agent.config.write_text(before.replace(f'prometheus = "{self.hash}"', f'grafana = "{OTHER_HASH}"'))
        reloaded = self.tell(agent, "reload")
        self.assertEqual(reloaded.returncode, 0, reloaded.stdout + reloaded.stderr)
        self.assertEqual(self.https(agent, headers=login("prometheus", PASSWORD))[0], 401)
        self.assertEqual(self.https(agent, headers=login("grafana", "secret"))[0], 200)

        agent.config.write_text(before.replace(self.locked(), ""))
        self.assertEqual(self.tell(agent, "reload").returncode, 0)
        self.assertEqual(get(agent.url())[0], 200)

    def test_the_file_of_exporter_toolkit_is_taken(self):
        agent = self.agent("")
        web = agent.folder / "web.yml"
        web.write_text(f"tls_server_config:\n  cert_file: {self.tls.path('server.crt')}\n"
                       f"  key_file: {self.tls.path('server.key')}\nbasic_auth_users:\n  prometheus: {self.hash}\n")
        agent.config.write_text(agent.config.read_text().replace("[web]\n", f'[web]\nconfig_file = "{web}"\n'))
        agent.start()
        self.assertEqual(self.https(agent)[0], 401)
        self.assertEqual(self.https(agent, headers=login("prometheus", PASSWORD))[0], 200)

    def test_pages_of_other_sites_get_nothing(self):
        agent = self.agent("lifecycle = true\nprobe = true\n").start()
        own = f"127.0.0.1:{agent.port}"
        self.assertEqual(get(agent.url(), {"Host": "rebound.example"})[0], 421)
        self.assertEqual(get(agent.url(), {"Host": "localhost"})[0], 200)
        foreign = {"Host": own, "Origin": "https://evil.example"}
        self.assertEqual(get(agent.url("/-/reload"), foreign, method="POST")[0], 403)
        self.assertEqual(get(agent.url("/-/reload"), {"Host": own}, method="POST")[0], 200)
        self.assertIn(("midst_agent_http_denied_total", (("reason", "host"),)), agent.page())

        status, headers, body = get(agent.url("/probe?target=%3Cscript%3Ealert(1)%3C/script%3E"))
        self.assertEqual((status, headers["Content-Type"]), (400, "text/plain; charset=utf-8"))
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        for target in ("redis://127.0.0.1:1", "127.0.0.1:1", "http://169.254.169.254/latest"):
            self.assertEqual(get(agent.url(f"/probe?target={target}"))[0], 400, target)

    def test_listeners_of_the_network_answer_to_any_name(self):
        agent = self.agent("")
        agent.config.write_text(agent.config.read_text().replace("127.0.0.1:", "0.0.0.0:", 1))
        agent.start()
        self.assertEqual(get(agent.url(), {"Host": "db-7.example:9464"})[0], 200)

    def test_a_crowd_leaves_the_control_socket_alone(self):
        agent = self.agent("max_connections = 5\n").start()
        crowd = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(50)]
        self.assertEqual(get(agent.url())[0], 200)
        self.assertEqual(self.tell(agent, "health").returncode, 0)
        status = json.loads(self.tell(agent, "status", "--json").stdout)
        self.assertTrue(status["ready"])
        for each in crowd:
            each.close()


if __name__ == "__main__":
    unittest.main()
