"""Amazon API Gateway: HTTP and WebSocket APIs."""

from typing import Any

from .contract import Properties, Site
from .mapped import Mapped


class _V2(Mapped):
    """A type of HTTP and WebSocket APIs; tags are a map."""

    service = "apigatewayv2"


class Api(_V2):
    """AWS::ApiGatewayV2::Api."""

    type = "AWS::ApiGatewayV2::Api"
    listing = ("apigatewayv2", "get_apis", "Items[].ApiId")
    creating, changing, deleting, reading = "CreateApi", ("UpdateApi",), "DeleteApi", "GetApi"
    made_at = "ApiId"
    labelled_by = "Name"
    keys = {"ApiId": "{id}"}
    defaults = {"Description": "", "DisableExecuteApiEndpoint": False}
    attributes = {"ExecuteApiArn": "arn:{partition}:execute-api:{region}:{account}:{id}"}
    tag_target = "arn:{partition}:apigateway:{region}::/apis/{id}"
    unread = frozenset({"CredentialsArn", "RouteKey", "Target"})


class Stage(_V2):
    """AWS::ApiGatewayV2::Stage."""

    type = "AWS::ApiGatewayV2::Stage"
    creating, deleting, reading = "CreateStage", "DeleteStage", "GetStage"
    named_by = "StageName"
    keys = {"ApiId": "{ApiId}", "StageName": "{id}"}
    tag_target = "arn:{partition}:apigateway:{region}::/apis/{ApiId}/stages/{id}"
    unread = frozenset({"ApiId"})


class Route(_V2):
    """AWS::ApiGatewayV2::Route."""

    type = "AWS::ApiGatewayV2::Route"
    creating, changing, deleting, reading = "CreateRoute", ("UpdateRoute",), "DeleteRoute", "GetRoute"
    made_at = "RouteId"
    keys = {"ApiId": "{ApiId}", "RouteId": "{id}"}
    defaults = {"AuthorizationType": "NONE"}


class Integration(_V2):
    """AWS::ApiGatewayV2::Integration."""

    type = "AWS::ApiGatewayV2::Integration"
    creating, changing = "CreateIntegration", ("UpdateIntegration",)
    deleting, reading = "DeleteIntegration", "GetIntegration"
    made_at = "IntegrationId"
    keys = {"ApiId": "{ApiId}", "IntegrationId": "{id}"}


class Authorizer(_V2):
    """AWS::ApiGatewayV2::Authorizer."""

    type = "AWS::ApiGatewayV2::Authorizer"
    creating, changing = "CreateAuthorizer", ("UpdateAuthorizer",)
    deleting, reading = "DeleteAuthorizer", "GetAuthorizer"
    made_at = "AuthorizerId"
    keys = {"ApiId": "{ApiId}", "AuthorizerId": "{id}"}


class DomainName(_V2):
    """AWS::ApiGatewayV2::DomainName."""

    type = "AWS::ApiGatewayV2::DomainName"
    creating, deleting, reading = "CreateDomainName", "DeleteDomainName", "GetDomainName"
    named_by = "DomainName"
    keys = {"DomainName": "{id}"}
    attributes = {
        "RegionalDomainName": "d-{id}.execute-api.{region}.amazonaws.com",
        "RegionalHostedZoneId": "Z1UJRXOUMOOFQ8",
    }
    tag_target = "arn:{partition}:apigateway:{region}::/domainnames/{id}"


class ApiMapping(_V2):
    """AWS::ApiGatewayV2::ApiMapping."""

    type = "AWS::ApiGatewayV2::ApiMapping"
    creating, deleting, reading = "CreateApiMapping", "DeleteApiMapping", "GetApiMapping"
    made_at = "ApiMappingId"
    keys = {"DomainName": "{DomainName}", "ApiMappingId": "{id}"}
    unread = frozenset({"DomainName"})


class VpcLink(_V2):
    """AWS::ApiGatewayV2::VpcLink."""

    type = "AWS::ApiGatewayV2::VpcLink"
    creating, changing, deleting, reading = "CreateVpcLink", ("UpdateVpcLink",), "DeleteVpcLink", "GetVpcLink"
    made_at = "VpcLinkId"
    keys = {"VpcLinkId": "{id}"}
    tag_target = "arn:{partition}:apigateway:{region}::/vpclinks/{id}"

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """No groups, if none are named: the simulation wants to be told."""
        return {"SecurityGroupIds": []}


class Model(_V2):
    """AWS::ApiGatewayV2::Model."""

    type = "AWS::ApiGatewayV2::Model"
    creating, changing, deleting, reading = "CreateModel", ("UpdateModel",), "DeleteModel", "GetModel"
    made_at = "ModelId"
    keys = {"ApiId": "{ApiId}", "ModelId": "{id}"}


HANDLERS = (
    Api(),
    ApiMapping(),
    Authorizer(),
    DomainName(),
    Integration(),
    Model(),
    Route(),
    Stage(),
    VpcLink(),
)
