#!/usr/bin/env python3
"""Fails where docs/configuration.md and configs/midst-agent.toml do not have the same keys with the same defaults."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
TABLE = re.compile(r"^(\[\[?[a-z_.]+\]\]?)")
SETTING = re.compile(r"^([A-Za-z_0-9-]+) = (\"[^\"]*\"|\[[^\]]*\]|[^#\"\s]+)")
ROW = re.compile(r"^\| `([A-Za-z_0-9-]+)` \| (?:`([^`]*)`|none) \| (.+) \|$")


def shipped():
    """{(table, key): default} of the file that is installed; its examples count, with their '# ' taken off."""
    found, table = {}, ""
    for line in (ROOT / "configs/midst-agent.toml").read_text().splitlines():
        body = line.removeprefix("# ")
        if match := TABLE.match(body):
            table = match[1]
        elif match := SETTING.match(body):
            found[table, match[1]] = match[2]
    return found


def documented():
    found, table = {}, ""
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if line.startswith("### `["):
            table = line.split("`")[1]
        elif line.startswith("#"):
            table = ""
        elif table and (match := ROW.match(line)):
            found[table, match[1]] = match[2]
    return found


def main():
    file, document = shipped(), documented()
    problems = [f"{table} {key}: not in docs/configuration.md" for table, key in file.keys() - document.keys()]
    problems += [f"{table} {key}: not in configs/midst-agent.toml" for table, key in document.keys() - file.keys()]
    for table, key in file.keys() & document.keys():
        if document[table, key] not in (None, file[table, key]):
            problems.append(f"{table} {key}: {file[table, key]} in the file, {document[table, key]} in the document")
    print("\n".join(sorted(problems)) or f"{len(file)} settings")
    sys.exit(bool(problems) or len(file) < 50)


main()
