"""Secrets, and types without a reader of their own: read through Cloud Control, or by CloudFormation's detection."""

from typing import Any

from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene


def describe(secret: str, **what: str) -> Any:
    return lambda hands: hands.of("secretsmanager").update_secret(SecretId=hands.ids[secret], **what)


def tag_secret(secret: str, **values: str) -> Any:
    listed = [{"Key": key, "Value": value} for key, value in values.items()]
    return lambda hands: hands.of("secretsmanager").tag_resource(SecretId=hands.ids[secret], Tags=listed)


_SECRET = "AWS::SecretsManager::Secret"
SECRETS = Scene(
    name="secrets",
    template={
        "Resources": {
            "Login": {
                "Type": _SECRET,
                "Properties": {
                    "Description": "login",
                    "GenerateSecretString": {"PasswordLength": 20},
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
            },
            "Plain": {"Type": _SECRET, "Properties": {"SecretString": "s3cret"}},
            "Spare": {"Type": _SECRET},
        }
    },
    unchecked=(
        f"Login {_SECRET} GenerateSecretString: what a secret holds is not read",
        f"Plain {_SECRET} SecretString: what a secret holds is not read",
    ),
    calls={_SECRET: 1},
    cases=(
        Case("nothing", lambda _: None),
        Case(
            "a new value, which is not looked at",
            lambda hands: hands.of("secretsmanager").put_secret_value(SecretId=hands.ids["Plain"], SecretString="new"),
        ),
        Case("a description", describe("Login", Description="mine"), ["Login Description"]),
        Case("a description where there was none", describe("Plain", Description="mine"), ["Plain Description"]),
        Case("a tag's value", tag_secret("Login", team="shop"), ["Login Tags[team]"]),
        Case("a tag added", tag_secret("Plain", by="hand"), ["Plain Tags[by]"]),
        Case(
            "deleted, and not gone yet",
            lambda hands: hands.of("secretsmanager").delete_secret(SecretId=hands.ids["Spare"]),
            ["Spare "],
        ),
    ),
)


def alarm(name: str, **what: Any) -> Any:
    """Put an alarm again with something else in it: there is no other way to change one."""

    def change(hands: Hands) -> None:
        metric = {
            "MetricName": "Errors",
            "Namespace": "Shop",
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Period": 60,
            "Statistic": "Sum",
            "Threshold": 5.0,
        }
        hands.of("cloudwatch").put_metric_alarm(AlarmName=hands.ids[name], **{**metric, **what})

    return change


def retain(hands: Hands) -> None:
    hands.of("kinesis").increase_stream_retention_period(StreamName=hands.ids["Clicks"], RetentionPeriodHours=72)


def rotate(hands: Hands) -> None:
    hands.of("kms").disable_key_rotation(KeyId=hands.ids["Key"])


def tag_vpc(hands: Hands) -> None:
    hands.of("ec2").create_tags(Resources=[hands.ids["Net"]], Tags=[{"Key": "by", "Value": "hand"}])


def put_rule(**what: str) -> Any:
    return lambda hands: hands.of("events").put_rule(
        **{"Name": hands.ids["Nightly"].rpartition("/")[2], "ScheduleExpression": "rate(1 day)", **what}
    )


_ALARM: dict[str, Any] = {
    "MetricName": "Errors",
    "Namespace": "Shop",
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "Period": "60",
    "Statistic": "Sum",
    "Threshold": 5,
}
OTHERS = Scene(
    name="others",
    template={
        "Resources": {
            "Failing": {"Type": "AWS::CloudWatch::Alarm", "Properties": _ALARM},
            "Spare": {"Type": "AWS::CloudWatch::Alarm", "Properties": _ALARM},
            "Clicks": {
                "Type": "AWS::Kinesis::Stream",
                "Properties": {"ShardCount": 1, "RetentionPeriodHours": 48, "Tags": [{"Key": "team", "Value": "web"}]},
            },
            "Key": {
                "Type": "AWS::KMS::Key",
                "Properties": {
                    "Description": "key",
                    "EnableKeyRotation": True,
                    "KeyPolicy": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
                                "Action": "kms:*",
                                "Resource": "*",
                            }
                        ],
                    },
                },
            },
            "Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": True}},
            "Nightly": {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 day)"}},
        }
    },
    calls={
        "AWS::CloudWatch::Alarm": 1,
        "AWS::EC2::VPC": 1,
        "AWS::Events::Rule": 1,
        "AWS::KMS::Key": 1,
        "AWS::Kinesis::Stream": 1,
    },
    cases=(
        Case("nothing", lambda _: None),
        Case("the same again", alarm("Failing")),
        Case("another threshold", alarm("Failing", Threshold=9.0), ["Failing Threshold"]),
        Case("clicks kept longer", retain, ["Clicks RetentionPeriodHours"]),
        Case("a key that is not rotated", rotate, ["Key EnableKeyRotation"]),
        Case("a network tagged", tag_vpc, ["Net Tags[by]"]),
        Case("another time", put_rule(ScheduleExpression="rate(1 hour)"), ["Nightly ScheduleExpression"]),
        Case(
            "an alarm deleted",
            lambda hands: hands.of("cloudwatch").delete_alarms(AlarmNames=[hands.ids["Spare"]]),
            ["Spare "],
        ),
    ),
)
