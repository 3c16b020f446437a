#!/usr/bin/env python3
"""The lints themselves: each is shown a small tree with the fault it exists for, and must find it."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(lint, files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "tests/lint").mkdir(parents=True)
        (root / "tests/lint/floors.txt").write_text("lib/base:\nlib/net: lib/base\n")
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, HERE / lint, root], capture_output=True, text=True)
        return done.returncode, done.stdout


class Floors(unittest.TestCase):
    def test_an_allowed_include_passes(self):
        code, _ = run("check_floors.py", {"lib/base/a.hpp": "", "lib/net/b.cpp": '#include "lib/base/a.hpp"\n'})
        self.assertEqual(code, 0)

    def test_an_upward_include_fails(self):
        code, text = run("check_floors.py", {"lib/net/a.hpp": "", "lib/base/b.cpp": '#include "lib/net/a.hpp"\n'})
        self.assertEqual(code, 1)
        self.assertIn("lib/base may not include lib/net", text)

    def test_a_circle_fails(self):
        code, text = run("check_floors.py", {"lib/base/a.hpp": '#include "lib/base/b.hpp"\n',
                                             "lib/base/b.hpp": '#include "lib/base/a.hpp"\n'})
        self.assertEqual(code, 1)
        self.assertIn("circle of includes", text)

    def test_an_unlisted_folder_fails(self):
        code, _ = run("check_floors.py", {"lib/other/a.cpp": ""})
        self.assertEqual(code, 1)


class Shape(unittest.TestCase):
    @staticmethod
    def function_of(lines):
        return "int f(int a) {\n" + "  a += 1;\n" * (lines - 3) + "  return a;\n}\n"

    def test_a_function_at_the_limit_passes_and_one_line_more_fails(self):
        self.assertEqual(run("check_shape.py", {"lib/base/a.cpp": self.function_of(70)})[0], 0)
        code, text = run("check_shape.py", {"lib/base/a.cpp": self.function_of(71)})
        self.assertEqual(code, 1)
        self.assertIn("a.cpp:1: function of 71 lines", text)

    def test_a_header_at_the_limit_passes_and_one_line_more_fails(self):
        self.assertEqual(run("check_shape.py", {"lib/base/a.hpp": "#pragma once\n" + "//\n" * 199})[0], 0)
        self.assertEqual(run("check_shape.py", {"lib/base/a.hpp": "#pragma once\n" + "//\n" * 200})[0], 1)

    def test_a_table_is_exempt(self):
        self.assertEqual(run("check_shape.py", {"lib/base/a.cpp": "// Table: rows.\n" + "//\n" * 900})[0], 0)


class Packaging(unittest.TestCase):
    FOLDERS = ("systemd", "packaging", "infra", "configs")
    FILES = ("CMakeLists.txt", "agent/package.cmake", "api/package.cmake", "agent/app/push_side.cpp", "agent/app/web_side.cpp")

    def check(self, name, old, new):
        root = HERE.parents[1]
        files = {path.relative_to(root).as_posix(): path.read_text() for folder in self.FOLDERS for path in (root / folder).rglob("*")
                 if path.is_file() and path.suffix != ".pyc"}
        files.update({path: (root / path).read_text() for path in self.FILES})
        self.assertIn(old, files[name])
        files[name] = files[name].replace(old, new)
        return run("check_packaging.py", files)

    def test_each_fault_is_found(self):
        for name, old, new, word in (
                ("systemd/midst-agent.service", "NoNewPrivileges=yes\n", "", "exposure"),
                ("systemd/midst-agent-push.socket", "FileDescriptorName=push", "FileDescriptorName=pushed", "knows no descriptor pushed"),
                ("systemd/midst-agent-web.socket", "127.0.0.1:9464", "127.0.0.1:9465", "is not the default"),
                ("packaging/debian/midst-agent.install", "lib/systemd/system/midst-agent*", "", "does not name midst-agent-push.socket"),
                ("systemd/midst-api.sysusers", "m midst-api midst-push", "", "%pre of midst-api"),
                ("packaging/rpm/midst-agent.spec", "Version:        0", "Version:        7", "CMakeLists.txt says"),
                ("packaging/debian/control", " libre2-dev,\n", "", "lacks libre2-dev"),
                ("infra/k8s/sidecar.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "is not confined"),
                ("packaging/docker/agent.Dockerfile", "USER 10001:10001", "USER 0:0", "numbered user")):
            with self.subTest(name=name, word=word):
                code, text = self.check(name, old, new)
                self.assertEqual(code, 1)
                self.assertIn(word, text)


class Rules(unittest.TestCase):
    TARGET = "{{ $labels.instance }}{{ with $labels.target }} ({{ . }}){{ end }}"
    ALERT = ("groups: [{name: g, rules: [{alert: Down, expr: redis_up == 0, for: 1m, labels: {severity: critical},"
             " annotations: {summary: '%s', description: d, runbook_url: 'docs/r.md#down'}}]}]\n" % TARGET)
    CASE = ("  - {interval: 1m, input_series: [{series: 'redis_up{instance=\"i\"}', values: '%dx5'}],"
            " alert_rule_test: [{eval_time: 3m, alertname: Down, exp_alerts: [%s]}]}\n")
    FIRING = CASE % (0, "{exp_labels: {severity: critical, instance: i},"
                        " exp_annotations: {summary: i, description: d, runbook_url: 'docs/r.md#down'}}")
    SILENT = CASE % (1, "")
    SETTINGS = "name\tsetting\tunit\tvartype\nmax_connections\t100\t\\N\tinteger\n"

    def check(self, alert=ALERT, cases=FIRING + SILENT, runbook="## Down\n"):
        return run("check_rules.py", {
            "agent/a.cpp": 'f("redis_up");\n', "tests/golden/postgres/pg15/settings.rows": self.SETTINGS,
            "docs/r.md": runbook, "infra/prometheus/rules/a.yml": alert,
            "infra/prometheus/rules/tests/a_test.yml": "rule_files: [../a.yml]\ntests:\n" + cases})

    def test_a_whole_alert_passes(self):
        self.assertEqual(self.check(), (0, "1 files of rules hold\n"))

    def test_a_setting_of_the_recorded_server_is_told(self):
        code, text = self.check(alert=self.ALERT.replace("redis_up ==", "redis_up + pg_settings_max_connections =="),
                                cases=(self.FIRING + self.SILENT).replace(
                                    "input_series: [", "input_series: [{series: 'pg_settings_max_connections{instance=\"i\"}', values: '0x5'}, "))
        self.assertEqual((code, text.splitlines()[0]),
                         (0, "a.yml: from tests/golden/postgres/pg15/settings.rows, not from the sources: pg_settings_max_connections"))

    def test_what_is_missing_is_named(self):
        for change, complaint in (
                ({"cases": self.FIRING}, "has no case in which it is silent"),
                ({"cases": self.SILENT}, "has no case in which it fires"),
                ({"runbook": "## Up\n"}, "has no section of its own in its runbook"),
                ({"alert": self.ALERT.replace(self.TARGET, "s")}, "does not name its target"),
                ({"alert": self.ALERT.replace("for: 1m, ", "")}, "has no `for`"),
                ({"alert": self.ALERT.replace("critical", "bad")}, "has no severity"),
                ({"alert": self.ALERT.replace("redis_up ==", "redis_down ==")}, "reads redis_down, which no source has"),
                ({"cases": self.FIRING.replace("'0x5'", "'1x5'") + self.SILENT}, "FAILED")):
            code, text = self.check(**change)
            self.assertEqual(code, 1, complaint)
            self.assertIn(complaint, text)


if __name__ == "__main__":
    unittest.main()
