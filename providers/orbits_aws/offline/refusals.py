"""How AWS refuses a caller, in the words of each service: code, message and HTTP status.

The words were seen in the SDKs' trackers and in the services' documentation of common errors. Pure.
"""

from dataclasses import dataclass

from .wire import Protocol


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a call is not carried out."""

    code: str
    message: str
    status: int | None = None
    """None: the usual one for the code."""


def unknown_key(service: str, protocol: Protocol) -> Refusal:
    """Nobody issued the key, or it is no longer valid, or not in this region."""
    if service == "ec2":
        message = "AWS was not able to validate the provided access credentials"
        return Refusal(code="AuthFailure", message=message, status=401)
    if service == "s3":
        message = "The AWS Access Key Id you provided does not exist in our records."
        return Refusal(code="InvalidAccessKeyId", message=message, status=403)
    code = "UnrecognizedClientException" if protocol in ("json", "rest-json") else "InvalidClientTokenId"
    return Refusal(code=code, message="The security token included in the request is invalid.")


def expired(service: str, protocol: Protocol) -> Refusal:
    """The session is over."""
    if service == "ec2":
        return Refusal(code="RequestExpired", message="Request has expired.", status=400)
    if service == "s3":
        return Refusal(code="ExpiredToken", message="The provided token has expired.", status=400)
    code = "ExpiredTokenException" if protocol in ("json", "rest-json") else "ExpiredToken"
    return Refusal(code=code, message="The security token included in the request is expired")


def unknown_region(service: str, protocol: Protocol, region: str) -> Refusal:
    """AWS has no such region; really, there would be no host of that name."""
    if service == "ec2":
        return unknown_key(service, protocol)
    message = f"Credential should be scoped to a valid region, not '{region}'."
    if service == "s3":
        return Refusal(code="AuthorizationHeaderMalformed", message=message, status=400)
    code = "InvalidSignatureException" if protocol in ("json", "rest-json") else "SignatureDoesNotMatch"
    return Refusal(code=code, message=message, status=403)


def unready(service: str, protocol: Protocol) -> Refusal:
    """The account is too new for the service."""
    if service == "ec2":
        message = "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe."
        return Refusal(code="OptInRequired", message=message, status=401)
    if service == "s3":
        message = "Your account is not signed up for the S3 service. You must sign up before you can use S3."
        return Refusal(code="NotSignedUp", message=message, status=403)
    code = "SubscriptionRequiredException" if protocol in ("json", "rest-json") else "OptInRequired"
    message = "The AWS Access Key Id needs a subscription for the service"
    return Refusal(code=code, message=message, status=400 if code.startswith("Subscription") else 403)


def denied(protocol: Protocol, caller: str, action: str, resource: str = "", why: str = "") -> Refusal:
    """A policy forbids the action, or none allows it."""
    if protocol == "ec2":
        return Refusal(code="UnauthorizedOperation", message="You are not authorized to perform this operation.")
    code = "AccessDeniedException" if protocol in ("json", "rest-json") else "AccessDenied"
    on = f" on resource: {resource}" if resource else ""
    because = f" {why}" if why else ""
    return Refusal(code=code, message=f"User: {caller} is not authorized to perform: {action}{on}{because}")
