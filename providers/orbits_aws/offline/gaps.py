"""Where moto is not as AWS, and what is done around its calls so that it is. Each gap has a function and a test."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from . import moto_adapter, moto_alarms, moto_state
from .assume import refuse_assuming
from .crossing import reach
from .identify import Identity
from .web_identity import refuse_web_identity
from .wire import Answer, Environ, credential, error_answer

Work = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that moto is to carry out."""

    environ: Environ
    body: bytes
    identity: Identity
    work: Work
    """Lets moto do it."""


def carry_out(environ: Environ, body: bytes, identity: Identity, work: Work) -> Answer:
    """Let moto carry a call out, with what it lacks for that operation."""
    acting = reach(environ, body, identity)
    if isinstance(acting, Answer):
        return acting
    environ[moto_adapter.ACCOUNT_HEADER] = acting.account
    gap = _GAPS.get((identity.service, identity.operation))
    return gap(Call(environ=environ, body=body, identity=acting, work=work)) if gap else work()


def _attach_policy(call: Call) -> Answer:
    """AWS's own policies exist in every account; moto has none of them."""
    policy = str(moto_adapter.parse_query("iam", call.identity.operation, call.environ).get("PolicyArn", ""))
    if ":iam::aws:policy/" in policy:
        moto_state.provide_aws_policy(call.identity.account, policy)
    return call.work()


def _alarms(call: Call) -> Answer:
    """Alarms may be composite, come in pages, tell when they changed, and have a history; in moto they do not."""
    moto_alarms.provide()
    return call.work()


def _caller_identity(call: Call) -> Answer:
    """A caller whose key nobody issued is called by the account that it acts in; moto makes up a user."""
    if call.identity.caller.kind in ("session", "user"):
        return call.work()
    result = {"UserId": call.identity.account, "Account": call.identity.account, "Arn": call.identity.caller.arn}
    return moto_adapter.serialize_query("sts", "GetCallerIdentity", result)


def _session_token(call: Call) -> Answer:
    """A user's temporary keys are that user's; moto gives everybody those of the management account."""
    caller, key = call.identity.caller, credential(call.environ)
    if caller.session is not None or key is None:
        return error_answer("query", "AccessDenied", "Cannot call GetSessionToken with session credentials")
    asked = moto_adapter.parse_query("sts", "GetSessionToken", call.environ)
    ends = datetime.now(UTC) + timedelta(seconds=int(asked.get("DurationSeconds", 43200)))
    keys = {"AccessKeyId": key.key, "SecretAccessKey": "offline", "SessionToken": "offline", "Expiration": ends}
    return moto_adapter.serialize_query("sts", "GetSessionToken", {"Credentials": keys})


def _assume_role(call: Call) -> Answer:
    """A role is assumed by whom it trusts; moto gives anybody a session, of roles that do not exist too."""
    return refuse_assuming(call.environ, call.identity) or call.work()


def _assume_role_with_web_identity(call: Call) -> Answer:
    """A role is assumed with a token of whom it trusts; moto gives anybody a session, whatever the token."""
    return refuse_web_identity(call.environ) or call.work()


def _create_bucket(call: Call) -> Answer:
    """A bucket can be made with tags; moto does not look at them."""
    answer = call.work()
    found = ET.fromstring(call.body).iter() if call.body else ()  # noqa: S314 - what a test's own client sends
    tags = {
        each[0].text or "": each[1].text or ""
        for each in found
        if each.tag.rpartition("}")[2] == "Tag" and len(each) == 2
    }
    name = call.environ["PATH_INFO"].strip("/")
    if answer.status < 300 and tags:
        moto_state.tag_bucket(call.identity.account, call.identity.region, name, tags)
    return answer


def _set_queue_attributes(call: Call) -> Answer:
    """A queue keeps its policy when other attributes are set; moto drops it."""
    text = call.body.decode("utf-8", "replace")
    if text.startswith("{"):
        asked = json.loads(text)
        url, names = str(asked.get("QueueUrl", "")), list(asked.get("Attributes", {}))
    else:
        form = parse_qs(text)
        url = form.get("QueueUrl", [""])[0]
        names = [value for key, [value] in form.items() if key.startswith("Attribute") and key.endswith(".Name")]
    queue = moto_state.queue(call.identity.account, call.identity.region, urlsplit(url).path.rpartition("/")[2])
    if queue is None or "Policy" in names:
        return call.work()
    policy = queue.policy
    answer = call.work()
    queue.policy = policy
    return answer


