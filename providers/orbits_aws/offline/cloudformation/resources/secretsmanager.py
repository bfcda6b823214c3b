"""AWS Secrets Manager: secrets, with values that the service makes up, and their policies."""

import json
from collections.abc import Mapping
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceFailed, ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed
from .mapped import Mapped


class Secret(Mapped):
    """AWS::SecretsManager::Secret. Its value is written, not read."""

    type = "AWS::SecretsManager::Secret"
    listing = ("secretsmanager", "list_secrets", "SecretList[].ARN")
    service = "secretsmanager"
    creating, changing, deleting, reading = "CreateSecret", ("UpdateSecret",), "DeleteSecret", "DescribeSecret"
    made_at = "ARN"
    named_by = "Name"
    longest = 512
    keys = {"SecretId": "{id}"}
    renamed = {"ReplicaRegions": "AddReplicaRegions"}
    defaults = {"Description": ""}
    attributes = {"Id": "ARN"}
    unread = frozenset({"ReplicaRegions", "SecretString"})
    tag_target = "{id}"

    def carried_out(self) -> frozenset[str]:
        """What the calls take, and how a value is made up."""
        return super().carried_out() | {"GenerateSecretString"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Make the secret with the value given, or one made up."""
        if rule := properties.get("GenerateSecretString"):
            properties = {**_without_rule(properties), "SecretString": _made_up(site, rule)}
        elif "SecretString" not in properties:
            properties = {**properties, "SecretString": None}
        return super().create(site, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Change it; a changed rule makes a new value up."""
        rule = after.get("GenerateSecretString")
        if rule and "GenerateSecretString" in changed(before, after):
            after = {**after, "SecretString": _made_up(site, rule)}
        return super().update(site, physical_id, _without_rule(before), _without_rule(after))

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it at once, as CloudFormation does."""
        site.client("secretsmanager").delete_secret(SecretId=physical_id, ForceDeleteWithoutRecovery=True)

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The secret; one that waits for its deletion does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("DeletedDate"):
            raise ResourceGone(physical_id)
        return found

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The secret without its value."""
        return _without_rule(super().read(site, physical_id, properties) or {})


def _without_rule(properties: Properties) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name != "GenerateSecretString"}


def _made_up(site: Site, rule: Mapping[str, Any]) -> str:
    """A value by the rule: a password, or a document with the password as one of its members."""
    own = ("GenerateStringKey", "SecretStringTemplate")
    numbers = {name: int(value) for name, value in rule.items() if name == "PasswordLength"}
    flags = {
        name: value if name == "ExcludeCharacters" else str(value).lower() == "true"
        for name, value in rule.items()
        if name not in own and name not in numbers
    }
    password = str(site.client("secretsmanager").get_random_password(**numbers, **flags)["RandomPassword"])
    if "GenerateStringKey" not in rule:
        return password
    return json.dumps({**json.loads(rule.get("SecretStringTemplate", "{}")), rule["GenerateStringKey"]: password})


class ResourcePolicy(Mapped):
    """AWS::SecretsManager::ResourcePolicy."""

    type = "AWS::SecretsManager::ResourcePolicy"
    service = "secretsmanager"
    creating, changing, deleting = "PutResourcePolicy", ("PutResourcePolicy",), "DeleteResourcePolicy"
    reading = "GetResourcePolicy"
    made_at = "ARN"
    keys = {"SecretId": "{id}"}
    attributes = {"Id": "{id}"}
    unread = frozenset({"BlockPublicPolicy", "SecretId"})


class SecretTargetAttachment(ResourceType):
    """AWS::SecretsManager::SecretTargetAttachment: where the secret's value tells which database it opens."""

    type = "AWS::SecretsManager::SecretTargetAttachment"
    supported = frozenset({"SecretId", "TargetId", "TargetType"})

    def create(self, site: Site, properties: Properties) -> Made:
        self._write(site, properties["SecretId"], self._told(site, properties))
        return Made(physical_id=properties["SecretId"], attributes={"Id": properties["SecretId"]})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        return self.create(site, after)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self._write(site, properties["SecretId"], dict.fromkeys(_TOLD))

    @staticmethod
    def _told(site: Site, properties: Properties) -> dict[str, Any]:
        """What the value tells of the database."""
        rds, target = site.client("rds"), properties["TargetId"]
        if properties["TargetType"] == "AWS::RDS::DBInstance":
            [live] = rds.describe_db_instances(DBInstanceIdentifier=target)["DBInstances"]
            endpoint, name, kind = live["Endpoint"], live.get("DBName"), "dbInstanceIdentifier"
        elif properties["TargetType"] == "AWS::RDS::DBCluster":
            [live] = rds.describe_db_clusters(DBClusterIdentifier=target)["DBClusters"]
            endpoint = {"Address": live["Endpoint"], "Port": live.get("Port")}
            name, kind = live.get("DatabaseName"), "dbClusterIdentifier"
        else:
            raise ResourceFailed(f"The offline AWS attaches no secret to a {properties['TargetType']}")
        told = {"engine": live["Engine"], "host": endpoint["Address"], "port": endpoint["Port"], "dbname": name}
        return {**told, kind: target}

    @staticmethod
    def _write(site: Site, secret: str, told: Mapping[str, Any]) -> None:
        client = site.client("secretsmanager")
        value = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
        value = {name: inner for name, inner in {**value, **told}.items() if inner is not None}
        client.put_secret_value(SecretId=secret, SecretString=json.dumps(value))


_TOLD = ("engine", "host", "port", "dbname", "dbInstanceIdentifier", "dbClusterIdentifier")

HANDLERS = (ResourcePolicy(), Secret(), SecretTargetAttachment())
