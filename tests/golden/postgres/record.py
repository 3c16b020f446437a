#!/usr/bin/env python3
"""Records what real servers answer to every statement of the catalogue, and what the page then is.

  record.py BUILD [MAJOR ...]    BUILD is a build folder with bin/postgres_record_rows and bin/source_postgres_test

Writes pgMAJOR/*.rows and pgMAJOR.prom beside this file. To be run again when a statement or a column was added.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
import other_postgres  # noqa: E402

MAJORS = ["9.6", "10", "12", "14", "15", "17", "18"]
SERVICE_USER = "postgres" if os.geteuid() == 0 else None
STATEMENTS = '''
CREATE ROLE limited LOGIN CONNECTION LIMIT 5
CREATE DATABASE "we""ird db"
CREATE DATABASE "базаβ" CONNECTION LIMIT 7
CREATE DATABASE half_dropped
UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_dropped'
CREATE EXTENSION pg_stat_statements
CREATE EXTENSION pg_buffercache
CREATE SCHEMA shop
CREATE TABLE shop."odd ""table""" (id serial PRIMARY KEY, note text)
CREATE TABLE account (id int PRIMARY KEY, note text)
CREATE INDEX account_note ON account (note)
CREATE TABLE empty_one ()
INSERT INTO shop."odd ""table""" (note) SELECT 'n' || i FROM generate_series(1, 50) i
INSERT INTO account SELECT i, repeat('x', 300) FROM generate_series(1, 20000) i
VACUUM ANALYZE account
SELECT count(*) FROM account WHERE id < 100
UPDATE account SET note = note || 'y' WHERE id % 2 = 0
SELECT pg_create_physical_replication_slot('phys')
SELECT pg_create_logical_replication_slot('logi', 'test_decoding')
SELECT pg_switch_wal()
'''


# What makes a 10 look like a 9.6 to the statements: the names that 10 changed, by the documentation of both.
NAMES_OF_96 = '''
CREATE FUNCTION pg_catalog.pg_current_xlog_location() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_current_wal_lsn()'
CREATE FUNCTION pg_catalog.pg_last_xlog_receive_location() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_last_wal_receive_lsn()'
CREATE FUNCTION pg_catalog.pg_last_xlog_replay_location() RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_last_wal_replay_lsn()'
CREATE FUNCTION pg_catalog.pg_is_xlog_replay_paused() RETURNS bool LANGUAGE sql AS 'SELECT pg_is_wal_replay_paused()'
ALTER TABLE pg_catalog.pg_stat_replication RENAME sent_lsn TO sent_location
ALTER TABLE pg_catalog.pg_stat_replication RENAME write_lsn TO write_location
ALTER TABLE pg_catalog.pg_stat_replication RENAME flush_lsn TO flush_location
ALTER TABLE pg_catalog.pg_stat_replication RENAME replay_lsn TO replay_location
ALTER TABLE pg_catalog.pg_stat_activity RENAME backend_type TO not_in_96
'''


class Server:
    """One server; as the service user where this runs as root."""

    def __init__(self, folder, bin_folder, settings):
        self.folder, self.bin, self.settings = folder, bin_folder, settings
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self):
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                    "fsync": "off", "shared_buffers": "16MB", "wal_level": "logical", **self.settings}
        words = [self.bin / "postgres", "-D", self.folder / "data"]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        self.process = subprocess.Popen([str(word) for word in words], stderr=open(self.folder / "log", "a"),
                                        cwd="/", user=SERVICE_USER)
        wait_until(lambda: subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None

    @property
    def dsn(self):
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def sql(self, statement):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-c", statement], check=True,
                              capture_output=True, text=True).stdout.strip()


def wait_until(is_true, seconds=60):
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError("the wait did not end")
        time.sleep(0.1)


def as_service_user(*words):
    subprocess.run([str(word) for word in words], check=True, capture_output=True, user=SERVICE_USER, cwd="/")


def make_primary(major, folder, bin_folder):
    as_service_user(bin_folder / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-D",
                    folder / "data")
    settings = {"shared_preload_libraries": "pg_stat_statements", "archive_mode": "on", "archive_command": "/bin/true",
                "track_io_timing": "on", "autovacuum": "off"}
    if major == "9.6":
        settings["allow_system_table_mods"] = "on"
    elif int(major) >= 13:
        settings["max_slot_wal_keep_size"] = "64MB"
    primary = Server(folder, bin_folder, settings)
    primary.start()
    for statement in STATEMENTS.strip().splitlines():
        primary.sql(statement)
    if major == "9.6":
        (folder / "data/pg_xlog").symlink_to("pg_wal")
        for statement in NAMES_OF_96.strip().splitlines():
            primary.sql(statement)
    return primary


def make_standby(major, primary, folder):
    primary.stop()
    as_service_user("cp", "-a", primary.folder / "data", folder / "data")
    primary.start()
    upstream = f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres'\nprimary_slot_name = 'phys'\n"
    if major != "9.6" and int(major) >= 12:
        (folder / "data/postgresql.auto.conf").write_text(upstream)
        (folder / "data/standby.signal").write_text("")
    else:
        (folder / "data/recovery.conf").write_text("standby_mode = 'on'\n" + upstream)
    standby = Server(folder, primary.bin, {**primary.settings, "hot_standby": "on", "archive_mode": "off",
                                           "wal_receiver_status_interval": "1s"})
    standby.start()
    return standby


def open_sessions(primary):
    """What the views show while it goes on: a slow vacuum, a transaction that holds a lock, one that waits for it, and
    a session that does nothing."""
    def session(*statements, name="psql"):
        words = ["psql", "-X", "-d", f"{primary.dsn} application_name={name}"]
        for statement in statements:
            words += ["-c", statement]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sessions = [session("SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1", "VACUUM account"),
                session('BEGIN; LOCK TABLE shop."odd ""table"""; SELECT pg_sleep(600)', name="holder")]
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") != "0")
    sessions.append(session('SELECT * FROM shop."odd ""table"""', name="waiter"))
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1")
    idle = subprocess.Popen(["psql", "-X", "-d", f"{primary.dsn} application_name=idler"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL)
    idle.stdin.write(b"SELECT 1;\n")
    idle.stdin.flush()
    sessions.append(idle)
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle'") == "1")
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_stat_progress_vacuum") == "1")
    wait_until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1")
    wait_until(lambda: primary.sql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t")
    return sessions


def record(major, build):
    real = "10" if major == "9.6" else major
    bin_folder = Path("/usr/lib/postgresql/15/bin") if real == "15" else other_postgres.folder_of(real) / "bin"
    version = ["90624"] if major == "9.6" else []
    rows = HERE / f"pg{major.replace('.', '')}"
    shutil.rmtree(rows, ignore_errors=True)
    rows.mkdir()
    with tempfile.TemporaryDirectory(prefix=f"record-{major}-") as scratch:
        folders = [Path(scratch, name) for name in ("primary", "standby", "rows")]
        Path(scratch).chmod(0o777)
        for folder in folders:
            folder.mkdir()
            folder.chmod(0o777)
        primary = standby = None
        sessions = []
        try:
            primary = make_primary(major, folders[0], bin_folder)
            standby = make_standby(major, primary, folders[1])
            primary.sql("UPDATE account SET note = 'z' WHERE id < 100")
            sessions = open_sessions(primary)
            subprocess.run([build / "bin/postgres_record_rows", primary.dsn, rows, *version], check=True)
            subprocess.run([build / "bin/postgres_record_rows", standby.dsn, folders[2], *version], check=True)
            for file in folders[2].iterdir():
                if not (rows / file.name).exists():
                    shutil.copyfile(file, rows / file.name)
            if version:
                (rows / "instance.rows").write_text(re.sub(r"PostgreSQL 10\.\d+(.*)\t10\.\d+\.0\t", r"PostgreSQL 9.6.24\1\t9.6.24\t",
                                                           (rows / "instance.rows").read_text()))
        finally:
            for session in sessions:
                session.kill()
                session.wait()
            for server in (standby, primary):
                if server:
                    server.stop()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    for major in sys.argv[2:] or MAJORS:
        try:
            record(major, build)
        except other_postgres.Absent as why:
            sys.exit(str(why))
    subprocess.run([build / "bin/source_postgres_test", "--gtest_filter=*PostgresGolden*"], check=True,
                   env={**os.environ, "MIDST_RECORD_GOLDEN": "1"})


if __name__ == "__main__":
    main()
