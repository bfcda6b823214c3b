"""Where moto is not as AWS, and what is done around its calls so that it is. Each gap has a function and a test."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from . import moto_adapter, moto_state
from .identify import Identity
from .wire import Answer, Environ, error_answer

Work = Callable[[], Answer]


def carry_out(environ: Environ, body: bytes, identity: Identity, work: Work) -> Answer:
    """Let moto carry a call out, with what it lacks for that operation."""
    if identity.service == "iam" and identity.operation.startswith("Attach"):
        return _attach_policy(environ, identity, work)
    if (identity.service, identity.operation) == ("sts", "AssumeRole"):
        return _assume_role(environ, identity, work)
    if (identity.service, identity.operation) == ("s3", "CreateBucket"):
        return _create_bucket(environ, body, identity, work)
    if (identity.service, identity.operation) == ("sqs", "SetQueueAttributes"):
        return _set_queue_attributes(body, identity, work)
    if identity.service == "dynamodb" and identity.operation in ("TagResource", "UpdateTable"):
        return _change_table(body, identity, work)
    if (identity.service, identity.operation) == ("rds", "ModifyDBSubnetGroup"):
        return _change_subnet_group(environ, identity, work)
    return work()


def _attach_policy(environ: Environ, identity: Identity, work: Work) -> Answer:
    """AWS's own policies exist in every account; moto has none of them."""
    policy = str(moto_adapter.parse_query("iam", identity.operation, environ).get("PolicyArn", ""))
    if ":iam::aws:policy/" in policy:
        moto_state.provide_aws_policy(identity.account, policy)
    return work()


def _assume_role(environ: Environ, identity: Identity, work: Work) -> Answer:
    """A role that does not exist cannot be assumed; moto gives credentials for it."""
    role = str(moto_adapter.parse_query("sts", "AssumeRole", environ).get("RoleArn", ""))
    if role.count(":") == 5 and not moto_state.role_exists(role):
        caller = f"arn:aws:iam::{identity.account}:root"
        message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
        return error_answer("query", "AccessDenied", message)
    return work()


def _create_bucket(environ: Environ, body: bytes, identity: Identity, work: Work) -> Answer:
    """A bucket can be made with tags; moto does not look at them."""
    answer = work()
    found = ET.fromstring(body).iter() if body else ()  # noqa: S314 - what a test's own client sends
    tags = {
        each[0].text or "": each[1].text or ""
        for each in found
        if each.tag.rpartition("}")[2] == "Tag" and len(each) == 2
    }
    name = environ["PATH_INFO"].strip("/")
    if answer.status < 300 and tags:
        moto_state.tag_bucket(identity.account, identity.region, name, tags)
    return answer


def _set_queue_attributes(body: bytes, identity: Identity, work: Work) -> Answer:
    """A queue keeps its policy when other attributes are set; moto drops it."""
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        asked = json.loads(text)
        url, names = str(asked.get("QueueUrl", "")), list(asked.get("Attributes", {}))
    else:
        form = parse_qs(text)
        url = form.get("QueueUrl", [""])[0]
        names = [value for key, [value] in form.items() if key.startswith("Attribute") and key.endswith(".Name")]
    queue = moto_state.queue(identity.account, identity.region, urlsplit(url).path.rpartition("/")[2])
    if queue is None or "Policy" in names:
        return work()
    policy = queue.policy
    answer = work()
    queue.policy = policy
    return answer


def _change_table(body: bytes, identity: Identity, work: Work) -> Answer:
    """A tag has one value, the last, and a stream can be enabled again; moto keeps both values, and the old stream."""
    asked = json.loads(body)
    answer = work()
    name = str(asked.get("TableName") or asked.get("ResourceArn", "")).rpartition("/")[2]
    table = moto_state.table(identity.account, identity.region, name)
    if table is not None:
        table.tags = list({tag["Key"]: tag for tag in table.tags}.values())
        if not (table.stream_specification or {}).get("StreamEnabled"):
            table.latest_stream_label = None
    return answer


def _change_subnet_group(environ: Environ, identity: Identity, work: Work) -> Answer:
    """A subnet group that is changed stays; moto forgets it."""
    name = str(moto_adapter.parse_query("rds", identity.operation, environ).get("DBSubnetGroupName", ""))
    groups = moto_state.subnet_groups(identity.account, identity.region)
    group = groups.get(name)
    try:
        return work()
    finally:
        if group is not None:
            groups[name] = group
