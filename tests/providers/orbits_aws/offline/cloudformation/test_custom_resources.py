"""CDK's own custom resources are carried out, any other is refused: the offline AWS runs no functions."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def stack(kind: str, description: str, properties: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A custom resource as CDK writes it: with its provider's function, and the role of that."""
    provider = {
        "Code": {"ZipFile": "exports.handler = async () => {}"},
        "Description": description,
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "nodejs22.x",
        "Timeout": 900,
    }
    token = {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}}
    return {
        "Resources": {
            **others,
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
            "Provider": {"Type": "AWS::Lambda::Function", "Properties": provider},
            "It": {"Type": kind, "Properties": {**token, **properties}},
        }
    }


def bucket(*, emptied: bool) -> dict[str, Any]:
    tags = [{"Key": "aws-cdk:auto-delete-objects", "Value": "true"}]
    properties: dict[str, Any] = {"Tags": tags} if emptied else {}
    properties["VersioningConfiguration"] = {"Status": "Enabled"}
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def put_twice(aws: Any, name: str) -> None:
    for body in (b"1", b"2"):
        aws.client("s3", account=MANAGEMENT).put_object(Bucket=name, Key="report", Body=body)


def test_a_bucket_with_objects_is_not_removed_as_on_aws(aws: Any, cfn: Any) -> None:
    stack_id = cfn.deploy("site", {"Resources": {"Bucket": bucket(emptied=False)}})["StackId"]
    put_twice(aws, cfn.physical_id("site", "Bucket"))
    cfn.client.delete_stack(StackName="site")
    assert cfn.stack(stack_id)["StackStatus"] == "DELETE_FAILED"
    assert "BucketNotEmpty" in cfn.reasons(stack_id)["Bucket"]


@pytest.mark.parametrize(("emptied", "status"), [(True, "DELETE_COMPLETE"), (False, "DELETE_FAILED")])
def test_a_bucket_that_is_tagged_for_it_is_emptied_when_it_goes(
    aws: Any, cfn: Any, *, emptied: bool, status: str
) -> None:
    template = stack(
        "Custom::S3AutoDeleteObjects",
        "Lambda function for auto-deleting objects in x S3 bucket.",
        {"BucketName": {"Ref": "Bucket"}},
        Bucket=bucket(emptied=emptied),
    )
    stack_id = cfn.deploy("site", template)["StackId"]
    put_twice(aws, cfn.physical_id("site", "Bucket"))
    cfn.client.delete_stack(StackName="site")
    assert cfn.stack(stack_id)["StackStatus"] == status


def test_a_log_group_is_made_kept_for_a_while_and_left(aws: Any, cfn: Any) -> None:
    logs = aws.client("logs", account=MANAGEMENT)
    for days in (7, 30):
        properties = {"LogGroupName": "/aws/lambda/web", "RetentionInDays": days}
        cfn.deploy("site", stack("Custom::LogRetention", "", properties))
        assert [group["retentionInDays"] for group in logs.describe_log_groups()["logGroups"]] == [days]
    cfn.client.delete_stack(StackName="site")
    assert len(logs.describe_log_groups()["logGroups"]) == 1


def test_a_default_group_is_closed_and_opened_again(aws: Any, cfn: Any) -> None:
    template = stack(
        "Custom::VpcRestrictDefaultSG",
        "Lambda function for removing all inbound/outbound rules from the VPC default security group",
        {"DefaultSecurityGroupId": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}, "Account": MANAGEMENT},
        Vpc={"Type": "AWS::EC2::VPC", "DeletionPolicy": "Retain", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    )
    cfn.deploy("net", template)
    ec2, vpc = aws.client("ec2", account=MANAGEMENT), cfn.physical_id("net", "Vpc")
    mine = [{"Name": "vpc-id", "Values": [vpc]}]

    def open_rules() -> list[int]:
        [group] = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
        return [len(group["IpPermissions"]), len(group["IpPermissionsEgress"])]

    assert open_rules() == [0, 0]
    cfn.client.delete_stack(StackName="net")
    assert open_rules() == [1, 1]


def test_a_bucket_tells_a_queue_of_its_objects(aws: Any, cfn: Any) -> None:
    events = {"QueueConfigurations": [{"Events": ["s3:ObjectCreated:*"], "QueueArn": {"Fn::GetAtt": ["Queue", "Arn"]}}]}
    template = stack(
        "Custom::S3BucketNotifications",
        'AWS CloudFormation handler for "Custom::S3BucketNotifications" resources (@aws-cdk/aws-s3)',
        {"BucketName": {"Ref": "Bucket"}, "NotificationConfiguration": events, "Managed": True},
        Bucket={"Type": "AWS::S3::Bucket"},
        Queue={"Type": "AWS::SQS::Queue"},
    )
    cfn.deploy("site", template)
    name = cfn.physical_id("site", "Bucket")
    told = aws.client("s3", account=MANAGEMENT).get_bucket_notification_configuration(Bucket=name)
    assert told["QueueConfigurations"][0]["Events"] == ["s3:ObjectCreated:*"]


def test_another_provider_of_the_same_type_is_refused(cfn: Any) -> None:
    template = stack("Custom::S3AutoDeleteObjects", "mine", {"BucketName": "some"})
    assert cfn.deploy("site", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "with CDK's own provider" in cfn.reasons("site")["It"]


def test_a_custom_resource_of_ones_own_is_refused_at_once(cfn: Any) -> None:
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[Custom::Mine\]. The offline AWS runs no"):
        cfn.client.create_stack(StackName="site", TemplateBody='{"Resources": {"It": {"Type": "Custom::Mine"}}}')
