#!/usr/bin/env python3
"""Makes the target list of a Prometheus out of an inventory of machines with midst-agent, for file_sd or http_sd.

    fleet_targets.py INVENTORY -o targets/agents.json   writes it, in one step, when it has changed
    fleet_targets.py INVENTORY --serve 127.0.0.1:9465   answers GET / with it, made anew at each request

One line of the inventory is a machine: HOST or HOST:PORT, then LABEL=VALUE as many as wanted; '#' begins a comment. A
mistake is told as FILE:LINE and nothing is written, so that a Prometheus keeps the targets it has."""
import argparse
import http.server
import json
import os
import re
import sys
import tempfile
from pathlib import Path

DEFAULT_PORT = 9464
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(\S*)")
# Set by the server, the scrape or the agent; one of them in the inventory would hide what they say.
RESERVED = {"job", "instance", "target", "kind"}


def parse(text, name):
    """(groups of static_config form, mistakes)."""
    groups, mistakes, seen = [], [], {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue

        def wrong(what):
            mistakes.append(f"{name}:{number}: {what}")

        address, labels = ADDRESS.fullmatch(words[0]), {}
        if not address or not 0 < int(address[2] or DEFAULT_PORT) < 65536:
            wrong(f"{words[0]!r} is no HOST or HOST:PORT")
            continue
        for word in words[1:]:
            label = LABEL.fullmatch(word)
            if not label or label[1].startswith("__"):
                wrong(f"{word!r} is no LABEL=VALUE")
            elif label[1] in RESERVED:
                wrong(f"the label {label[1]} is not for an inventory")
            else:
                labels[label[1]] = label[2]
        target = f"{address[1]}:{address[2] or DEFAULT_PORT}"
        if target in seen:
            wrong(f"{target} stands in line {seen[target]} already")
        seen[target] = number
        groups.append({"targets": [target], "labels": labels})
    return groups, mistakes


def document(inventory):
    """The JSON text, or None and a word about each mistake on standard error."""
    try:
        groups, mistakes = parse(inventory.read_text(), inventory.name)
    except (OSError, UnicodeDecodeError) as error:
        groups, mistakes = [], [f"{inventory}: {error}"]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return None if mistakes else json.dumps(groups, indent=1, sort_keys=True) + "\n"


def write(text, path):
    """Prometheus watches the file: it must never see half of one."""
    if path.exists() and path.read_text() == text:
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".targets-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)
    os.replace(temporary, path)


def serve(inventory, address):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            text = document(inventory)
            body = (text or "the inventory has mistakes\n").encode()
            self.send_response(200 if text else 500)
            self.send_header("Content-Type", "application/json" if text else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    host, _, port = address.rpartition(":")
    http.server.ThreadingHTTPServer((host.strip("[]"), int(port)), Handler).serve_forever()


def main():
    parser = argparse.ArgumentParser(description="Target list of a Prometheus from an inventory.")
    parser.add_argument("inventory", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="file for file_sd; standard output without it")
    parser.add_argument("--serve", metavar="HOST:PORT", help="answer http_sd instead")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.inventory, arguments.serve)
    text = document(arguments.inventory)
    if text is None:
        return 1
    if arguments.output:
        write(text, arguments.output)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
