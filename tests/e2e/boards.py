"""What dashboards and alert rules need of a page: tables of it, and whether a page has it.

A table is a text file of lines "metric labels kind": its label keys or "-", and the kind of server whose page has it."""
from pathlib import Path

import promql
import yaml
from stack import ROOT

TABLES = Path(__file__).resolve().parent / "dashboards"
# What Prometheus puts on a series, not the exporter. "addr" is what the board for exporters 0.3x tells servers of one
# exporter apart by; ours is "target", so that board needs a relabelling where an agent has several.
TARGET_LABELS = {"instance", "job", "namespace", "pod", "addr"}


def rules_in(file):
    groups = yaml.safe_load((ROOT / f"infra/prometheus/rules/{file}.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rules_of(file):
    """{alert or recorded name: expression} of infra/prometheus/rules/<file>.yml."""
    return {rule.get("record") or rule["alert"]: rule["expr"] for rule in rules_in(file)}


def recorded_names(file):
    return {rule["record"] for rule in rules_in(file) if "record" in rule}


def metrics_of(rules, name):
    """The metrics that a rule reads, those of recorded names among them."""
    found = set(promql.needs(rules[name]))
    return found.union(*(metrics_of(rules, recorded) for recorded in found & rules.keys()))


def label_keys(page):
    """{series name: its label keys, as many as any sample of it has}."""
    keys = {}
    for name, labels in page:
        keys.setdefault(name, set()).update(key for key, _ in labels)
    return keys


def rows_of(table):
    for line in (TABLES / f"{table}.txt").read_text().splitlines():
        if not line.startswith("#"):
            metric, labels, kind = line.split(" ")
            yield metric, set() if labels == "-" else set(labels.split(",")), kind


def missing(pages, metric, labels):
    """What is wrong with a metric on these pages of label_keys(), or None."""
    found = [page[metric] for page in pages if metric in page]
    if not found:
        return f"no {metric}"
    lacking = labels - TARGET_LABELS - set.union(*found)
    return f"{metric} without {', '.join(sorted(lacking))}" if lacking else None
