#!/usr/bin/env python3
"""Holds infra/prometheus/rules to themselves: promtool accepts them and their tests, each alert is complete and has a
case in which it fires and one in which it is silent and names its target, each metric is one that the sources have, a
rule records, or a recorded server has as a setting."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
RULES = ROOT / "infra/prometheus/rules"
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
SELECTORS = re.compile(r"\{[^}]*\}|\[[^]]*\]")
NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\w|\s*\()")
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
TARGET = "{{ $labels.instance }}{{ with $labels.target }} ({{ . }}){{ end }}"
# name, setting, unit, vartype of each row of pg_settings: what the agent makes metrics of without a table.
SETTINGS = ROOT / "tests/golden/postgres/pg15/settings.rows"
SECONDS = {"ms", "s", "min", "h", "d"}


def metrics_of(expression):
    """The metric names of an expression: what is left without strings, label lists, selectors, functions, keywords."""
    for pattern in (STRINGS, LABEL_LISTS, SELECTORS):
        expression = pattern.sub(" ", expression)
    return {name for name in NAME.findall(expression) if name.lower() not in KEYWORDS}


def catalogue():
    """Every metric name that stands as a string in the sources."""
    names = set()
    for path in sorted((ROOT / "agent").rglob("*.cpp")) + sorted((ROOT / "agent").rglob("*.hpp")):
        names.update(re.findall(r'"((?:redis|pg|pgbouncer|midst|process)_[a-z0-9_]+)"', path.read_text()))
    return names


def settings():
    """The metric names of the settings of a recorded Postgres."""
    names = set()
    for line in SETTINGS.read_text().splitlines()[1:]:
        name, _, unit, kind = line.split("\t")
        suffix = "" if unit == "\\N" else "_seconds" if unit in SECONDS else "_bytes"
        if kind in ("bool", "integer", "real"):
            names.add("pg_settings_" + re.sub(r"[.-]", "_", name) + suffix)
    return names


def anchors(path):
    return {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^#+ (.+)$", path.read_text(), re.M)}


def check_alert(rule, cases):
    name, problems = rule["alert"], []
    if not rule.get("for"):
        problems.append("has no `for`")
    if rule.get("labels", {}).get("severity") not in ("critical", "warning", "info"):
        problems.append("has no severity")
    annotations = rule.get("annotations", {})
    problems += [f"has no {key}" for key in ("summary", "description", "runbook_url") if not annotations.get(key)]
    if TARGET not in annotations.get("summary", "") + annotations.get("description", ""):
        problems.append("does not name its target")
    page, _, anchor = annotations.get("runbook_url", "").partition("#")
    if not (ROOT / page).is_file() or anchor != name.lower() or anchor not in anchors(ROOT / page):
        problems.append("has no section of its own in its runbook")
    if True not in cases.get(name, ()):
        problems.append("has no case in which it fires")
    if False not in cases.get(name, ()):
        problems.append("has no case in which it is silent")
    return [f"{name} {problem}" for problem in problems]


def cases_of(paths):
    """{alert: {whether it fires, …}} of the test files of one file of rules."""
    cases = {}
    for test in (test for path in paths for test in yaml.safe_load(path.read_text())["tests"]):
        for case in test.get("alert_rule_test", ()):
            if not test.get("input_series"):
                continue  # silence without any series proves nothing
            cases.setdefault(case["alertname"], set()).add(bool(case.get("exp_alerts")))
    return cases


def metrics_of_file(path):
    return {metric for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] for metric in metrics_of(rule["expr"])}


def check_file(path, known):
    rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    tests = sorted((RULES / "tests").glob(f"{path.stem}*_test.yml"))
    if not tests:
        return [f"{path.name}: no tests/{path.stem}_test.yml"]
    cases, problems = cases_of(tests), []
    for rule in rules:
        if "alert" in rule:
            problems += check_alert(rule, cases)
        for metric in sorted(metrics_of(rule["expr"]) - known - recorded):
            problems.append(f"{rule.get('alert', rule.get('record'))} reads {metric}, which no source has")
    return [f"{path.name}: {problem}" for problem in problems]


def run_promtool():
    tool = shutil.which("promtool")
    if not tool:
        return ["promtool is not installed (package prometheus)"]
    problems = []
    for command in (["check", "rules", *sorted(RULES.glob("*.yml"))], ["test", "rules", *sorted((RULES / "tests").glob("*.yml"))]):
        done = subprocess.run([tool, *command], capture_output=True, text=True)
        if done.returncode != 0:
            problems.append(done.stdout + done.stderr)
    return problems


def main():
    known, recorded, problems = catalogue(), settings(), []
    for path in sorted(RULES.glob("*.yml")):
        problems += check_file(path, known | recorded)
        told = sorted(metrics_of_file(path) & recorded - known)
        if told:
            print(f"{path.name}: from {SETTINGS.relative_to(ROOT)}, not from the sources: {', '.join(told)}")
    problems += run_promtool()
    print("\n".join(problems) if problems else f"{len(list(RULES.glob('*.yml')))} files of rules hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
