"""What our page says beside an exporter's on the same server, held to the tables of docs/parity.md.

Theirs is scraped before and after ours; a value that did not move between the two must be ours as well. A series of
ours may carry more labels than theirs."""
import re

from stack import ROOT, get, samples

# The exporters' Go runtime and HTTP handler, which are about their own process.
NOT_COMPARED = re.compile(r"^(go_|promhttp_|process_)")
ROW = re.compile(r"^\|\s*`(?P<series>[^`]+)`\s*\|\s*(?P<kind>missing|labels|value|type|noise|fleeting|server)\s*"
                 r"\|\s*(?P<why>.+?)\s*\|$")


def documented(section, subsection=None):
    """[(pattern of series, kind)] of a section of docs/parity.md up to its first subsection, or of one subsection."""
    text = (ROOT / "docs/parity.md").read_text()
    part = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    part = part.split(f"\n### {subsection}\n", 1)[1] if subsection else part
    rows = map(ROW.match, part.split("\n### ", 1)[0].splitlines())
    return [(row["series"].replace("\\|", "|"), row["kind"]) for row in rows if row]


def types(text):
    return {words[2]: words[3] for words in (line.split() for line in text.splitlines()) if words[:2] == ["#", "TYPE"]}


def shown(series):
    name, labels = series
    return name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else "")


def without_server(page, names):
    """The page's samples, those whose name is in `names` (regular expressions) without their label "server"."""
    stripped = {}
    for (name, labels), value in page.items():
        if any(re.fullmatch(pattern, name) for pattern in names):
            labels = tuple(label for label in labels if label[0] != "server")
        stripped[name, labels] = value
    return stripped


def differences(before, ours, after, serverless=()):
    """{(series, kind): detail}: names we lack, label sets we lack, values that stood still and are not ours, types.
    Those of theirs whose names are `serverless` are compared without their label "server", and reported as "server"."""
    mine = samples(ours)
    first, last = (without_server(samples(page), serverless) for page in (before, after))
    by_name = {}
    for name, labels in mine:
        by_name.setdefault(name, []).append(labels)
    found = {}
    for series in first.keys() & last.keys():
        if NOT_COMPARED.match(series[0]):
            continue
        if series[0] not in by_name:
            found[series[0], "missing"] = "no such name"
            continue
        same = [labels for labels in by_name[series[0]] if set(labels) >= set(series[1])]
        own = series[1] if series[1] in same else same[0] if len(same) == 1 else None
        if own is None:
            found[shown(series), "labels"] = "no series with these labels"
            continue
        value = mine[series[0], own]
        if first[series] == last[series] and abs(value - first[series]) > 1e-9 * abs(first[series]):
            found[shown(series), "value"] = f"theirs {first[series]}, ours {value}"
    for name, labels in samples(before):
        if "server" in dict(labels) and (name, labels) not in first:
            found[name, "server"] = "theirs has the label server, which 0.20 dropped"
    their_types, my_types = types(before), types(ours)
    for name in their_types.keys() & my_types.keys():
        if their_types[name] != my_types[name] and not NOT_COMPARED.match(name):
            found[name, "type"] = f"theirs {their_types[name]}, ours {my_types[name]}"
    return found


class Explanations:
    """The rows of docs/parity.md for one exporter. Every difference must match a row, and every row must match a
    difference, so that neither hides something nor keeps what is no longer true; only rows marked "noise" and "fleeting",
    about values and series that move or come by themselves or because one of the two looks, may be idle."""

    IDLE = {"noise": "value", "fleeting": "labels"}

    def __init__(self, rows):
        self.rows, self.used = rows, set()

    def unexplained(self, found):
        """Those of the differences that no row explains."""
        left = {}
        for (series, kind), detail in sorted(found.items()):
            matching = [row for row in self.rows
                        if kind in (row[1], self.IDLE.get(row[1])) and re.fullmatch(row[0], series, re.S)]
            self.used.update(matching)
            if not matching:
                left[series, kind] = detail
        return left

    def idle(self):
        """Rows that explained nothing although they must."""
        return [row for row in self.rows if row not in self.used and row[1] not in self.IDLE]


def listed(found):
    return "\n".join(f"{kind}: {series} ({detail})" for (series, kind), detail in sorted(found.items()))


def scrape_both(exporter, agent, view):
    """(theirs, ours, theirs again). The first scrape of a fresh process differs from all that follow."""
    for _ in range(2):
        get(exporter.url())
        get(agent.url(view))
    return tuple(get(url)[2].decode() for url in (exporter.url(), agent.url(view), exporter.url()))
