#!/usr/bin/env python3
"""Holds the life stories to the code: each file named exists and is named once, each function named stands in the file
it is named with (or a header of its folder), and links lead somewhere."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORIES = ("docs/life_of_a_scrape.md", "docs/life_of_a_sample.md")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
FILE = re.compile(r"^[\w./]+\.(?:cpp|hpp)$|^[\w./]+/$")
FUNCTION = re.compile(r"^(?:\w+::)*\w+$")


def check_story(name):
    problems, seen, last_file = [], set(), None
    for mark in CODE.findall((ROOT / name).read_text()):
        if FILE.match(mark) and "/" in mark:
            last_file = ROOT / mark
            if not last_file.exists():
                problems.append(f"{name}: {mark} does not exist")
            if mark in seen:
                problems.append(f"{name}: {mark} is named twice")
            seen.add(mark)
        elif "::" in mark and FUNCTION.match(mark) and last_file is not None and last_file.is_file():
            own = mark.split("::")
            text = last_file.read_text()
            found = mark in text or all(re.search(rf"\b{part}\b", text) for part in own)
            if not found:
                problems.append(f"{name}: no {mark} in {last_file.relative_to(ROOT)}")
    return problems


def check_links():
    problems = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in LINK.findall(path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                problems.append(f"{path.relative_to(ROOT)}: link to {target}, which does not exist")
    return problems


problems = [problem for story in STORIES for problem in check_story(story)] + check_links()
print("\n".join(problems) or "the stories and links are true")
sys.exit(1 if problems else 0)
