"""Queues and topics."""

import json
from typing import Any

from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene


def attributes(queue: str, **values: str) -> Any:
    return lambda hands: hands.of("sqs").set_queue_attributes(QueueUrl=hands.ids[queue], Attributes=values)


def redrive(count: str) -> Any:
    def change(hands: Hands) -> None:
        arn = f"arn:aws:sqs:{hands.target.region}:{hands.target.account}:{hands.ids['Dead'].rpartition('/')[2]}"
        policy = json.dumps({"maxReceiveCount": count, "deadLetterTargetArn": arn})
        hands.of("sqs").set_queue_attributes(QueueUrl=hands.ids["Jobs"], Attributes={"RedrivePolicy": policy})

    return change


def policy(queue: str, *statements: dict[str, Any]) -> Any:
    def change(hands: Hands) -> None:
        arn = f"arn:aws:sqs:{hands.target.region}:{hands.target.account}:{hands.ids[queue].rpartition('/')[2]}"
        document = {"Version": "2012-10-17", "Statement": [{**each, "Resource": arn} for each in statements]}
        hands.of("sqs").set_queue_attributes(
            QueueUrl=hands.ids[queue], Attributes={"Policy": json.dumps(document) if statements else ""}
        )

    return change


def queue_again(hands: Hands) -> None:
    """Deleted, and made again by hand with the same name."""
    name = hands.ids["Mail"].rpartition("/")[2]
    hands.of("sqs").delete_queue(QueueUrl=hands.ids["Mail"])
    hands.of("sqs").create_queue(QueueName=name)


SEND = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}


def _policy(queue: str, **more: Any) -> dict[str, Any]:
    document = {
        "Version": "2012-10-17",
        "Statement": [{**SEND, "Resource": {"Fn::GetAtt": [queue, "Arn"]}, **more}],
    }
    return {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": queue}], "PolicyDocument": document}}


QUEUES = Scene(
    name="queues",
    template={
        "Resources": {
            "Jobs": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "VisibilityTimeout": "45",
                    "MessageRetentionPeriod": 86400,
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
            },
            "Dead": {"Type": "AWS::SQS::Queue"},
            "Ordered": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"FifoQueue": True, "ContentBasedDeduplication": True},
            },
            "Mail": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 5, "ReceiveMessageWaitTimeSeconds": 20}},
            "Spare": {"Type": "AWS::SQS::Queue"},
            "JobsPolicy": _policy("Jobs"),
            "DeadPolicy": _policy("Dead", Condition={"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}),
        }
    },
    calls={"AWS::SQS::Queue": 2, "AWS::SQS::QueuePolicy": 1},
    cases=(
        Case("nothing", lambda _: None),
        Case(
            "a message is sent",
            lambda hands: hands.of("sqs").send_message(QueueUrl=hands.ids["Jobs"], MessageBody="a"),
        ),
        Case("the same again, as text", attributes("Jobs", VisibilityTimeout="45", MessageRetentionPeriod="86400")),
        Case("the defaults are said", attributes("Dead", DelaySeconds="0", VisibilityTimeout="30")),
        Case("the redrive policy in other words", redrive("3")),
        Case("the policy in other words", policy("Jobs", {**SEND, "Action": ["SQS:sendmessage"]})),
        Case("an attribute", attributes("Jobs", VisibilityTimeout="5"), ["Jobs VisibilityTimeout"]),
        Case("another attribute", attributes("Jobs", MessageRetentionPeriod="60"), ["Jobs MessageRetentionPeriod"]),
        Case("an attribute beyond the template", attributes("Dead", DelaySeconds="9"), ["Dead DelaySeconds"]),
        Case(
            "deduplication off",
            attributes("Ordered", ContentBasedDeduplication="false"),
            ["Ordered ContentBasedDeduplication"],
        ),
        Case("a key", attributes("Dead", KmsMasterKeyId="alias/aws/sqs"), ["Dead KmsMasterKeyId"]),
        Case("smaller messages", attributes("Dead", MaximumMessageSize="1024"), ["Dead MaximumMessageSize"]),
        Case("another redrive policy", redrive("9"), ["Jobs RedrivePolicy.maxReceiveCount"]),
        Case(
            "a tag added",
            lambda hands: hands.of("sqs").tag_queue(QueueUrl=hands.ids["Jobs"], Tags={"by": "hand"}),
            ["Jobs Tags[by]"],
        ),
        Case(
            "a tag removed",
            lambda hands: hands.of("sqs").untag_queue(QueueUrl=hands.ids["Jobs"], TagKeys=["team"]),
            ["Jobs Tags[team]"],
        ),
        Case(
            "the policy widened",
            policy("Jobs", SEND, {"Effect": "Allow", "Principal": "*", "Action": "sqs:*"}),
            ["JobsPolicy PolicyDocument"],
        ),
        Case("the policy removed", policy("Dead"), ["DeadPolicy "]),
        Case("a queue made again", queue_again, ["Mail DelaySeconds", "Mail ReceiveMessageWaitTimeSeconds"]),
        Case("a queue deleted", lambda hands: hands.of("sqs").delete_queue(QueueUrl=hands.ids["Spare"]), ["Spare "]),
    ),
)


def topic(name: str, attribute: str, value: str) -> Any:
    return lambda hands: hands.of("sns").set_topic_attributes(
        TopicArn=hands.ids[name], AttributeName=attribute, AttributeValue=value
    )


TOPICS = Scene(
    name="topics",
    template={
        "Resources": {
            "News": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"DisplayName": "News", "Tags": [{"Key": "team", "Value": "web"}]},
            },
            "Plain": {"Type": "AWS::SNS::Topic"},
            "Ordered": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"FifoTopic": True, "ContentBasedDeduplication": "true"},
            },
            "Spare": {"Type": "AWS::SNS::Topic"},
        }
    },
    calls={"AWS::SNS::Topic": 2},
    cases=(
        Case("nothing", lambda _: None),
        Case("the same name is said", topic("News", "DisplayName", "News")),
        Case("another name", topic("News", "DisplayName", "Old news"), ["News DisplayName"]),
        Case("a name where there was none", topic("Plain", "DisplayName", "Plain"), ["Plain DisplayName"]),
        Case("a key", topic("Plain", "KmsMasterKeyId", "alias/aws/sns"), ["Plain KmsMasterKeyId"]),
        Case(
            "deduplication off",
            topic("Ordered", "ContentBasedDeduplication", "false"),
            ["Ordered ContentBasedDeduplication"],
        ),
        Case(
            "a tag's value",
            lambda hands: hands.of("sns").tag_resource(
                ResourceArn=hands.ids["News"], Tags=[{"Key": "team", "Value": "shop"}]
            ),
            ["News Tags[team]"],
        ),
        Case(
            "a tag added",
            lambda hands: hands.of("sns").tag_resource(
                ResourceArn=hands.ids["Plain"], Tags=[{"Key": "by", "Value": "hand"}]
            ),
            ["Plain Tags[by]"],
        ),
        Case("a topic deleted", lambda hands: hands.of("sns").delete_topic(TopicArn=hands.ids["Spare"]), ["Spare "]),
    ),
)
