"""Whom a bucket, a queue or a topic lets in: its own account, unless its policy denies it, and others that it allows.

moto gives buckets, topics, image repositories and state machines to anyone who can name them, and looks for queues in
the caller's account alone. Here a call that the owner's policy allows acts in the owner's account; other services do
not find what is another account's. Called by `gaps`.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import moto_adapter, moto_state
from .identify import Identity
from .policies import decide
from .principals import is_account
from .refusals import denied
from .wire import Answer, Environ, error_answer

_OWN = frozenset({"CreateBucket", "ListBuckets", "ListDirectoryBuckets"})
_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
"""The actions of S3 that are not called as their operations."""


def reach(environ: Environ, body: bytes, identity: Identity) -> Identity | Answer:
    """As whom a call is carried out: the caller, or the owner of what it names; or why it is refused."""
    match identity.service:
        case "s3":
            return _bucket_refusal(environ, identity) or identity
        case "sqs":
            return _queue_owner(environ, body, identity)
        case "sns":
            return _topic_refusal(environ, body, identity) or identity
        case "ecr":
            return _refusal_of(environ, identity, str(_asked(body).get("registryId") or identity.account)) or identity
        case "stepfunctions":
            return _refusal_of(environ, identity, _account(str(_asked(body).get("stateMachineArn", "")))) or identity
        case _:
            return identity


def _bucket_refusal(environ: Environ, identity: Identity) -> Answer | None:
    """Its own account may do with a bucket what its policy does not deny, others what it or a list allows."""
    name, _, key = str(environ.get("PATH_INFO", "")).lstrip("/").partition("/")
    found = moto_state.bucket(name) if name and identity.operation not in _OWN else None
    if found is None or not identity.signed:
        return None
    owner, bucket = found
    arn = f"arn:aws:s3:::{name}{f'/{key}' if key else ''}"
    action = f"s3:{_ACTIONS.get(identity.operation, identity.operation)}"
    decision = decide(bucket.policy, identity.caller, action, arn, {})
    if decision == "allow" or (decision == "none" and (owner == identity.account or _public(bucket, key, action))):
        return None
    why = "with an explicit deny in a resource-based policy"
    if decision == "none":
        why = f"because no resource-based policy allows the {action} action"
    refusal = denied("rest-xml", identity.caller.arn, action, f'"{arn}"', why)
    answer = error_answer("rest-xml", refusal.code, refusal.message, refusal.status)
    return replace(answer, body=b"") if environ["REQUEST_METHOD"] == "HEAD" else answer


def _public(bucket: Any, key: str, action: str) -> bool:
    """Whether an access control list gives an object to everybody."""
    found = bucket.keys.get(key) if key and action == "s3:GetObject" else None
    return found is not None and found.acl is not None and bool(found.acl.public_read)


def _queue_owner(environ: Environ, body: bytes, identity: Identity) -> Identity | Answer:
    asked = _asked(body)
    url = str(asked.get("QueueUrl", ""))
    owner, _, name = urlsplit(url).path.strip("/").partition("/")
    if identity.operation == "GetQueueUrl":
        owner, name = str(asked.get("QueueOwnerAWSAccountId", "")), str(asked.get("QueueName", ""))
    if not is_account(owner) or owner == identity.account:
        return identity
    queue = moto_state.queue(owner, identity.region, name)
    action = f"sqs:{identity.operation}"
    if queue is not None and decide(queue.policy, identity.caller, action, queue.queue_arn, {}) == "allow":
        return replace(identity, caller=replace(identity.caller, account=owner))
    protocol = moto_adapter.protocol("sqs", environ.get("CONTENT_TYPE", ""))
    if identity.operation == "GetQueueUrl" or queue is None:
        code, message = "QueueDoesNotExist", "The specified queue does not exist or you do not have access to it."
        return error_answer(protocol, code, message)
    return error_answer(protocol, "AccessDenied", f"Access to the resource {url} is denied.")


def _topic_refusal(environ: Environ, body: bytes, identity: Identity) -> Answer | None:
    asked = _asked(body)
    arn = str(asked.get("TopicArn") or asked.get("ResourceArn", ""))
    action = f"SNS:{identity.operation}"
    if _account(arn) in ("", identity.account):
        return None
    if decide(moto_state.topic_policy(arn), identity.caller, action, arn, {}) == "allow":
        return None
    refusal = denied("query", identity.caller.arn, action, arn)
    protocol = moto_adapter.protocol("sns", environ.get("CONTENT_TYPE", ""))
    return error_answer(protocol, "AuthorizationError", refusal.message, 403)


def _refusal_of(environ: Environ, identity: Identity, owner: str) -> Answer | None:
    """Why a call is refused that names what belongs to another account, of a service without policies here."""
    if owner in ("", identity.account):
        return None
    action = f"{moto_adapter.signing_name(identity.service)}:{identity.operation}"
    protocol = moto_adapter.protocol(identity.service, environ.get("CONTENT_TYPE", ""))
    refusal = denied(protocol, identity.caller.arn, action)
    return error_answer(protocol, refusal.code, refusal.message, refusal.status)


def _account(arn: str) -> str:
    """The account that an ARN names; empty for what is none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def _asked(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        loaded: dict[str, Any] = json.loads(text)
        return loaded
    return {name: values[0] for name, values in parse_qs(text).items()}
