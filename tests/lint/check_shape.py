#!/usr/bin/env python3
"""Fails where a file or a function is longer than docs/contributing.md allows. Tables are exempt: a file whose
first comment says "Table:" may be as long as it has rows; so may a brace-initialised array inside a function's file."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
HPP_LINES, CPP_LINES, FUNCTION_LINES = 200, 500, 70
TODO_EVERY_LINES = 2000
# What stands before the brace that opens a function: a closing parenthesis with what may follow it.
FUNCTION_HEAD = re.compile(r"\)\s*(const|noexcept|override|final|mutable|->\s*[\w:<>,\s*&]+|\s)*\{\s*$")
NOT_FUNCTION = re.compile(r"^\s*(if|for|while|switch|else|do|catch|namespace|struct|class|enum|union)\b")


def strip(text):
    """Code without comments and literals, with the same line breaks."""
    pattern = re.compile(
        r'R"(?P<tag>[^()\\ ]{0,16})\((?:.|\n)*?\)(?P=tag)"|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'')
    return pattern.sub(lambda match: "\n" * match.group().count("\n") or '""', text)


def functions(code):
    """(first line, length) of each outermost function body, by counting braces."""
    lines, open_at, depth, start_depth, head = code.split("\n"), None, 0, 0, ""
    for number, line in enumerate(lines, 1):
        for position, char in enumerate(line):
            if char == "{":
                text = head + line[: position + 1]
                if open_at is None and FUNCTION_HEAD.search(text) and not NOT_FUNCTION.match(text.strip()):
                    open_at, start_depth = number, depth
                depth += 1
            elif char == "}":
                depth -= 1
                if open_at is not None and depth == start_depth:
                    yield open_at, number - open_at + 1
                    open_at = None
        stripped = line.strip()
        head = "" if stripped.endswith((";", "}", "{", ":")) or not stripped else head + stripped + " "


def main():
    problems, total_lines, todos, checked = [], 0, 0, 0
    for top in ("lib", "agent", "api", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in (".hpp", ".cpp"):
                continue
            name, text = path.relative_to(ROOT).as_posix(), path.read_text()
            lines = text.count("\n")
            is_test = top == "tests"
            checked += 1
            total_lines += lines
            todos += len(re.findall(r"\b(?:TODO|FIXME|XXX)\b", text))
            is_table = text.lstrip().startswith("// Table:")
            limit = HPP_LINES if path.suffix == ".hpp" else CPP_LINES
            if lines > limit and not is_table and not is_test:
                problems.append(f"{name}: {lines} lines, at most {limit}")
            if path.suffix == ".hpp" and "#pragma once" not in text:
                problems.append(f"{name}: no #pragma once")
            if path.suffix == ".hpp" and re.search(r"^\s*using namespace", text, re.MULTILINE) and not is_test:
                problems.append(f"{name}: using namespace in a header")
            for line, length in functions(strip(text)):
                if length > FUNCTION_LINES and not is_table and not is_test:
                    problems.append(f"{name}:{line}: function of {length} lines, at most {FUNCTION_LINES}")
    if todos * TODO_EVERY_LINES > total_lines:
        problems.append(f"{todos} TODO marks in {total_lines} lines; at most one in {TODO_EVERY_LINES}")
    print("\n".join(problems) or f"{checked} files, {total_lines} lines, all within the limits")
    return 1 if problems else 0


sys.exit(main())
