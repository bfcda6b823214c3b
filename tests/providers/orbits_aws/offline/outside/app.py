"""A CDK app with a file asset, synthesised as it is in one.out, and with another time-out in two.out."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda, aws_s3, aws_sqs
from constructs import Construct


class Site(cdk.Stack):
    """A bucket, a queue, and a function whose code is an asset."""

    def __init__(self, scope: Construct, seconds: int, **arguments: Any) -> None:
        super().__init__(scope, "Site", **arguments)
        aws_s3.Bucket(self, "Bucket", removal_policy=cdk.RemovalPolicy.DESTROY, enforce_ssl=True)
        queue = aws_sqs.Queue(self, "Queue", visibility_timeout=cdk.Duration.seconds(seconds))
        aws_lambda.Function(
            self,
            "Function",
            runtime=aws_lambda.Runtime.PYTHON_3_12,
            handler="index.handler",
            code=aws_lambda.Code.from_asset("code"),
            environment={"QUEUE": queue.queue_url},
        )
        cdk.CfnOutput(self, "QueueUrl", value=queue.queue_url)


Path("code").mkdir()
Path("code", "index.py").write_text("def handler(event, context):\n    return event\n")
for folder, timeout in (("one.out", 30), ("two.out", 60)):
    app = cdk.App(outdir=folder, analytics_reporting=False)
    Site(app, timeout, env=cdk.Environment(account="123456789012", region="eu-west-1"))
    app.synth()