def _change_table(call: Call) -> Answer:
    """A tag has one value, the last, and a stream can be enabled again; moto keeps both values, and the old stream."""
    asked = json.loads(call.body)
    answer = call.work()
    name = str(asked.get("TableName") or asked.get("ResourceArn", "")).rpartition("/")[2]
    table = moto_state.table(call.identity.account, call.identity.region, name)
    if table is not None:
        table.tags = list({tag["Key"]: tag for tag in table.tags}.values())
        if not (table.stream_specification or {}).get("StreamEnabled"):
            table.latest_stream_label = None
        table.offline_class = asked.get("TableClass", getattr(table, "offline_class", "STANDARD"))
    return answer


def _describe_table(call: Call) -> Answer:
    """A table has a class; moto does not know of it."""
    answer = call.work()
    name = str(json.loads(call.body).get("TableName", "")).rpartition("/")[2]
    table = moto_state.table(call.identity.account, call.identity.region, name)
    if table is None or answer.status >= 300:
        return answer
    described = json.loads(answer.body)
    described["Table"]["TableClassSummary"] = {"TableClass": getattr(table, "offline_class", "STANDARD")}
    body = json.dumps(described).encode()
    headers = tuple(
        (key, value) for key, value in answer.headers if key.lower() not in {"content-length", "x-amz-crc32"}
    )
    return Answer(status=answer.status, headers=headers, body=body)


def _change_subnet_group(call: Call) -> Answer:
    """A subnet group that is changed stays; moto forgets it."""
    name = str(moto_adapter.parse_query("rds", call.identity.operation, call.environ).get("DBSubnetGroupName", ""))
    groups = moto_state.subnet_groups(call.identity.account, call.identity.region)
    group = groups.get(name)
    try:
        return call.work()
    finally:
        if group is not None:
            groups[name] = group


def _update_secret(call: Call) -> Answer:
    """A secret's description can be taken away; moto keeps it."""
    asked = json.loads(call.body)
    answer = call.work()
    secret = moto_state.secret(call.identity.account, call.identity.region, str(asked.get("SecretId", "")))
    if answer.status < 300 and secret is not None and asked.get("Description") == "":
        secret.description = ""
    return answer


def _update_function_code(call: Call) -> Answer:
    """With its code a function may get another architecture; moto keeps the one it has."""
    architectures = json.loads(call.body).get("Architectures")
    answer = call.work()
    name = call.environ["PATH_INFO"].split("/functions/")[-1].split("/")[0]
    function = moto_state.function(call.identity.account, call.identity.region, name)
    if answer.status < 300 and function is not None and architectures:
        function.architectures = architectures
    return answer


_GAPS: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("cloudwatch", "DescribeAlarmHistory"): _alarms,
    ("cloudwatch", "DescribeAlarms"): _alarms,
    ("cloudwatch", "PutCompositeAlarm"): _alarms,
    ("dynamodb", "CreateTable"): _change_table,
    ("dynamodb", "DescribeTable"): _describe_table,
    ("dynamodb", "TagResource"): _change_table,
    ("dynamodb", "UpdateTable"): _change_table,
    ("iam", "AttachGroupPolicy"): _attach_policy,
    ("iam", "AttachRolePolicy"): _attach_policy,
    ("iam", "AttachUserPolicy"): _attach_policy,
    ("lambda", "UpdateFunctionCode"): _update_function_code,
    ("rds", "ModifyDBSubnetGroup"): _change_subnet_group,
    ("s3", "CreateBucket"): _create_bucket,
    ("secretsmanager", "UpdateSecret"): _update_secret,
    ("sqs", "SetQueueAttributes"): _set_queue_attributes,
    ("sts", "AssumeRole"): _assume_role,
    ("sts", "AssumeRoleWithWebIdentity"): _assume_role_with_web_identity,
    ("sts", "GetCallerIdentity"): _caller_identity,
    ("sts", "GetSessionToken"): _session_token,
}
