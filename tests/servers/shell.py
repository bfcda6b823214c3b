"""Shell scripts of the documentation, run by a real bash in which `orbits` is a command that is forked."""

import socketserver
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.commands import Commands

_ORBITS = """\
#!/bin/bash
asked=$(mktemp -d)
printf '%s\\0' "$PWD" "$@" > "$asked/arguments"
env -0 > "$asked/environment"
exec 3<>/dev/tcp/127.0.0.1/{port}
echo "$asked" >&3
read -r code <&3
cat "$asked/out"
cat "$asked/err" >&2
rm -r "$asked"
exit "$code"
"""


class Shell:
    """Runs scripts; made by `shell`."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs

    def run(self, script: str, *, cwd: Path, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a script as GitHub's runners do, until one of its commands fails."""
        return subprocess.run(
            ["/bin/bash", "-e", "-o", "pipefail", "-c", script],
            cwd=cwd,
            env={**env, "PATH": f"{self._programs}:{env['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def shell(commands: Commands, folder: Path) -> Generator[Shell]:
    """What runs scripts, with a folder for its program `orbits`."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = Path(self.rfile.readline().decode().strip())
            cwd, *arguments = (asked / "arguments").read_text().split("\0")[:-1]
            pairs = (asked / "environment").read_text().split("\0")[:-1]
            done = commands.run(arguments, cwd=Path(cwd), env=dict(pair.split("=", 1) for pair in pairs))
            (asked / "out").write_text(done.stdout)
            (asked / "err").write_text(done.stderr)
            self.wfile.write(f"{done.returncode}\n".encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        program = folder / "orbits"
        program.write_text(_ORBITS.format(port=server.server_address[1]))
        program.chmod(0o755)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Shell(folder)
        finally:
            server.shutdown()
            thread.join()
