"""Intrinsic functions, against the values that the service documents. Pure."""

from collections.abc import Mapping
from typing import Any

import pytest

from orbits_aws.offline.cloudformation.errors import ValidationError
from orbits_aws.offline.cloudformation.intrinsics import NO_VALUE, UNKNOWN, Scope


class Lookups:
    def __init__(self) -> None:
        self.imports: set[str] = set()

    def ref(self, logical_id: str) -> Any:
        return {"Queue": "https://queue", "New": UNKNOWN}[logical_id]

    def attribute(self, logical_id: str, name: str) -> Any:
        return {"Queue.Arn": "arn:queue", "New.Arn": UNKNOWN}[f"{logical_id}.{name}"]

    def imported(self, export: str) -> Any:
        return f"imported-{export}"

    def dynamic(self, service: str, key: str) -> Any:
        return f"<{service} {key}>"

    def stack_output(self, argument: Mapping[str, Any]) -> Any:
        return f"{argument['StackName']}.{argument['OutputName']}"


SCOPE = Scope(
    names={
        "AWS::Region": "eu-west-1",
        "AWS::StackName": "shop",
        "AWS::NoValue": NO_VALUE,
        "Stage": "live",
        "Count": "3",
        "Zones": ["a", "b"],
    },
    mappings={"Sizes": {"eu-west-1": {"live": 10}}},
    conditions={
        "Live": {"Fn::Equals": [{"Ref": "Stage"}, "live"]},
        "Far": {"Fn::Not": [{"Condition": "Live"}]},
        "Both": {"Fn::And": [{"Condition": "Live"}, {"Condition": "Far"}]},
        "Either": {"Fn::Or": [{"Condition": "Live"}, {"Condition": "Far"}]},
    },
    lookups=Lookups(),
)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("text", "text"),
        ({"Ref": "Stage"}, "live"),
        ({"Ref": "Queue"}, "https://queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:queue"),
        ({"Fn::GetAtt": "Queue.Arn"}, "arn:queue"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 3, True]]}, "a-live-3-true"),
        ({"Fn::Join": [",", {"Ref": "Zones"}]}, "a,b"),
        ({"Fn::Sub": "${AWS::StackName}/${Queue.Arn}/${!Literal}"}, "shop/arn:queue/${Literal}"),
        ({"Fn::Sub": ["${Own}-${Stage}", {"Own": {"Ref": "Count"}}]}, "3-live"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["/", "x/y"]}]}, "x"),
        ({"Fn::Split": ["|", "a|b|c"]}, ["a", "b", "c"]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, {"Ref": "Stage"}]}, 10),
        ({"Fn::FindInMap": ["Sizes", "none", "none", {"DefaultValue": 1}]}, 1),
        ({"Fn::Base64": "text"}, "dGV4dA=="),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::Cidr": ["10.0.0.0/24", 2, 5]}, ["10.0.0.0/27", "10.0.0.32/27"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${Stage}-url"}}, "imported-live-url"),
        ({"Fn::GetStackOutput": {"StackName": "other", "OutputName": "Url"}}, "other.Url"),
        ({"Fn::Length": {"Ref": "Zones"}}, 2),
        ({"Fn::ToJsonString": {"a": [{"Ref": "Stage"}]}}, '{"a":["live"]}'),
        ({"Fn::If": ["Live", 1, 2]}, 1),
        ({"Fn::If": ["Far", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ("{{resolve:ssm:/name:1}}", "<ssm /name:1>"),
        ({"Fn::Join": ["", ["{{resolve:secretsmanager:", "shop", ":SecretString:key}}"]]}, None),
        ({"a": 1, "b": {"Ref": "AWS::NoValue"}, "c": [1, {"Fn::If": ["Far", 2, {"Ref": "AWS::NoValue"}]}]}, None),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        ),
        ({"Ref": "New"}, UNKNOWN),
        ({"Fn::Join": ["", ["a", {"Ref": "New"}]]}, UNKNOWN),
        ({"Fn::Sub": "a-${New.Arn}"}, UNKNOWN),
    ],
)
def test_functions_give_what_the_service_documents(value: Any, resolved: Any) -> None:
    if resolved is None:
        resolved = "<secretsmanager shop:SecretString:key>" if "Fn::Join" in value else {"a": 1, "c": [1]}
    assert SCOPE.resolve(value) == resolved


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Fn::FindInMap": ["Sizes", "none", "x"]}, "Unable to get mapping for Sizes::none::x"),
        ({"Fn::Select": [2, ["a"]]}, "Fn::Select cannot select nonexistent value at index 2"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform is not supported"),
        ({"Fn::Join": "a"}, "Template error: Fn::Join cannot be given 'a'"),
        ({"Fn::GetAtt": ["Queue"]}, "Template error: Fn::GetAtt cannot be given ['Queue']"),
        ({"Fn::If": ["None", 1, 2]}, "Unresolved condition dependency None"),
    ],
)
def test_what_cannot_be_resolved_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SCOPE.resolve(value)
    assert said in refused.value.message
