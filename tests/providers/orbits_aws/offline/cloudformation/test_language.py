"""What templates say beyond resources: rules, references to what exists elsewhere, and secrets that are not shown."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"


def parameter(value: Any, name: str = "/p") -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def values(**given: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


def live(aws: Any, name: str = "/p") -> str:
    return str(aws.client("ssm", account=MANAGEMENT).get_parameter(Name=name)["Parameter"]["Value"])


RULES = {
    "Live": {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "live"]},
        "Assertions": [
            {
                "Assert": {"Fn::Contains": [["large", "huge"], {"Ref": "Size"}]},
                "AssertDescription": "live systems are large",
            },
            {"Assert": {"Fn::Not": [{"Fn::EachMemberEquals": [{"Ref": "Zones"}, "a"]}]}},
        ],
    },
    "Zones": {
        "Assertions": [
            {
                "Assert": {"Fn::EachMemberIn": [{"Fn::RefAll": "CommaDelimitedList"}, ["a", "b", "c"]]},
                "AssertDescription": "zones are a, b or c",
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Stage": "test", "Size": "small", "Zones": "a"}, None),
        ({"Stage": "live", "Size": "large", "Zones": "a,b"}, None),
        ({"Stage": "live", "Size": "small", "Zones": "a,b"}, "rule [Live] failed: live systems are large"),
        ({"Stage": "live", "Size": "large", "Zones": "a,a"}, "rule [Live] failed: the assertion does not hold"),
        ({"Stage": "test", "Size": "small", "Zones": "a,x"}, "rule [Zones] failed: zones are a, b or c"),
    ],
)
def test_rules_are_asserted_before_anything_is_made(cfn: Any, given: dict[str, str], said: str | None) -> None:
    template = {
        "Parameters": {
            "Stage": {"Type": "String"},
            "Size": {"Type": "String"},
            "Zones": {"Type": "CommaDelimitedList"},
        },
        "Rules": RULES,
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
    }
    arguments = {"StackName": "shop", "TemplateBody": json.dumps(template), "Parameters": values(**given)}
    if said is None:
        cfn.client.create_stack(**arguments)
        assert cfn.stack("shop")["StackStatus"] == "CREATE_COMPLETE"
    else:
        code, message = refusal(cfn.client.create_stack, **arguments)
        assert (code, said in message) == ("ValidationError", True), message


def test_rules_see_attributes_of_what_parameters_name(aws: Any, cfn: Any) -> None:
    ec2 = aws.client("ec2", account=MANAGEMENT)
    [vpc] = ec2.describe_vpcs()["Vpcs"]
    ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "Stage", "Value": "live"}])

    def template(stage: str) -> str:
        asserted = {"Fn::Equals": [{"Fn::ValueOf": ["Vpc", "Tags.Stage"]}, stage]}
        rules = {"Stage": {"Assertions": [{"Assert": asserted, "AssertDescription": f"not {stage}"}]}}
        return json.dumps(
            {
                "Parameters": {"Vpc": {"Type": "AWS::EC2::VPC::Id"}},
                "Rules": rules,
                "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
            }
        )

    arguments = {"StackName": "shop", "Parameters": values(Vpc=vpc["VpcId"])}
    assert "not test" in refusal(cfn.client.create_stack, TemplateBody=template("test"), **arguments)[1]
    cfn.client.create_stack(TemplateBody=template("live"), **arguments)
    assert cfn.stack("shop")["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("AWS::EC2::VPC::Id", "vpc-0123"),
        ("List<AWS::EC2::Subnet::Id>", "subnet-0123"),
        ("AWS::EC2::SecurityGroup::Id", "sg-0123"),
        ("AWS::EC2::KeyPair::KeyName", "nobody"),
        ("AWS::EC2::Image::Id", "ami-0123"),
        ("AWS::Route53::HostedZone::Id", "Z0123"),
        ("AWS::SSM::Parameter::Name", "/none"),
    ],
)
def test_a_parameter_has_to_name_what_exists(cfn: Any, kind: str, value: str) -> None:
    template = {
        "Parameters": {"Named": {"Type": kind}},
        "Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
    }
    given = values(Named=value)
    why = f"Parameter validation failed: parameter value {value} for parameter name Named does not exist"
    assert cfn.change_set("shop", template, Parameters=given)["StatusReason"] == why
    cfn.client.create_stack(StackName="direct", TemplateBody=json.dumps(template), Parameters=given)
    assert cfn.stack("direct")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert cfn.reasons("direct")["direct"] == f"{why} Rollback requested by user."


def test_a_secret_parameter_is_shown_nowhere(aws: Any, cfn: Any) -> None:
    template: dict[str, Any] = {
        "Parameters": {"Secret": {"Type": "String", "NoEcho": True}},
        "Conditions": {"Known": {"Fn::Equals": [{"Ref": "Secret"}, "hunter2"]}},
        "Resources": {
            "P": parameter({"Fn::Sub": "pass:${Secret}"}),
            "Known": parameter("known", "/known") | {"Condition": "Known"},
        },
    }
    cfn.deploy("shop", template, Parameters=values(Secret="hunter2"))
    assert (live(aws), live(aws, "/known")) == ("pass:hunter2", "known"), "conditions see it"
    changed = cfn.change_set("shop", template, Parameters=values(Secret="hunter3"))
    aws.client("ssm", account=MANAGEMENT).put_parameter(Name="/p", Type="String", Value="drifted", Overwrite=True)
    cfn.client.detect_stack_drift(StackName="shop")
    shown = [
        cfn.stack("shop"),
        cfn.client.describe_stack_events(StackName="shop")["StackEvents"],
        cfn.client.describe_change_set(ChangeSetName=changed["ChangeSetId"], IncludePropertyValues=True),
        cfn.client.describe_stack_resource_drifts(StackName="shop")["StackResourceDrifts"],
        cfn.client.get_template(StackName="shop")["TemplateBody"]["Resources"],
    ]
    text = json.dumps(shown, default=str)
    assert "hunter" not in text
    assert "drifted" not in text
    assert "pass:****" in text


def test_dynamic_references_are_read_when_deployed_and_shown_as_written(aws: Any, cfn: Any) -> None:
    ssm, secrets = (aws.client(name, account=MANAGEMENT) for name in ("ssm", "secretsmanager"))
    ssm.put_parameter(Name="/plain", Type="String", Value="one")
    ssm.put_parameter(Name="/plain", Type="String", Value="two", Overwrite=True)
    ssm.put_parameter(Name="/secure", Type="SecureString", Value="hidden")
    arn = secrets.create_secret(Name="db", SecretString=json.dumps({"user": "root", "port": 5432}))["ARN"]
    old = secrets.get_secret_value(SecretId="db")["VersionId"]
    secrets.put_secret_value(SecretId="db", SecretString=json.dumps({"user": "admin"}))
    references = {
        "{{resolve:ssm:/plain}}": "two",
        "{{resolve:ssm:/plain:1}}": "one",
        "{{resolve:secretsmanager:db:SecretString:user}}": "admin",
        f"{{{{resolve:secretsmanager:{arn}:SecretString:user:AWSPREVIOUS}}}}": "root",
        f"{{{{resolve:secretsmanager:db:SecretString:port::{old}}}}}": "5432",
    }
    cfn.deploy("shop", {"Resources": {"P": parameter("|".join(references))}})
    assert live(aws) == "|".join(references.values())
    events = json.dumps(cfn.client.describe_stack_events(StackName="shop")["StackEvents"], default=str)
    assert "{{resolve:ssm:/plain:1}}" in events
    assert "admin" not in events
    for wrong, said in (
        ("{{resolve:ssm:/none}}", "Unable to fetch parameters [/none] from parameter store for this account."),
        ("{{resolve:ssm:/secure}}", "Parameters [/secure] referenced by template have types not supported"),
        ("{{resolve:secretsmanager:none}}", "Secrets Manager can't find the specified secret"),
        ("{{resolve:secretsmanager:db:SecretString:none}}", "Could not find a value associated with JSONKey"),
        ("{{resolve:vault:x}}", "Invalid dynamic reference"),
    ):
        change_set = cfn.change_set("shop", {"Resources": {"P": parameter(wrong)}})
        assert (change_set["Status"], said in change_set["StatusReason"]) == ("FAILED", True), change_set


def test_an_output_of_another_stack_is_read_across_regions_and_accounts_by_a_role(aws: Any, cfn: Any) -> None:
    output = {"Outputs": {"Name": {"Value": "far"}}}
    handle = {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
    other = "444455556666"
    aws.client("cloudformation", account=other, region="us-east-1").create_stack(
        StackName="source", TemplateBody=json.dumps(handle | output)
    )
    role = aws.client("iam", account=other).create_role(RoleName="reader", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    reference = {"StackName": "source", "OutputName": "Name", "Region": "us-east-1", "RoleArn": role}
    cfn.deploy("shop", {"Resources": {"P": parameter({"Fn::GetStackOutput": reference})}})
    assert live(aws) == "far"
    del reference["RoleArn"]
    reason = cfn.change_set("shop", {"Resources": {"P": parameter({"Fn::GetStackOutput": reference})}})["StatusReason"]
    assert reason == f"Output Name of stack source in {MANAGEMENT} (us-east-1) does not exist"


def test_the_language_extensions_need_their_capability(aws: Any, cfn: Any) -> None:
    template = {
        "Transform": "AWS::LanguageExtensions",
        "Resources": {"P": parameter({"Fn::ToJsonString": {"length": {"Fn::Length": ["a", "b"]}}})},
    }
    body = json.dumps(template)
    assert refusal(cfn.client.create_stack, StackName="shop", TemplateBody=body) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
    )
    cfn.client.create_stack(StackName="shop", TemplateBody=body, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert live(aws) == '{"length":2}'
