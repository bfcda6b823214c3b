"""Functions, their logs, and the settings that they read."""

from typing import Any

from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene


def configure(function: str, **what: Any) -> Any:
    return lambda hands: hands.of("lambda").update_function_configuration(FunctionName=hands.ids[function], **what)


def variables(**values: str) -> Any:
    return lambda hands: hands.of("lambda").update_function_configuration(
        FunctionName=hands.ids["Work"], Environment={"Variables": {"GROUP": hands.ids["Logs"], **values}}
    )


def tag_function(function: str, **values: str) -> Any:
    def change(hands: Hands) -> None:
        arn = f"arn:aws:lambda:{hands.target.region}:{hands.target.account}:function:{hands.ids[function]}"
        hands.of("lambda").tag_resource(Resource=arn, Tags=values)

    return change


def retention(group: str, days: int | None) -> Any:
    def change(hands: Hands) -> None:
        name = hands.ids[group]
        if days is None:
            hands.of("logs").delete_retention_policy(logGroupName=name)
        else:
            hands.of("logs").put_retention_policy(logGroupName=name, retentionInDays=days)

    return change


def tag_group(group: str, **values: str) -> Any:
    def change(hands: Hands) -> None:
        arn = f"arn:aws:logs:{hands.target.region}:{hands.target.account}:log-group:{hands.ids[group]}"
        hands.of("logs").tag_resource(resourceArn=arn, tags=values)

    return change


def group_again(hands: Hands) -> None:
    """Deleted, and made again by whatever writes to it."""
    hands.of("logs").delete_log_group(logGroupName=hands.ids["Short"])
    hands.of("logs").create_log_group(logGroupName=hands.ids["Short"])


def _function(**more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"ZipFile": "def handler(event, context): return 1"},
            "Handler": "index.handler",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            **more,
        },
    }


_CODE = "AWS::Lambda::Function Code: no reader: what runs cannot be read back in the form that a template has"
FUNCTIONS = Scene(
    name="functions",
    template={
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sts:AssumeRole",
                                "Principal": {"Service": "lambda.amazonaws.com"},
                            }
                        ],
                    }
                },
            },
            "Work": _function(
                Timeout="10",
                Environment={"Variables": {"GROUP": {"Ref": "Logs"}, "MODE": "a"}},
                Tags=[{"Key": "team", "Value": "web"}],
                Description="works",
            ),
            "Plain": _function(),
            "Spare": _function(),
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"RetentionInDays": "7", "Tags": [{"Key": "team", "Value": "web"}]},
            },
            "Kept": {"Type": "AWS::Logs::LogGroup"},
            "Short": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}},
            "SpareLogs": {"Type": "AWS::Logs::LogGroup"},
        }
    },
    unchecked=tuple(f"{name} {_CODE}" for name in ("Plain", "Spare", "Work")),
    calls={"AWS::Lambda::Function": 1, "AWS::Logs::LogGroup": 2, "AWS::IAM::Role": 4},
    cases=(
        Case("nothing", lambda _: None),
        Case("the same again", configure("Work", Timeout=10, Description="works")),
        Case("the defaults are said", configure("Plain", Timeout=3, MemorySize=128)),
        Case("the same retention", retention("Logs", 7)),
        Case("longer", configure("Work", Timeout=60), ["Work Timeout"]),
        Case("more memory", configure("Plain", MemorySize=512), ["Plain MemorySize"]),
        Case("another handler", configure("Plain", Handler="main.run"), ["Plain Handler"]),
        Case("another runtime", configure("Plain", Runtime="python3.12"), ["Plain Runtime"]),
        Case("another description", configure("Work", Description="rests"), ["Work Description"]),
        Case("a variable", variables(MODE="b"), ["Work Environment.Variables.MODE"]),
        Case("a variable added", variables(MODE="b", DEBUG="1"), ["Work Environment.Variables.DEBUG"]),
        Case(
            "variables where there were none",
            configure("Plain", Environment={"Variables": {"DEBUG": "1"}}),
            ["Plain Environment.Variables.DEBUG"],
        ),
        Case(
            "a reserve",
            lambda hands: hands.of("lambda").put_function_concurrency(
                FunctionName=hands.ids["Plain"], ReservedConcurrentExecutions=5
            ),
            ["Plain ReservedConcurrentExecutions"],
        ),
        Case("a tag's value", tag_function("Work", team="shop"), ["Work Tags[team]"]),
        Case("a tag added", tag_function("Plain", by="hand"), ["Plain Tags[by]"]),
        Case(
            "a function deleted",
            lambda hands: hands.of("lambda").delete_function(FunctionName=hands.ids["Spare"]),
            ["Spare "],
        ),
        Case("logs kept longer", retention("Logs", 30), ["Logs RetentionInDays"]),
        Case("logs kept shorter where nothing was said", retention("Kept", 3), ["Kept RetentionInDays"]),
        Case("logs tagged", tag_group("Logs", team="shop"), ["Logs Tags[team]"]),
        Case("logs kept for ever, in a group made again", group_again, ["Short RetentionInDays"]),
        Case(
            "logs deleted",
            lambda hands: hands.of("logs").delete_log_group(logGroupName=hands.ids["SpareLogs"]),
            ["SpareLogs "],
        ),
    ),
)


def put(parameter: str, **what: str) -> Any:
    return lambda hands: hands.of("ssm").put_parameter(Name=hands.ids[parameter], Overwrite=True, **what)


def tag_parameter(hands: Hands, name: str, key: str, value: str) -> None:
    hands.of("ssm").add_tags_to_resource(
        ResourceType="Parameter", ResourceId=hands.ids[name], Tags=[{"Key": key, "Value": value}]
    )


def parameter_again(hands: Hands) -> None:
    hands.of("ssm").delete_parameter(Name=hands.ids["Again"])
    hands.of("ssm").put_parameter(Name=hands.ids["Again"], Type="StringList", Value="a,b")


PARAMETERS = Scene(
    name="parameters",
    template={
        "Resources": {
            "Mode": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": "a", "Description": "mode", "Tags": {"team": "web"}},
            },
            "Size": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "10"}},
            "Again": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "a"}},
            "Spare": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "a"}},
        }
    },
    calls={"AWS::SSM::Parameter": 3},
    cases=(
        Case("nothing", lambda _: None),
        Case("the same value again", put("Size", Type="String", Value="10")),
        Case("a value", put("Size", Type="String", Value="20"), ["Size Value"]),
        Case("a description", put("Size", Type="String", Value="20", Description="mine"), ["Size Description"]),
        Case(
            "what values are allowed",
            put("Mode", Type="String", Value="a", Description="mode", AllowedPattern="[ab]"),
            ["Mode AllowedPattern"],
        ),
        Case("a tag's value", lambda hands: tag_parameter(hands, "Mode", "team", "shop"), ["Mode Tags.team"]),
        Case("a tag added", lambda hands: tag_parameter(hands, "Size", "by", "hand"), ["Size Tags.by"]),
        Case("made again as a list", parameter_again, ["Again Type", "Again Value"]),
        Case("deleted", lambda hands: hands.of("ssm").delete_parameter(Name=hands.ids["Spare"]), ["Spare "]),
    ),
)
