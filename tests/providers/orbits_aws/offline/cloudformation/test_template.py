"""Templates as text: what is accepted, and with which words the rest is refused. Pure."""

import json
from typing import Any

import pytest

from orbits_aws.offline.cloudformation.errors import ValidationError
from orbits_aws.offline.cloudformation.graph import in_order
from orbits_aws.offline.cloudformation.model import ParameterValue
from orbits_aws.offline.cloudformation.parameters import resolve_parameters
from orbits_aws.offline.cloudformation.template import parse

QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "Template format error: JSON not well-formed"),
        ("a: [", "Template format error"),
        ("just text", "Template format error: unsupported structure."),
        ({}, "At least one Resources member must be defined"),
        ({"Resources": {}}, "At least one Resources member must be defined"),
        ({"Resource": {"Q": QUEUE}}, "Invalid template property or properties [Resource]"),
        ({"Resources": {"Q": {}}}, "[/Resources/Q] Every Resources object must contain a Type member."),
        ({"Resources": {"Q": {**QUEUE, "Properties": []}}, "Transform": "X"}, "runs no macros and no transforms: [X]"),
        (
            {"Resources": {"Q": {**QUEUE, "DependsOn": "None"}}},
            "Unresolved resource dependencies [None] in the Resources block of the template",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "Properties": {"QueueName": {"Fn::Sub": "${A}-${B.Arn}-${!C}"}}}}},
            "Unresolved resource dependencies [A, B] in the Resources block of the template",
        ),
        (
            {"Resources": {"Q": QUEUE}, "Outputs": {"O": {"Value": {"Ref": "R"}}}},
            "Unresolved resource dependencies [R] in the Outputs block of the template",
        ),
        ({"Resources": {"Q": QUEUE}, "Outputs": {"O": {"Description": "x"}}}, "Output O must have a Value"),
        (
            {"Resources": {"A": {**QUEUE, "DependsOn": "B"}, "B": {**QUEUE, "DependsOn": ["A"]}}},
            "Circular dependency between resources: [A, B]",
        ),
        ({"Resources": {"Q": {**QUEUE, "Condition": "Big"}}}, "Unresolved condition dependency Big"),
        ('{"Resources": {,}}', "Template format error: JSON not well-formed. (line 1, column 16)"),
        ("Resources:\n  a: [", "Template format error: YAML not well-formed. (line 2, column 7)"),
        (
            {"Resources": {"Q": QUEUE}, "AWSTemplateFormatVersion": "2020"},
            "unsupported value for AWSTemplateFormatVersion.",
        ),
        ({"Resources": {"Q": QUEUE}, "Description": "x" * 1025}, "'Description' length is greater than 1024."),
        (
            {"Resources": {f"Q{n}": QUEUE for n in range(501)}},
            "Number of resources, 501, is greater than maximum allowed, 500",
        ),
        (
            {"Resources": {"Q": QUEUE}, "Outputs": {f"O{n}": {"Value": "x"} for n in range(201)}},
            "Number of outputs, 201, is greater than maximum allowed, 200",
        ),
        (
            {"Resources": {"Q": QUEUE}, "Parameters": {f"P{n}": {"Type": "String"} for n in range(201)}},
            "Number of parameters, 201, is greater than maximum allowed, 200",
        ),
        ({"Resources": {"A-b": QUEUE}}, "Template format error: Resource name A-b is non alphanumeric."),
        ({"Resources": {"Q": {**QUEUE, "Property": {}}}}, "Invalid template resource property 'Property'"),
        (
            {"Resources": {"Q": QUEUE}, "Outputs": {"O": {"Value": "x", "Name": "y"}}},
            "Invalid template output property 'Name'",
        ),
        ({"Resources": {"Q": QUEUE}, "Parameters": {"P": {}}}, "Every Parameters object must contain a Type member."),
        ({"Resources": {"Q": QUEUE}, "Parameters": {"P": {"Type": "Text"}}}, "Unrecognized parameter type: Text"),
        (
            {"Resources": {"Q": QUEUE}, "Parameters": {"P": {"Type": "String", "Min": 1}}},
            "Invalid template parameter property 'Min'",
        ),
        (
            {"Resources": {"Q": QUEUE}, "Conditions": {"C": {"Fn::Equals": [{"Ref": "Q"}, "x"]}}},
            "Unresolved dependencies [Q]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "Properties": {"X": {"Fn::Map": 1}}}}},
            "Encountered unsupported function: Fn::Map",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "Properties": {"X": {"Fn::Length": []}}}}},
            "Encountered unsupported function: Fn::Length",
        ),
        ({"Resources": {"Q": {**QUEUE, "Properties": {"Fn::Transform": {}}}}}, "runs no macros: Fn::Transform"),
        ({"Resources": {"Q": QUEUE, "Fn::ForEach::X": ["N", ["a"], {}]}}, "does not unroll loops: [Fn::ForEach::X]"),
        ({"Resources": {"Q": QUEUE}, "Hooks": {}}, "runs no hooks"),
        (
            {"Resources": {"Q": QUEUE}, "Transform": ["AWS::Serverless-2016-10-31"]},
            "no transforms: [AWS::Serverless-2016-10-31]",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "CreationPolicy": {"ResourceSignal": {}}}}},
            "The offline AWS waits for no signals: [Q] has a CreationPolicy for them",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "Properties": {"QueueName": "{{resolve:ssm-secure:x:1}}"}}}},
            "SSM Secure reference is not supported in: [AWS::SQS::Queue/Properties/QueueName]",
        ),
        (
            {"Resources": {"Q": {**QUEUE, "Properties": {"QueueName": {"Fn::If": ["Big", "a", "b"]}}}}},
            "Unresolved condition dependency Big",
        ),
    ],
)
def test_a_template_that_is_wrong_is_refused_with_the_reason(document: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse(document if isinstance(document, str) else json.dumps(document))
    assert said in refused.value.message


def test_yaml_with_short_forms_means_the_same_as_json() -> None:
    text = """
    AWSTemplateFormatVersion: 2010-09-09
    Conditions:
      Big: !Equals [!Ref 'AWS::Region', eu-west-1]
    Resources:
      Queue:
        Type: AWS::SQS::Queue
        Properties:
          QueueName: !If [Big, !Sub '${AWS::StackName}-big', !Ref 'AWS::NoValue']
          RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
      Dead:
        Type: AWS::SQS::Queue
    """
    template = parse(text)
    assert template.document["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template.resources["Queue"].properties == {
        "QueueName": {"Fn::If": ["Big", {"Fn::Sub": "${AWS::StackName}-big"}, {"Ref": "AWS::NoValue"}]},
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
    }
    assert template.resources["Queue"].depends_on >= {"Dead"}


def test_the_order_follows_dependencies_and_otherwise_the_template() -> None:
    assert in_order({"c": ["a"], "a": [], "b": [], "d": ["c", "b"]}) == ["a", "b", "c", "d"]
    assert in_order({"a": ["a", "other"]}) == ["a"]
    with pytest.raises(ValidationError, match=r"Circular dependency between resources: \[a, b\]"):
        in_order({"a": ["b"], "b": ["a"], "c": []})


def declared(**parameters: Any) -> Any:
    return parse(json.dumps({"Parameters": parameters, "Resources": {"Q": QUEUE}}))


def no_ssm(name: str) -> str:
    raise AssertionError(name)


def given(**values: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


@pytest.mark.parametrize(
    ("declaration", "value", "said"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
        ({"Type": "String", "AllowedPattern": "a", "ConstraintDescription": "an a"}, "b", "must satisfy: an a"),
        ({"Type": "String", "MinLength": 2, "MaxLength": 3}, "a", "must contain 2 to 3 characters"),
        ({"Type": "Number"}, "many", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 2}, "1", "must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "3", "must be a number not greater than 2"),
    ],
)
def test_parameters_that_do_not_satisfy_their_declaration_are_refused(
    declaration: Any, value: str | None, said: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        resolve_parameters(declared(P=declaration), given(P=value) if value is not None else [], {}, no_ssm)
    assert said in refused.value.message


def test_parameters_come_from_what_is_given_what_was_before_or_the_default() -> None:
    template = declared(
        Given={"Type": "String"},
        Before={"Type": "String", "NoEcho": True},
        Default={"Type": "Number", "Default": 3},
        Listed={"Type": "CommaDelimitedList", "Default": "a, b"},
        Stored={"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"},
        Ids={"Type": "List<AWS::EC2::Subnet::Id>", "Default": "a,b"},
        StoredIds={"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/list"},
    )
    values = resolve_parameters(
        template,
        [*given(Given="x"), {"ParameterKey": "Before", "UsePreviousValue": True}],
        {"Before": ParameterValue(given="old")},
        {"/name": "stored", "/list": "x,y"}.__getitem__,
    )
    assert {key: value.value for key, value in values.items()} == {
        "Given": "x",
        "Before": "old",
        "Default": "3",
        "Listed": ["a", "b"],
        "Stored": "stored",
        "Ids": ["a", "b"],
        "StoredIds": ["x", "y"],
    }
    assert [key for key, value in values.items() if value.secret] == ["Before"]
    with pytest.raises(ValidationError, match=r"Parameters: \[More\] do not exist in the template"):
        resolve_parameters(template, given(Given="x", Before="y", More="z"), {}, no_ssm)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"UsePreviousValue": True}, "parameter key not in the previous template"),
        ({"UsePreviousValue": True, "ParameterValue": "x"}, "Cannot specify both usePreviousValue as true"),
        ({"ParameterValue": "x" * 4097}, "must contain at most 4096 characters"),
    ],
)
def test_values_that_are_given_wrongly_are_refused(item: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        resolve_parameters(declared(P={"Type": "String"}), [{"ParameterKey": "P", **item}], {}, no_ssm)
    assert said in refused.value.message
