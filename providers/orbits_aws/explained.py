"""What the error codes of AWS mean, and the one thing to do about each: tables, and nothing else.

Codes and messages are those that the services document (botocore's models of 1.44; "Troubleshooting access denied error
messages" in the IAM User Guide; the API reference of AWS Organizations for its reasons). Read by `errors.translate`.
"""

from collections.abc import Mapping

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "KMS.AccessDeniedException",
        "KMSAccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
"""The role may not do this."""

STALE = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    }
)
"""The session's credentials were refused themselves."""
STALE_OF_EC2 = frozenset({"AuthFailure", "RequestExpired"})
"""What EC2 says of a session that is over; also of a wrong clock, and of a region that is not enabled."""

NOT_ENABLED = frozenset({"NotSignedUp", "OptInRequired", "SubscriptionRequiredException"})
"""A new account is not ready yet; or the region is not enabled, or the account is not what it was."""

UNUSABLE: Mapping[tuple[str, str], str] = {
    ("ec2", "Blocked"): "AWS has blocked the account: ask AWS Support",
    ("s3", "AccountProblem"): "AWS has locked the account: look into its billing console, or ask AWS Support",
}
"""What services say of an account that nobody can use at the moment, and what to do."""

SKEWED = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
"""The clocks differ. Services of other protocols say so in the message of a refused signature."""
SIGNATURES = frozenset({"AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"})
UNKNOWN_REGION = "Credential should be scoped to a valid region"
SKEWED_WORDS = ("Signature expired", "Signature not yet current")

NOT_THERE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccountNotFoundException",
        "ChangeSetNotFound",
        "DestinationParentNotFoundException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchTagSet",
        "NotFound",
        "NotFoundException",
        "OrganizationalUnitNotFoundException",
        "ParameterNotFound",
        "ParentNotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "TableNotFoundException",
        "TargetNotFoundException",
    }
)
"""What the call is about does not exist."""

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Too many calls: nothing was done."""

NOT_READY = frozenset(
    {
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "ConcurrentModification",
        "OperationAborted",
        "OperationAbortedException",
        "QueueDeletedRecently",
        "TooManyUpdates",
    }
)
"""The thing is being changed, or what was made or deleted a moment ago is not known yet: nothing was done."""

AGAIN = THROTTLED | {
    "AccountCreationNotComplete",
    "ConcurrentModificationException",
    "FinalizingOrganizationException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "NotSignedUp",
    "OptInRequired",  # as the one above, and the two below of a verification and a subscription: from a new account
    "PendingVerification",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "ServiceException",
    "ServiceUnavailable",
    "SourceParentNotFoundException",  # somebody else moved the account in between
    "SubscriptionRequiredException",
}
"""Worth trying again."""

QUOTAS = frozenset(
    {
        "AccountLimitExceededException",
        "AddressLimitExceeded",
        "CodeStorageExceededException",
        "InstanceLimitExceeded",
        "LimitExceeded",
        "LimitExceededException",
        "QuotaExceeded",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
        "TooManyBuckets",
        "VcpuLimitExceeded",
        "VpcLimitExceeded",
    }
)
"""The account has as much of something as its quota allows."""

PASSING_QUOTAS = frozenset({"dynamodb"})
"""Services whose LimitExceededException means work going on at the moment: DynamoDB's 500 tables that are changing."""

TODO: Mapping[str, str] = {
    "AWSOrganizationsNotInUseException": "Make one there first: aws organizations create-organization "
    "--feature-set ALL",
    "AccountAlreadyClosedException": "It was closed before; nothing is left to do",
    "AuthFailure": "The keys are wrong, or the region is not enabled for the account: enable it under Account, Regions",
    "DisabledException": "The KMS key is disabled: enable it, or name another one",
    "FinalizingOrganizationException": "The organization is still being set up, which takes up to an hour",
    "InvalidSignatureException": "The secret key does not belong to the access key: give both anew",
    "KMS.DisabledException": "The KMS key is disabled: enable it, or name another one",
    "KMS.NotFoundException": "The KMS key is not there, or it is in another region or account: name it by its ARN",
    "KMSDisabledException": "The KMS key is disabled: enable it, or name another one",
    "KMSInvalidStateException": "The KMS key is disabled or is being deleted: cancel its deletion, or name another one",
    "KMSNotFoundException": "The KMS key is not there, or it is in another region or account: name it by its ARN",
    "MalformedPolicyDocumentException": "Check the policy document: aws accessanalyzer validate-policy",
    "NotSignedUp": "The service is not ready for this account yet: a new account may take up to four hours",
    "OptInRequired": "The service or region is not ready for this account yet: a new account may take up to four "
    "hours; an older one has to enable it under Account, Regions",
    "PendingVerification": "AWS is still verifying the account, which takes up to four hours",
    "RegionDisabledException": "The region is not enabled for the account: enable it under Account, Regions",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key: give both anew",
    "SubscriptionRequiredException": "The service is not ready for this account yet: a new account may take up to four "
    "hours",
}
"""What to do, by code."""

