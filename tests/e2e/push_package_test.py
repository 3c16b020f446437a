"""The installed push client as strangers use it: by CMake, by pkg-config, from C++ and from C, against the real agent."""
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from stack import BIN, Agent, ROOT, get, wait_until

PROGRAMS = Path(__file__).parent / "push_package"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=100, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class PushPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="midst-package-")))
        cls.prefix = cls.folder / "installed"
        for component in ("push", "push-dev"):
            run("cmake", "--install", BIN.parent, "--prefix", cls.prefix, "--component", component)
        cls.library = next(cls.prefix.rglob("libmidst-push.so"))
        cls.agent = Agent("")
        cls.addClassCleanup(cls.agent.stop)
        cls.agent.start()

    def page_with(self, name, *labels):
        """A page that has the series; the agent answers scrapes within a second from one collection."""
        return wait_until(lambda: page if (name, labels) in (page := self.agent.page()) else None, f"{name} {labels}")

    def pkg_config(self, *words):
        found = run("pkg-config", *words, "midst-push", env={"PATH": "/usr/bin:/bin", "PKG_CONFIG_PATH": str(self.library.parent / "pkgconfig")})
        return found.split()

    def test_a_cmake_project_finds_both_libraries(self):
        build = self.folder / "build"
        run("cmake", "-S", PROGRAMS, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_FLAGS={' '.join(STRICT)}")
        run("cmake", "--build", build)
        for program in ("with_shared", "with_static"):
            run(build / program, self.agent.push_socket, program)
            page = self.page_with("stranger_total", ("program", program))
            self.assertEqual(page["stranger_total", (("program", program),)], 1000)
            self.assertEqual(page["stranger_bytes_bucket", (("le", "2"), ("program", program))], 1)
            dynamic = run("readelf", "-d", build / program)
            self.assertEqual("libmidst-push.so.0" in dynamic, program == "with_shared")
        self.assertEqual(page["http_requests_total", (("method", "GET"), ("route", "unmatched"), ("status", "204"))], 2)

    def test_a_c_program_counts_exactly(self):
        program = self.folder / "program"
        run("cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", *STRICT, PROGRAMS / "program.c", "-o", program, "-pthread",
            f"-Wl,-rpath,{self.library.parent}", *self.pkg_config("--cflags", "--libs"))
        run(program, self.agent.push_socket)
        page = self.page_with("c_seconds_count")
        self.assertEqual(page["c_jobs_total", (("kind", "thread"),)], 4 * 10000 + 101)
        self.assertEqual(page["c_jobs_total", (("kind", "other"),)], 2.5)
        self.assertEqual(page["c_seconds_count", ()], 5)
        self.assertEqual(page["c_seconds_sum", ()], 0.25 + 0.5 + 1.5 + 2.5 + 1.25)
        self.assertEqual([page["c_seconds_bucket", (("le", le),)] for le in ("1", "2", "+Inf")], [2, 4, 5])
        self.assertNotIn("c_level", {name for name, _ in page}, "its client has ended")
        _, _, body = get(self.agent.url(), {"Accept": "application/openmetrics-text; version=1.0.0"})
        self.assertRegex(body.decode(), r'c_seconds_bucket\{le="2"\} 4 # \{span_id="bb01020304050607",'
                                        r'trace_id="aa0102030405060708090a0b0c0d0e0f"\} 1\.25 ')

    def test_installed_headers_stand_alone(self):
        for header in sorted((self.prefix / "include").rglob("*.hpp")):
            for included in re.findall(r'#include ["<]([^">]+)', header.read_text()):
                self.assertFalse(included.startswith(("lib/", "boost/", "fmt/")), f"{header} includes {included}")
        one = "".join(f'#include "{header}"\n' for header in sorted((self.prefix / "include").rglob("*.h*")))
        run("c++", "-std=c++20", *STRICT, "-fsyntax-only", "-x", "c++", "-", f"-I{self.prefix}/include", input=one)

    def test_the_library_exports_its_interface_and_needs_nothing_else(self):
        symbols = run("nm", "-DC", "--defined-only", self.library).splitlines()
        names = [line.split(" ", 2)[2] for line in symbols]
        inside = [name for name in names if re.search(r"Registry|Shards|Flusher|Connection|wire::|boost|fmt::", name)]
        self.assertEqual(inside, [])
        declared = set(re.findall(r"\b(midst_push_\w+)\(", (ROOT / "lib/push/midst_push.h").read_text()))
        self.assertEqual({name for name in names if name.startswith("midst_push_")}, declared)
        needed = re.findall(r"NEEDED.*\[([^]]+)\]", run("readelf", "-d", self.library))
        self.assertEqual({name.split(".so")[0] for name in needed} - {"libstdc++", "libgcc_s", "libc", "libm", "ld-linux-x86-64"}, set())
        self.assertIn("libmidst-push.so.0]", run("readelf", "-d", self.library))


if __name__ == "__main__":
    unittest.main()
