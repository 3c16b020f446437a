#!/usr/bin/env python3
"""Holds units, packages and images together, without building any: exposure of the services, names of descriptors that the
agent knows, files that both kinds of packages bring, users, versions, what a package build needs."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
# Ten times the exposure that systemd-analyze security computes, at most.
EXPOSURE = {"midst-agent.service": 12, "midst-api.service": 14}
DEBIAN, SPEC = "packaging/debian", "packaging/rpm/midst-agent.spec"


def read(name):
    return (ROOT / name).read_text()


def settings(unit):
    return re.findall(r"^(\w+)=(.*)$", read(unit), re.MULTILINE)


def exposure():
    for name, limit in EXPOSURE.items():
        # Of the files alone: the copy keeps drop-ins of the machine out.
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_text(read(f"systemd/{name}"))
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={limit}", f"{folder}/{name}"],
                                  capture_output=True, text=True)
        if done.returncode != 0:
            yield f"systemd/{name}: {(done.stdout or done.stderr).strip().splitlines()[-1]}; at most {limit / 10}"


def descriptors():
    code = read("agent/app/push_side.cpp") + read("agent/app/web_side.cpp")
    config = read("configs/midst-agent.toml")
    for path in sorted((ROOT / "systemd").glob("*.socket")):
        name, unit = path.relative_to(ROOT).as_posix(), dict(settings(path.relative_to(ROOT)))
        if f'"{unit.get("FileDescriptorName")}"' not in code:
            yield f"{name}: the agent knows no descriptor {unit.get('FileDescriptorName')}"
        address = unit.get("ListenStream") or unit.get("ListenDatagram")
        if f'"{address}"' not in config:
            yield f"{name}: {address} is not the default of configs/midst-agent.toml"
        if unit.get("Service") != "midst-agent.service":
            yield f"{name}: starts {unit.get('Service')}"


def files():
    cmake, spec = read("agent/package.cmake") + read("api/package.cmake"), read(SPEC)
    lists = "".join(path.read_text() for path in sorted((ROOT / DEBIAN).glob("*.install")))
    for path in sorted((ROOT / "systemd").iterdir()):
        if path.is_file() and f"{path.name}" not in cmake:
            yield f"systemd/{path.name} is not installed by any package.cmake"
        if path.suffix in (".service", ".socket"):
            for name, text in ((SPEC, spec), (f"{DEBIAN}/*.install", lists)):
                globs = [Path(word).name for word in re.findall(r"system/(\S+)|unitdir}/(\S+)", text) for word in word if word]
                if not any(Path(path.name).match(glob) for glob in globs):
                    yield f"{name} does not name {path.name}"
    for source in re.findall(r"\$\{(?:PROJECT_SOURCE_DIR|units)\}/([\w./-]+)", cmake):
        if not (ROOT / source).exists() and not (ROOT / "systemd" / source).exists():
            yield f"package.cmake installs {source}, which does not exist"


def users():
    spec = read(SPEC)
    for name in ("midst-agent", "midst-api"):
        wanted = [line for line in read(f"systemd/{name}.sysusers").splitlines() if line and not line.startswith("#")]
        if "\n".join(wanted) + "\nUSERS\n" not in spec:
            yield f"{SPEC}: %pre of {name} does not make the users of systemd/{name}.sysusers"
    for name, unit in (("midst-agent", "midst-agent.service"), ("midst-api", "midst-api.service")):
        user = dict(settings(f"systemd/{unit}"))["User"]
        if f"u {user} " not in read(f"systemd/{name}.sysusers"):
            yield f"systemd/{unit}: nobody makes the user {user}"


def versions():
    own = re.search(r"project\(midst VERSION (\S+)", read("CMakeLists.txt"))[1]
    for name, pattern in ((f"{DEBIAN}/changelog", r"^midst \(([^)]+)\)"), (SPEC, r"^Version: +(\S+)"), (SPEC, r"> - ([\d.]+)-\d")):
        found = re.search(pattern, read(name), re.MULTILINE)
        if not found or found[1] != own:
            yield f"{name}: version {found and found[1]}, CMakeLists.txt says {own}"


def build_needs():
    control = read(f"{DEBIAN}/control")
    for package in re.findall(r"^(\S+-dev)$", read("infra/packages-build.txt"), re.MULTILINE):
        if f" {package}," not in control and f" {package}\n" not in control:
            yield f"{DEBIAN}/control: Build-Depends lacks {package}"


def containers():
    pod = yaml.safe_load(read("infra/k8s/sidecar.yaml"))["spec"]
    for container in pod["containers"]:
        context = container["securityContext"]
        if not (context.get("readOnlyRootFilesystem") and context.get("runAsUser") and context["capabilities"]["drop"] == ["ALL"]):
            yield f"infra/k8s/sidecar.yaml: {container['name']} is not confined"
    for name, service in yaml.safe_load(read("infra/sidecar/compose.yaml"))["services"].items():
        if name in ("api", "agent") and not (service.get("read_only") and service.get("cap_drop") == ["ALL"]):
            yield f"infra/sidecar/compose.yaml: {name} is not confined"
    for name in ("agent", "api"):
        last = read(f"packaging/docker/{name}.Dockerfile").rsplit("FROM ", 1)[1]
        if not last.startswith("scratch") or not re.search(r"^USER [1-9]\d*:\d+$", last, re.MULTILINE):
            yield f"packaging/docker/{name}.Dockerfile: the last stage is not a scratch one of a numbered user"


problems = [problem for check in (exposure, descriptors, files, users, versions, build_needs, containers) for problem in check()]
print("\n".join(problems) or "units, packages and images agree")
sys.exit(1 if problems else 0)