DENIED_BY: Mapping[str, str] = {
    "service control policy": "A service control policy of the organization forbids it, whatever the role allows: "
    "change that policy, or move the account to another unit",
    "resource control policy": "A resource control policy of the organization forbids it: change that policy",
    "permissions boundary": "The permissions boundary of the role forbids it: allow it in the boundary",
    "session policy": "The session's own policy forbids it: allow it where the session is made",
    "VPC endpoint policy": "The policy of the VPC endpoint that the call went through forbids it: allow it there",
    "role trust policy": "The role does not trust who assumes it: name the management account, and the external id if "
    "one is asked for, in its trust policy",
    "resource-based policy": "The policy of the resource itself forbids it: change that policy",
    "identity-based policy": "Allow it in the policies of the role that was assumed",
}
"""What to do where the message names the kind of policy that denied the call."""

DENIED_OTHERWISE = "Allow it in the policies of the role that was assumed, or of the account's organization"
DENIED_ENCODED = (
    "The reason is encoded: aws sts decode-authorization-message --encoded-message shows it to who may do that"
)
DENIED_KEY = "The role may not use the KMS key: allow it in the key's policy, and in the role's"

REASONS: Mapping[str, str] = {
    "ACCOUNT_CREATION_NOT_COMPLETE": "the account is still being made: try again in a few minutes",
    "ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED": "as many accounts were made today as AWS allows in a day: try again "
    "tomorrow, or ask AWS Support for more",
    "ACCOUNT_LIMIT_EXCEEDED": "the organization has as many accounts as its quota allows: ask AWS for a higher quota "
    "of accounts (Service Quotas, AWS Organizations), or close an account",
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "the organization has as many accounts as its quota allows: ask AWS for a higher "
    "quota of accounts (Service Quotas, AWS Organizations), or close an account",
    "CANNOT_CLOSE_MANAGEMENT_ACCOUNT": "this is the management account, which is closed by hand, after all others",
    "CLOSE_ACCOUNT_QUOTA_EXCEEDED": "as many accounts were closed in the last 30 days as AWS allows, a share of all: "
    "try again when those days are over",
    "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED": "too many accounts are being closed at the moment: try again in a while",
    "EMAIL_ALREADY_EXISTS": "the address belongs to an account that is not in this organization: take another address "
    "(one of the form name+client@domain will do), or invite that account into the organization",
    "FAILED_BUSINESS_VALIDATION": "AWS could not validate the business that owns the organization: contact AWS",
    "GOVCLOUD_ACCOUNT_ALREADY_EXISTS": "AWS GovCloud has an account of this address already",
    "INVALID_ADDRESS": "the address of the management account is not complete: complete it in the billing console",
    "INVALID_EMAIL": "AWS does not take the address: it has to be a real one that can receive mail",
    "INVALID_PAYMENT_INSTRUMENT": "the payment method of the management account is not valid: change it in the billing "
    "console",
    "MASTER_ACCOUNT_MISSING_CONTACT_INFO": "the management account has no contact data: complete it under Account",
    "MASTER_ACCOUNT_PAYMENT_INSTRUMENT_REQUIRED": "the management account has no valid payment method: add one in the "
    "billing console",
    "MISSING_BUSINESS_VALIDATION": "AWS has not validated the business that owns the organization: contact AWS",
    "MISSING_PAYMENT_INSTRUMENT": "the management account has no valid payment method: add one in the billing console",
    "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE": "the organization has consolidated billing alone: enable all features in "
    "AWS Organizations",
    "OU_DEPTH_LIMIT_EXCEEDED": "units are nested five deep at most: take a shorter path",
    "OU_NUMBER_LIMIT_EXCEEDED": "the organization has as many units as its quota allows: ask AWS for a higher quota "
    "(Service Quotas, AWS Organizations), or remove units",
    "PENDING_BUSINESS_VALIDATION": "AWS is still validating the business that owns the organization",
    "SERVICE_ACCESS_NOT_ENABLED": "the service has no trusted access to the organization: enable it in AWS "
    "Organizations, Services",
    "TAG_POLICY_VIOLATION": "a tag policy of the organization forbids the tags orbits:project and orbits:record: allow "
    "them there",
    "UNKNOWN_BUSINESS_VALIDATION": "AWS could not validate the business that owns the organization: contact AWS",
    "WAIT_PERIOD_ACTIVE": "an account has to be some days old before this is possible: try again later",
}
"""What to do, by the reason that AWS Organizations gives beside the code."""

PASSING_REASONS = frozenset(
    {
        "ACCOUNT_CREATION_NOT_COMPLETE",
        "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED",
        "CONCURRENT_ACCOUNT_MODIFICATION",
        "INTERNAL_FAILURE",
    }
)
"""Reasons that go away by themselves."""

QUOTA_REASONS = frozenset(reason for reason in REASONS if "LIMIT_EXCEEDED" in reason or "QUOTA_EXCEEDED" in reason)
