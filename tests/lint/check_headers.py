#!/usr/bin/env python3
"""Each header of lib, agent and api must include what it uses. One with a .cpp of its name is compiled alone by the build,
as long as that .cpp includes it first, which is looked at here; the others are compiled here. Takes the compiler and the flags."""
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compile_alone(header, command):
    done = subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-include", header, "/dev/null"],
                          capture_output=True, text=True)
    return None if done.returncode == 0 else f"{header.relative_to(ROOT)} does not compile alone:\n{done.stderr[:2000]}"


def is_first_in_its_cpp(header):
    first = re.search(r"^#include (.+)$", header.with_suffix(".cpp").read_text(), re.MULTILINE)
    return first is not None and first[1] == f'"{header.relative_to(ROOT)}"'


def main():
    command = [*sys.argv[1:], "-std=c++20", f"-I{ROOT}", "-DBOOST_ASIO_SEPARATE_COMPILATION",
               "-DBOOST_BEAST_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED", "-Wall", "-Wextra", "-Werror"]
    headers = sorted(path for top in ("lib", "agent", "api") for path in (ROOT / top).rglob("*.hpp"))
    alone = [header for header in headers if not header.with_suffix(".cpp").exists()]
    problems = [f"{header.relative_to(ROOT)}: its .cpp does not include it first"
                for header in headers if header not in alone and not is_first_in_its_cpp(header)]
    with ThreadPoolExecutor(2) as pool:
        problems += [problem for problem in pool.map(lambda header: compile_alone(header, command), alone) if problem]
    print("\n".join(problems) or f"{len(headers)} headers, {len(alone)} of them compiled here")
    return 1 if problems else 0


sys.exit(main())
