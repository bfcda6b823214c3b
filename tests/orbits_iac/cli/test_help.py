"""`orbits --help`: what it says, and how little it loads."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from orbits_iac import extras
from orbits_iac.cli import extensions

from .conftest import Project, environment

HELP = """\
Usage: orbits [OPTIONS] COMMAND [ARGS]...

  The same stack of services for many clients: provisioned, looked after and
  rolled back durably.

Options:
  --version   Print the version.
  --debug     Show the traceback of an error.
  -h, --help  Show this message and exit.

Bring about:
  preview     Show what `up` would do, and do nothing; exits with 3 if there
              is something to do.
  up          Install or update a stack, or run an Action or Workflow, and
              show it until it has ended.
  rollback    Bring a stack back to the revision before its current one, or to
              another.
  uninstall   Remove a stack and what belongs to it; what is retained or
              shared stays.
  cycle       Compare a stack with what is live, as its schedule does; exits
              with 3 if drift is left.

Look:
  drift       Compare a stack with what is live, and change nothing; exits
              with 3 if it has drifted.
  get         Show an execution with its tree, or a record with what it stands
              for; without either, what ran lately.
  history     List the revisions of a stack: when, by whom, with what; which
              one stands; and what happened to its drift.
  watch       Show an execution from another process until it has ended;
              --json prints its events, a line each.
  workers     List the workers and what they hold; and what none of them can
              go on with, with what is missing.

Operate:
  pause       Let an execution begin no more steps; what is under way comes to
              its outcome first.
  resume      Go on with an execution that was interrupted or paused, and show
              it until it has ended.
  answer      Send an event to an execution that waits for it; or, of a
              QUARANTINED one, accept what is left or retry.
  cancel      Ask an execution to cancel: it settles, goes back, and ends as
              CANCELLED.
  replay      Let an execution that has ended go on again, whole or from the
              step at --path, and show it until it has ended.
  end         End an execution, or its step at --path, whatever its code would
              still do.
  set-handle  Give a step another handle: an attempt under way is stopped, and
              its watch() is called with it next.
  worker      Advance executions and schedules until SIGTERM or Ctrl-C; what
              is under way goes on elsewhere or later.
  schedules   List the schedules of records; pause, resume and trigger them.
  notify      Look after who is told of problems.
  state       Look after the store itself.

From other packages:
  offline     From orbits_aws; `orbits offline --help` says more.
  tenants     From orbits_tenants; `orbits tenants --help` says more.
"""

LOADED = """
import json, sys
from orbits_iac.cli import main
sys.argv = ["orbits", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(project: Project, *arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=project.folder,
        env=environment({}),
        text=True,
        capture_output=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_lists_every_command(project: Project) -> None:
    assert project.run("--help") == HELP


def test_help_loads_nothing_heavy_and_no_other_package(project: Project) -> None:
    heavy = {"asyncio", "msgspec", "orbits_aws", "orbits_tenants", "pydantic", "rich.console", "sqlite3"}
    assert loaded(project, "--help") & heavy == set()


def test_reading_loads_neither_pydantic_nor_the_stacks(project: Project) -> None:
    project.run("up", "shop.py:Fleet")
    assert loaded(project, "get") & {"pydantic", "shop", "orbits_iac.engine", "orbits_iac.orbits"} == set()
    assert loaded(project, "history", "Fleet", "fleet") & {"pydantic", "shop"} == set()
    (running, *_) = json.loads(project.run("get", "--json"))
    for command in (("workers",), ("schedules", "list"), ("get", running["id"])):
        assert loaded(project, *command) & {"pydantic", "shop", "orbits_iac.engine", "orbits_iac.orbits"} == set()


def test_a_command_of_another_package_is_loaded_when_it_is_invoked(project: Project) -> None:
    assert "Run an AWS on this machine" in project.run("offline", "--help")


def test_a_command_whose_extra_is_missing_is_listed_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ['boto3>=1 ; extra == "aws"', "orbits-iac[aws] ; extra == 'cloud'", "no-such-thing>=2 ; extra == 'cloud'"]
    monkeypatch.setattr(extras, "requires", lambda _name: needs)
    point = EntryPoint("cloud", "no_such_package.cli:app", extensions.GROUP)
    object.__setattr__(point, "dist", type("Distribution", (), {"name": "orbits-iac"})())
    monkeypatch.setattr(extensions, "_points", lambda: {"cloud": point})
    assert extensions.extension("cloud").help == "Needs more: pip install 'orbits-iac[cloud]'"
    with pytest.raises(Exception, match=r"orbits cloud cannot start: pip install 'orbits-iac\[cloud\]'"):
        extensions.extension("cloud").main([], standalone_mode=False)
