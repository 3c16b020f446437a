#!/usr/bin/env python3
"""Fails on an include that crosses floors the wrong way (floors.txt), or on a circle of files."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read_floors(path):
    floors = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            floors[folder.strip()] = set(allowed.split())
    return floors


def folder_of(path, floors):
    """The longest listed folder that the file stands in."""
    parts = path.split("/")[:-1]
    while parts:
        if "/".join(parts) in floors:
            return "/".join(parts)
        parts.pop()
    return None


def sources():
    for top in ("lib", "agent", "api"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                yield path


def find_cycle(graph):
    state, trail = {}, []

    def visit(node):
        state[node] = "open"
        trail.append(node)
        for following in graph.get(node, ()):
            if state.get(following) == "open":
                return trail[trail.index(following):] + [following]
            if following not in state:
                found = visit(following)
                if found:
                    return found
        state[node] = "done"
        trail.pop()
        return None

    for node in graph:
        if node not in state:
            found = visit(node)
            if found:
                return found
    return None


def main():
    floors = read_floors(ROOT / "tests/lint/floors.txt")
    problems, graph = [], {}
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        home = folder_of(name, floors)
        if home is None:
            problems.append(f"{name}: its folder is not in tests/lint/floors.txt")
            continue
        graph[name] = []
        for included in INCLUDE.findall(path.read_text()):
            if included.startswith("embedded/"):
                continue
            if not (ROOT / included).exists():
                problems.append(f'{name}: includes "{included}", which is not a path from the root')
                continue
            graph[name].append(included)
            floor = folder_of(included, floors)
            if floor != home and floor not in floors[home]:
                problems.append(f'{name}: {home} may not include {floor} ("{included}")')
    cycle = find_cycle(graph)
    if cycle:
        problems.append("circle of includes: " + " -> ".join(cycle))
    print("\n".join(problems) or f"{len(graph)} files, every edge is allowed")
    return 1 if problems else 0


sys.exit(main())
