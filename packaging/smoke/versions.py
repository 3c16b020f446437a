"""Holds programs to what a distribution has: versions.py BASELINE PRIVATE_FOLDER <LIST_OF_FILES. The baseline names a library
and the newest version of each of its symbol sets. With --provides BASELINE: the same as lines of an rpm spec."""
import re
import subprocess
import sys
from pathlib import Path

NEED = re.compile(r"^\s+(?:required from (\S+):|0x\w+ 0x\w+ \d+ (\S+))$")


def version(name):
    """(set, numbers) of a symbol version: ("GLIBC", [2, 34])."""
    match = re.match(r"(.*?)_?((?:\d+[._])*\d+)?(_MIT)?$", name)
    return match[1] + (match[3] or ""), [int(number) for number in re.split(r"[._]", match[2])] if match[2] else []


def read_baseline(path):
    lines = [line.split() for line in Path(path).read_text().splitlines() if line and not line.startswith("#")]
    return {words[0]: dict(version(word) for word in words[1:]) for words in lines}


def needs(file):
    text = subprocess.run(["objdump", "-p", file], capture_output=True, text=True, check=True).stdout
    library, found = None, {name: set() for name in re.findall(r"^\s+NEEDED\s+(\S+)$", text, re.MULTILINE)}
    for line in text.splitlines():
        match = NEED.match(line)
        if match and match[1]:
            library = match[1]
        elif match and library:
            found.setdefault(library, set()).add(match[2])
    return found


def check(baseline, private):
    own, problems, newest, files = {path.name for path in Path(private).iterdir()}, [], {}, sys.stdin.read().split()
    for file in files:
        for library, versions in needs(file).items():
            if library in own or library.startswith("libmidst-push"):
                continue
            if library not in baseline:
                problems.append(f"{Path(file).name} needs {library}, which the baseline lacks")
                continue
            for name in versions:
                family, numbers = version(name)
                newest[family] = max(newest.get(family, []), numbers)
                if family not in baseline[library] or numbers > baseline[library][family]:
                    problems.append(f"{Path(file).name} needs {library}({name})")
    print("\n".join(problems) if problems else f"{len(files)} programs and libraries ask for at most " + ", ".join(
        f"{family}_{'.'.join(map(str, newest[family]))}" for family in ("GLIBC", "GLIBCXX", "CXXABI") if family in newest))
    return 1 if problems or not files else 0


def provides(baseline):
    """Every version that a program of this machine asks for is provided, up to the newest: rpm compares names, not numbers."""
    for library, sets in baseline.items():
        path = subprocess.run(["sh", "-c", f"ldconfig -p | grep -m1 -F '{library} ' | sed 's/.* => //'"], capture_output=True, text=True, check=True).stdout.strip()
        names = [""]
        defined = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout if path else ""
        for name in re.findall(r"^\d+ 0x\w+ 0x\w+ (\S+)", defined, re.MULTILINE):
            family, numbers = version(name)
            if family in sets and numbers <= sets[family]:
                names.append(name)
        print("Provides: " + ", ".join(f"{library}({name})(64bit)" for name in names))


if sys.argv[1] == "--provides":
    provides(read_baseline(sys.argv[2]))
else:
    sys.exit(check(read_baseline(sys.argv[1]), sys.argv[2]))
