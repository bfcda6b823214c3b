"""AWS WAF and Amazon SES: access lists and the sets they look at; identities that mail is sent by.

A list or a set is named by its name, its scope and its id, and changed against the version that was read.
"""

from collections.abc import Iterable
from typing import Any

from .contract import Made, Properties, Site
from .mapped import Mapped


class _Versioned(Mapped):
    """A thing of WAF: its physical id is name, id and scope."""

    service = "wafv2"
    made_at = "Summary"
    longest = 128

    def create(self, site: Site, properties: Properties) -> Made:
        """Make it; the id holds all that the calls name it by."""
        name = str(properties.get("Name") or site.name(self.longest))
        arguments = {**self.besides(site, properties), **self.arguments(self.creating, {**properties, "Name": name})}
        summary = self.call(site, self.creating, arguments)["Summary"]
        physical_id = f"{name}|{summary['Id']}|{properties['Scope']}"
        site.made(physical_id)
        return self.made(site, physical_id, properties)

    def key(self, site: Site, operation: str, physical_id: str, properties: Properties) -> dict[str, Any]:
        """Name, id and scope, and the version where it is written."""
        name, number, scope = physical_id.split("|")
        found: dict[str, Any] = {"Name": name, "Id": number, "Scope": scope}
        if operation.startswith(("Get", "List", "Tag", "Untag")):
            return found if operation == self.reading else {}
        return {**found, "LockToken": self.call(site, self.reading, found)["LockToken"]}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Hand over all of it, which its update wants."""
        [operation] = self.changing
        self.refuse(name for name in names if name not in self.members(operation))
        key = self.key(site, operation, physical_id, after)
        self.call(site, operation, {**self.besides(site, after), **self.arguments(operation, after), **key})

    def physical_id(self, identifier: Any) -> str:
        """The id from the parts of the identifier."""
        return f"{identifier['Name']}|{identifier['Id']}|{identifier['Scope']}"


class IpSet(_Versioned):
    """AWS::WAFv2::IPSet."""

    type = "AWS::WAFv2::IPSet"
    creating, changing, deleting, reading = "CreateIPSet", ("UpdateIPSet",), "DeleteIPSet", "GetIPSet"
    found_at = "IPSet"
    named_by = "Name"
    attributes = {"Arn": "ARN"}
    unread = frozenset({"Scope"})


class WebAcl(_Versioned):
    """AWS::WAFv2::WebACL."""

    type = "AWS::WAFv2::WebACL"
    creating, changing, deleting, reading = "CreateWebACL", ("UpdateWebACL",), "DeleteWebACL", "GetWebACL"
    found_at = "WebACL"
    named_by = "Name"
    attributes = {"Arn": "ARN"}
    unread = frozenset({"Scope"})

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """No rules, where none are set."""
        return {"Rules": []}


class EmailIdentity(Mapped):
    """AWS::SES::EmailIdentity."""

    type = "AWS::SES::EmailIdentity"
    service = "sesv2"
    creating, deleting, reading = "CreateEmailIdentity", "DeleteEmailIdentity", "GetEmailIdentity"
    named_by = "EmailIdentity"
    keys = {"EmailIdentity": "{id}"}
    tag_target = "arn:{partition}:ses:{region}:{account}:identity/{id}"
    ignored = frozenset({"DkimAttributes", "FeedbackAttributes"})
    unread = frozenset({"DkimSigningAttributes", "EmailIdentity"})


HANDLERS = (EmailIdentity(), IpSet(), WebAcl())
