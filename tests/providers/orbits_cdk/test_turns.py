"""One synthesis at a time, and none for ever."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.turns import Turns

PROGRAM = """
    import os
    import orbits_cdk
    import aws_cdk as cdk
    import psutil
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import cloudformation_include as include
    from orbits_cdk.errors import StackError
    from orbits_cdk.packing import Place
    from orbits_cdk.synth import Wish, synthesise

    os.mkfifo("never")

    class Stack:
        def __init__(self, does):
            self.does = does

        def make_stack(self, scope, id):
            return None

        def define_stack(self, stack):
            if self.does == "hangs":
                include.CfnInclude(stack, "Waits", template_file="never")
            if self.does == "dies":
                for process in psutil.Process().children(recursive=True):
                    process.kill()
            sqs.Queue(stack, "Jobs")

    place = Place(kind="Site", stack_name="site", account="111111111111", region="eu-west-1", prefix="tests")
    for does in ("works", "hangs", "dies", "works again"):
        os.environ["ORBITS_CDK_TIMEOUT"] = "2" if does == "hangs" else "300"
        try:
            print(list(synthesise(Stack(does), Wish(place=place)).resources()))
        except StackError as error:
            print(error)
"""


def test_a_node_that_hangs_or_dies_is_left_and_the_next_synthesis_has_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    first, hung, *lines, _, died, made, _ = done.stdout.split("\n")
    assert hung == "Site was not synthesised within 2 seconds, and its Node process was ended:"
    assert lines[1].strip() == 'include.CfnInclude(stack, "Waits", template_file="never")'
    assert died.startswith("Site was not synthesised: CDK's Node process ended while it was at it")
    assert made == first
    assert made.startswith("['Jobs")


def test_whoever_waits_for_code_that_does_not_end_is_told_where_it_is() -> None:
    now = [0.0]
    turns = Turns(clock=lambda: now[0])
    has_it, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        with turns.take("Slow"):
            has_it.set()
            may_end.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    has_it.wait()
    now[0] = 1_000.0
    with (
        pytest.raises(SynthesisFailed, match=r"Site cannot be .* Slow has been at it for 1000 s") as failed,
        turns.take("Site"),
    ):
        pass
    assert "in hang\n    may_end.wait()" in str(failed.value)
    may_end.set()
    thread.join()
    with turns.take("Site"), turns.take("Site again"):
        pass
