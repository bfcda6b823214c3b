"""Whether the offline AWS is as fast as stock moto: the same calls against both programs, turn by turn in one run.

Compared by the processor time that each program uses, which other work on the machine changes least.

python -m benchmarks.bench_offline [folder]
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import boto3
import psutil
import urllib3
from botocore.config import Config

from benchmarks.measures import Bar, Table, folder_of

OURS, STOCK = "orbits_aws.offline", "moto.server"
CALLS = 200
STARTS = 5
_KEY = {"AttributeName": "id", "KeyType": "HASH"}
_ID = {"AttributeName": "id", "AttributeType": "S"}

Call = Callable[[int], object]


@dataclass(frozen=True)
class Program:
    """One of the programs that are compared."""

    process: psutil.Process
    url: str

    def cpu(self) -> float:
        """Milliseconds of processor time that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system) * 1e3


def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name, running(OURS) as ours, running(STOCK) as stock:
        table = Table("offline", Path(name))
        theirs = of(stock.url)
        for operation, call in of(ours.url).items():
            took, used = turns((ours, call), (stock, theirs[operation]))
            table.add(f"{operation}: offline AWS", took[0], "ms")
            table.add(f"{operation}: stock moto", took[1], "ms")
            table.add(f"{operation}: processor time to stock moto's", used[0] / used[1], "times", Bar(1.1))
        table.add("start until it answers", starting(OURS), "s", Bar(1))
        table.add("start until it answers: stock moto", starting(STOCK), "s")
        table.write()


def turns(*programs: tuple[Program, Call]) -> tuple[list[float], list[float]]:
    """Many calls of each program, turn by turn: the middle one's milliseconds, and the processor time of all."""
    before = [program.cpu() for program, _ in programs]
    took: list[list[float]] = [[] for _ in programs]
    for number in range(CALLS):
        for (_, call), times in zip(programs, took, strict=True):
            start = time.perf_counter()
            call(number)
            times.append((time.perf_counter() - start) * 1e3)
    used = [program.cpu() - one for (program, _), one in zip(programs, before, strict=True)]
    return [statistics.median(times) for times in took], used


@contextmanager
def running(module: str) -> Generator[Program]:
    """One of the programs; entered when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "--port" if module == OURS else "-p", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env=dict(os.environ)) as process:
        try:
            url = f"http://localhost:{port}"
            while not answers(url):
                time.sleep(0.005)
            yield Program(psutil.Process(process.pid), url)
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Whether a program answers."""
    try:
        return urllib3.request("GET", f"{url}/", retries=False).status < 500
    except urllib3.exceptions.HTTPError:
        return False


def starting(module: str) -> float:
    """Seconds from the start of a program until it answers: the middle of several."""
    took: list[float] = []
    for _ in range(STARTS):
        start = time.perf_counter()
        with running(module):
            took.append(time.perf_counter() - start)
    return statistics.median(took)


def of(url: str) -> dict[str, Call]:
    """The calls that are measured, each by its number."""

    def client(service: str) -> Any:
        return cast("Any", boto3).client(
            service,
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="123456789012",
            aws_secret_access_key="offline",  # noqa: S106 - nothing checks it
            config=Config(retries={"total_max_attempts": 1}),
        )

    sqs, s3, dynamodb, sts = client("sqs"), client("s3"), client("dynamodb"), client("sts")
    s3.create_bucket(Bucket="measured")
    dynamodb.create_table(
        TableName="measured", KeySchema=[_KEY], AttributeDefinitions=[_ID], BillingMode="PAY_PER_REQUEST"
    )
    return {
        "sqs CreateQueue": lambda number: sqs.create_queue(QueueName=f"queue-{number}"),
        "sqs GetQueueUrl": lambda number: sqs.get_queue_url(QueueName=f"queue-{number}"),
        "s3 PutObject": lambda number: s3.put_object(Bucket="measured", Key=f"key-{number}", Body=b"x" * 1000),
        "dynamodb PutItem": lambda number: dynamodb.put_item(TableName="measured", Item={"id": {"S": str(number)}}),
        "sts GetCallerIdentity": lambda _: sts.get_caller_identity(),
    }


if __name__ == "__main__":
    main()
