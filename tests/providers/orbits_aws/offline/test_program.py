"""The offline AWS as a program of its own, and attaching to it."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from botocore.exceptions import BotoCoreError

from orbits_aws.offline import OfflineAws

MODULE = [sys.executable, "-m", "orbits_aws.offline"]
COMMAND = [sys.executable, "-c", "import typer; from orbits_aws.offline.cli import offline; typer.run(offline)"]


@contextmanager
def running(*arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_where_it_listens_and_ends_cleanly_when_told_to(number: signal.Signals) -> None:
    with running(*MODULE) as (process, url):
        with OfflineAws.attach(url) as aws:
            aws.client("sqs", account="111122223333").create_queue(QueueName="orders")
            assert aws.calls() == ["sqs:CreateQueue"]
            assert aws.endpoint_url == url
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


def test_the_command_says_where_it_listens_as_json() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(*COMMAND, "--port", str(port), "--json") as (_, line):
        assert json.loads(line) == {"endpoint_url": f"http://localhost:{port}"}


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*MODULE, "--port", port], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"The offline AWS cannot listen on port {port}: Address already in use. Choose another port.\n"
    )


def test_attaching_to_nothing_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://localhost:{free.getsockname()[1]}"
    with pytest.raises(ConnectionError, match=f"no offline AWS answers at {url}"):
        OfflineAws.attach(url)


def test_two_in_one_process_are_refused() -> None:
    with OfflineAws(), pytest.raises(RuntimeError, match="running in this process already"):
        OfflineAws().start()


def test_one_that_was_stopped_is_said_so_and_leaves_nothing_to_the_next() -> None:
    with OfflineAws() as first:
        left = first.client("sqs", account="111122223333")
        left.list_queues()
        first.client("s3", account="111122223333", region="us-east-1").create_bucket(Bucket="left")
    with pytest.raises(RuntimeError, match="is not running"):
        first.calls()
    with pytest.raises(BotoCoreError):
        left.list_queues()
    with OfflineAws() as second:
        assert second.client("s3", account="111122223333").list_buckets()["Buckets"] == []
