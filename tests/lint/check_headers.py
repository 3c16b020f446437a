#!/usr/bin/env python3
"""Compiles each header of lib, agent and api alone: it must include what it uses. Takes the compiler and the flags."""
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compile_alone(header, command):
    done = subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-include", header, "/dev/null"],
                          capture_output=True, text=True)
    return None if done.returncode == 0 else f"{header.relative_to(ROOT)} does not compile alone:\n{done.stderr[:2000]}"


def main():
    command = [*sys.argv[1:], "-std=c++20", f"-I{ROOT}", "-DBOOST_ASIO_SEPARATE_COMPILATION",
               "-DBOOST_BEAST_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED", "-Wall", "-Wextra", "-Werror"]
    headers = sorted(path for top in ("lib", "agent", "api") for path in (ROOT / top).rglob("*.hpp"))
    with ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(lambda header: compile_alone(header, command), headers) if problem]
    print("\n".join(problems) or f"{len(headers)} headers compile alone")
    return 1 if problems else 0


sys.exit(main())
