"""How long it takes to synthesise fifty tenants' stacks, and to take them from the cache in a later process.

python -m benchmarks.bench_synth [folder]

What is measured is the synthesis alone, from the first stack to the last, the start of Node included; that Python
imports the constructs first, which every process that defines stacks does, is a row of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measures import Bar, Table, folder_of

TENANTS = 50
SHOPS = """
import orbits_cdk
import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb, aws_lambda as functions, aws_s3 as s3, aws_sqs as sqs
from orbits_cdk import CdkStack
from orbits_iac import Outputs


class ShopOutputs(Outputs):
    bucket: str
    queue: str


class Shop(CdkStack[ShopOutputs]):
    client: str

    def define_stack(self, stack: cdk.Stack) -> ShopOutputs:
        cdk.Tags.of(stack).add("client", self.client)
        bucket = s3.Bucket(stack, "Files", versioned=True, removal_policy=cdk.RemovalPolicy.DESTROY)
        queue = sqs.Queue(stack, "Orders", visibility_timeout=cdk.Duration.seconds(60))
        table = dynamodb.Table(
            stack, "Prices", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        )
        function = functions.Function(
            stack, "Take", runtime=functions.Runtime.PYTHON_3_12, handler="index.handler",
            code=functions.Code.from_inline("def handler(event, context): pass"),
        )
        bucket.grant_read_write(function)
        queue.grant_consume_messages(function)
        table.grant_read_write_data(function)
        return ShopOutputs(bucket=bucket.bucket_name, queue=queue.queue_url)
"""
PROGRAM = '''
import json, sys, time
from datetime import UTC, datetime
begin = time.perf_counter()
from shops import Shop
from orbits_aws import AwsTarget
from orbits_iac.steps.step import bind


class Execution:
    """As much of an execution as a synthesis asks for."""

    project, token, attempt = "agency", "token", 1

    def __init__(self, client: str) -> None:
        self.record = ("Shop", client)

    def target(self, kind: type) -> AwsTarget:
        return AwsTarget(account="111111111111")

    def progress(self, message: str, share: float | None = None) -> None:
        pass

    def now(self) -> datetime:
        return datetime.now(UTC)


imported = time.perf_counter()
for number in range(int(sys.argv[1])):
    shop = Shop(client=f"client{number}")
    bind(shop, Execution(shop.client))
    shop.synthesise()
print(json.dumps([imported - begin, time.perf_counter() - imported]))
'''


def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name:
        folder = Path(name)
        for file, text in (("shops.py", SHOPS), ("program.py", PROGRAM)):
            (folder / file).write_text(text)
            os.utime(folder / file, (0, 0))  # as if long before the process: only then is it cached for others
        table = Table("synth", folder)
        imports, cold = _run(folder)
        _, cached = _run(folder)
        table.add(f"{TENANTS} tenants' stacks synthesised", cold, "s")
        table.add(f"{TENANTS} tenants' stacks from the cache, in a new process", cached, "s")
        table.add("the cache is faster", cold / cached, "times", Bar(20, at_least=True))
        table.add("importing the constructs", imports, "s")
        table.write()


def _run(folder: Path) -> Any:
    """Seconds that a new process takes to import, and to synthesise."""
    command = [sys.executable, "program.py", str(TENANTS)]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
