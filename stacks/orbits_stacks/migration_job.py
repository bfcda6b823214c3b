"""The job that applies migrations: a program of its own, given on standard input, which outlives who started it.

All that it does to the database is one transaction, with the line that says so: killed, it has done nothing. It
imports the standard library alone, so that it starts in a few milliseconds.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing
from typing import Any


def main() -> None:
    """Read the job, let go of who started it, and do it."""
    job = json.load(sys.stdin)
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    run(job)


def run(job: dict[str, Any]) -> None:
    """Apply what the database lacks, unless a job with this token has; an error is noted for who watches."""
    with closing(sqlite3.connect(job["file"], timeout=30, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        connection.execute("CREATE TABLE IF NOT EXISTS jobs (token TEXT PRIMARY KEY, applied INTEGER, error TEXT)")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT 1 FROM jobs WHERE token = ?", [job["token"]]).fetchone():
            connection.execute("ROLLBACK")
            return
        try:
            done = _apply(connection, job["migrations"])
            connection.execute("INSERT INTO jobs VALUES (?, ?, NULL)", [job["token"], len(done)])
            for name in done:
                _say(job, name)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.execute("ROLLBACK")
            connection.execute("INSERT INTO jobs VALUES (?, 0, ?)", [job["token"], str(error)])


def _apply(connection: sqlite3.Connection, migrations: list[tuple[str, str]]) -> list[str]:
    done: list[str] = []
    for name, sql in migrations:
        if connection.execute("SELECT 1 FROM migrations WHERE name = ?", [name]).fetchone() is None:
            connection.execute(sql)
            connection.execute("INSERT INTO migrations VALUES (?)", [name])
            done.append(name)
    return done


def _say(job: dict[str, Any], name: str) -> None:
    line = {**job["line"], "token": job["token"], "what": name}
    with open(job["log"], "a", encoding="utf-8") as log:  # noqa: PTH123 - pathlib takes longer to import than the job
        log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
