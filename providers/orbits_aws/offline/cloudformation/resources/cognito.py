"""Amazon Cognito: user pools and what belongs to them."""

from .mapped import Mapped


class UserPool(Mapped):
    """AWS::Cognito::UserPool."""

    type = "AWS::Cognito::UserPool"
    service = "cognito-idp"
    creating, changing = "CreateUserPool", ("UpdateUserPool",)
    deleting, reading = "DeleteUserPool", "DescribeUserPool"
    made_at, found_at = "UserPool.Id", "UserPool"
    labelled_by = "UserPoolName"
    keys = {"UserPoolId": "{id}"}
    renamed = {"UserPoolName": "PoolName"}
    attributes = {
        "Arn": "Arn",
        "ProviderName": "cognito-idp.{region}.amazonaws.com/{id}",
        "ProviderURL": "https://cognito-idp.{region}.amazonaws.com/{id}",
        "UserPoolId": "{id}",
    }
    unread = frozenset({"Schema", "UserPoolName"})


class UserPoolClient(Mapped):
    """AWS::Cognito::UserPoolClient."""

    type = "AWS::Cognito::UserPoolClient"
    service = "cognito-idp"
    creating, changing = "CreateUserPoolClient", ("UpdateUserPoolClient",)
    deleting, reading = "DeleteUserPoolClient", "DescribeUserPoolClient"
    made_at, found_at = "UserPoolClient.ClientId", "UserPoolClient"
    labelled_by = "ClientName"
    keys = {"UserPoolId": "{UserPoolId}", "ClientId": "{id}"}
    attributes = {"Name": "ClientName"}
    unread = frozenset({"ClientName", "GenerateSecret"})


class UserPoolDomain(Mapped):
    """AWS::Cognito::UserPoolDomain."""

    type = "AWS::Cognito::UserPoolDomain"
    service = "cognito-idp"
    creating, changing = "CreateUserPoolDomain", ("UpdateUserPoolDomain",)
    deleting, reading = "DeleteUserPoolDomain", "DescribeUserPoolDomain"
    found_at = "DomainDescription"
    named_by = "Domain"
    keys = {"UserPoolId": "{UserPoolId}", "Domain": "{id}"}
    attributes = {"CloudFrontDistribution": "CloudFrontDistribution"}


class UserPoolGroup(Mapped):
    """AWS::Cognito::UserPoolGroup."""

    type = "AWS::Cognito::UserPoolGroup"
    service = "cognito-idp"
    creating, changing, deleting, reading = "CreateGroup", ("UpdateGroup",), "DeleteGroup", "GetGroup"
    found_at = "Group"
    named_by = "GroupName"
    keys = {"UserPoolId": "{UserPoolId}", "GroupName": "{id}"}
    defaults = {"Description": ""}


class UserPoolIdentityProvider(Mapped):
    """AWS::Cognito::UserPoolIdentityProvider."""

    type = "AWS::Cognito::UserPoolIdentityProvider"
    service = "cognito-idp"
    creating, changing = "CreateIdentityProvider", ("UpdateIdentityProvider",)
    deleting, reading = "DeleteIdentityProvider", "DescribeIdentityProvider"
    found_at = "IdentityProvider"
    named_by = "ProviderName"
    keys = {"UserPoolId": "{UserPoolId}", "ProviderName": "{id}"}


HANDLERS = (UserPool(), UserPoolClient(), UserPoolDomain(), UserPoolGroup(), UserPoolIdentityProvider())
