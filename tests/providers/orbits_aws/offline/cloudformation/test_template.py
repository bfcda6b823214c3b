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
        ({"Resources": {"Q": {**QUEUE, "Properties": []}}, "Transform": "X"}, "runs no transforms: X"),
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
    )
    values = resolve_parameters(
        template,
        [*given(Given="x"), {"ParameterKey": "Before", "UsePreviousValue": True}],
        {"Before": ParameterValue(given="old")},
        {"/name": "stored"}.__getitem__,
    )
    assert {key: value.value for key, value in values.items()} == {
        "Given": "x",
        "Before": "old",
        "Default": "3",
        "Listed": ["a", "b"],
        "Stored": "stored",
    }
    assert [key for key, value in values.items() if value.secret] == ["Before"]
    with pytest.raises(ValidationError, match=r"Parameters: \[More\] do not exist in the template"):
        resolve_parameters(template, given(Given="x", Before="y", More="z"), {}, no_ssm)
