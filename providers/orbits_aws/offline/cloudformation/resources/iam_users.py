"""AWS IAM: users, groups, instance profiles, access keys and identity providers."""

import json
from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, tag_list, tag_map
from .mapped import Mapped


class _Principal(Mapped):
    """A user or a group: its policies are attached and put by calls of their own."""

    service = "iam"
    kind: str

    def carried_out(self) -> frozenset[str]:
        """The principal and its policies."""
        return super().carried_out() | {"ManagedPolicyArns", "Policies"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Bring the policies, and what else changed, from `before` to `after`."""
        left = set(names)
        iam, who = site.client("iam"), {f"{self.kind.capitalize()}Name": physical_id}
        live = self._policies(site, physical_id) if left & {"ManagedPolicyArns", "Policies"} else {}
        if "ManagedPolicyArns" in left:
            old, new = before.get("ManagedPolicyArns") or [], after.get("ManagedPolicyArns") or []
            for arn in [arn for arn in old if arn not in new and arn in live["ManagedPolicyArns"]]:
                getattr(iam, f"detach_{self.kind}_policy")(**who, PolicyArn=arn)
            for arn in [arn for arn in new if arn not in live["ManagedPolicyArns"]]:
                getattr(iam, f"attach_{self.kind}_policy")(**who, PolicyArn=arn)
        if "Policies" in left:
            had = {policy["PolicyName"]: policy for policy in before.get("Policies") or []}
            has = {policy["PolicyName"]: policy for policy in after.get("Policies") or []}
            there = {policy["PolicyName"] for policy in live["Policies"]}
            for name in [name for name in had if name not in has and name in there]:
                getattr(iam, f"delete_{self.kind}_policy")(**who, PolicyName=name)
            for name in [name for name in has if has[name] != had.get(name)]:
                document = has[name]["PolicyDocument"]
                text = document if isinstance(document, str) else json.dumps(document)
                getattr(iam, f"put_{self.kind}_policy")(**who, PolicyName=name, PolicyDocument=text)
        if left := left - {"ManagedPolicyArns", "Policies"}:
            super().change(site, physical_id, before, after, left)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The principal with its policies; of the inline ones its own, where these are known: other types add some."""
        live = super().read(site, physical_id, properties) or {}
        known = properties.get("Policies")
        own = None if known is None else {policy["PolicyName"] for policy in known}
        return {**live, **self._policies(site, physical_id, own)}

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it, its policies first."""
        self.change(site, physical_id, self._policies(site, physical_id), {}, ["ManagedPolicyArns", "Policies"])
        super().delete(site, physical_id, properties)

    def _policies(self, site: Site, name: str, own: set[str] | None = None) -> dict[str, Any]:
        iam, who = site.client("iam"), {f"{self.kind.capitalize()}Name": name}
        attached = getattr(iam, f"list_attached_{self.kind}_policies")(**who)["AttachedPolicies"]
        read = getattr(iam, f"get_{self.kind}_policy")
        inline = getattr(iam, f"list_{self.kind}_policies")(**who)["PolicyNames"]
        return {
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "Policies": [
                {"PolicyName": policy, "PolicyDocument": read(**who, PolicyName=policy)["PolicyDocument"]}
                for policy in inline
                if own is None or policy in own
            ],
        }


class User(_Principal):
    """AWS::IAM::User."""

    type = "AWS::IAM::User"
    listing = ("iam", "list_users", "Users[].UserName")
    kind = "user"
    creating, changing, deleting, reading = "CreateUser", ("UpdateUser",), "DeleteUser", "GetUser"
    found_at = "User"
    named_by = "UserName"
    longest = 64
    keys = {"UserName": "{id}"}
    tag_target = "{id}"
    tagging = ("TagUser", "UntagUser", "ListUserTags")

    def carried_out(self) -> frozenset[str]:
        """The user, its policies and its groups."""
        return super().carried_out() | {"Groups", "LoginProfile"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Bring groups and password, then the rest, from `before` to `after`."""
        left = set(names)
        iam = site.client("iam")
        if "Groups" in left:
            old, new = before.get("Groups") or [], after.get("Groups") or []
            live = [one["GroupName"] for one in iam.list_groups_for_user(UserName=physical_id)["Groups"]]
            for group in [group for group in old if group not in new and group in live]:
                iam.remove_user_from_group(GroupName=group, UserName=physical_id)
            for group in [group for group in new if group not in live]:
                iam.add_user_to_group(GroupName=group, UserName=physical_id)
        if "LoginProfile" in left:
            if before.get("LoginProfile"):
                iam.delete_login_profile(UserName=physical_id)
            if profile := after.get("LoginProfile"):
                iam.create_login_profile(UserName=physical_id, **profile)
        if left := left - {"Groups", "LoginProfile"}:
            if "Path" in left:
                iam.update_user(UserName=physical_id, NewPath=after.get("Path", "/"))
                if tags := tag_map(after):
                    iam.tag_user(UserName=physical_id, Tags=tag_list(tags))  # moto loses them with the old path
            if "PermissionsBoundary" in left:
                self.refuse(["PermissionsBoundary"])
            super().change(site, physical_id, before, after, left - {"Path"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, Any]:
        """A user's update takes nothing by name."""
        return {} if operation == "UpdateUser" else super().arguments(operation, properties)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The user with its groups; of these only those it was given, as other types add some."""
        live = super().read(site, physical_id, properties) or {}
        groups = site.client("iam").list_groups_for_user(UserName=physical_id)["Groups"]
        own = properties.get("Groups") or []
        names = [group["GroupName"] for group in groups if not own or group["GroupName"] in own]
        boundary = live.get("PermissionsBoundary")
        if isinstance(boundary, dict):
            live = {**live, "PermissionsBoundary": boundary.get("PermissionsBoundaryArn")}
        return {**live, **({"Groups": names} if names else {})}

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the user, taken out of its groups and without its password first."""
        iam = site.client("iam")
        for group in iam.list_groups_for_user(UserName=physical_id)["Groups"]:
            iam.remove_user_from_group(GroupName=group["GroupName"], UserName=physical_id)
        if properties.get("LoginProfile"):
            iam.delete_login_profile(UserName=physical_id)
        super().delete(site, physical_id, properties)


class Group(_Principal):
    """AWS::IAM::Group."""

    type = "AWS::IAM::Group"
    listing = ("iam", "list_groups", "Groups[].GroupName")
    kind = "group"
    creating, deleting, reading = "CreateGroup", "DeleteGroup", "GetGroup"
    found_at = "Group"
    named_by = "GroupName"
    keys = {"GroupName": "{id}"}


class InstanceProfile(Mapped):
    """AWS::IAM::InstanceProfile."""

    type = "AWS::IAM::InstanceProfile"
    listing = ("iam", "list_instance_profiles", "InstanceProfiles[].InstanceProfileName")
    service = "iam"
    creating, deleting, reading = "CreateInstanceProfile", "DeleteInstanceProfile", "GetInstanceProfile"
    found_at = "InstanceProfile"
    named_by = "InstanceProfileName"
    keys = {"InstanceProfileName": "{id}"}

    def carried_out(self) -> frozenset[str]:
        """The profile and its role."""
        return super().carried_out() | {"Roles"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put another role into the profile."""
        self.refuse(set(names) - {"Roles"})
        iam = site.client("iam")
        for role in [one["RoleName"] for one in self.find(site, physical_id, after).get("Roles") or []]:
            iam.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        for role in after.get("Roles") or []:
            iam.add_role_to_instance_profile(InstanceProfileName=physical_id, RoleName=role)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The profile with its role."""
        found = self.find(site, physical_id, properties)
        roles = [role["RoleName"] for role in found.get("Roles") or []]
        return {**(super().read(site, physical_id, properties) or {}), "Roles": roles}

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove the profile, its role first."""
        live = self.read(site, physical_id, properties) or {}
        self.change(site, physical_id, live, {}, ["Roles"])
        super().delete(site, physical_id, properties)


class AccessKey(Mapped):
    """AWS::IAM::AccessKey."""

    type = "AWS::IAM::AccessKey"
    service = "iam"
    creating, changing, deleting = "CreateAccessKey", ("UpdateAccessKey",), "DeleteAccessKey"
    made_at = "AccessKey.AccessKeyId"
    keys = {"AccessKeyId": "{id}", "UserName": "{UserName}"}
    ignored = frozenset({"Serial"})
    defaults = {"Status": "Active"}

    def create(self, site: Site, properties: Properties) -> Made:
        """Make a key; its secret is told this once."""
        key = site.client("iam").create_access_key(UserName=properties["UserName"])["AccessKey"]
        site.made(key["AccessKeyId"])
        if properties.get("Status", "Active") != "Active":
            self.change(site, key["AccessKeyId"], {}, properties, ["Status"])
        attributes = {"Id": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
        return Made(physical_id=key["AccessKeyId"], attributes=attributes)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        """Switch the key on or off."""
        self.change(site, physical_id, before, after, changed(before, after) - self.ignored)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The key, as the list of the user's keys tells it."""
        user = properties["UserName"]
        for key in site.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]:
            if key["AccessKeyId"] == physical_id:
                return {"UserName": user, "Status": key["Status"]}
        raise ResourceGone(physical_id)


class UserToGroupAddition(ResourceType):
    """AWS::IAM::UserToGroupAddition."""

    type = "AWS::IAM::UserToGroupAddition"
    supported = frozenset({"GroupName", "Users"})
    replaced_by = frozenset({"GroupName"})

    def create(self, site: Site, properties: Properties) -> Made:
        physical_id = site.name(128)
        site.made(physical_id)
        return self.update(site, physical_id, {}, properties)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        iam, group = site.client("iam"), after["GroupName"]
        live = [user["UserName"] for user in iam.get_group(GroupName=group)["Users"]]
        for user in [user for user in before.get("Users") or [] if user not in after["Users"] and user in live]:
            iam.remove_user_from_group(GroupName=group, UserName=user)
        for user in [user for user in after["Users"] if user not in live]:
            iam.add_user_to_group(GroupName=group, UserName=user)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self.update(site, physical_id, properties, {**properties, "Users": []})

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        group = site.client("iam").get_group(GroupName=properties["GroupName"])
        users = [user["UserName"] for user in group["Users"] if user["UserName"] in properties["Users"]]
        return {"GroupName": properties["GroupName"], "Users": users} if users else None


class OidcProvider(Mapped):
    """AWS::IAM::OIDCProvider."""

    type = "AWS::IAM::OIDCProvider"
    service = "iam"
    creating, deleting = "CreateOpenIDConnectProvider", "DeleteOpenIDConnectProvider"
    changing = ("UpdateOpenIDConnectProviderThumbprint",)
    reading = "GetOpenIDConnectProvider"
    made_at = "OpenIDConnectProviderArn"
    keys = {"OpenIDConnectProviderArn": "{id}"}
    attributes = {"Arn": "{id}"}
    unread = frozenset({"Url"})
    tag_target = "{id}"
    tagging = ("TagOpenIDConnectProvider", "UntagOpenIDConnectProvider", "ListOpenIDConnectProviderTags")


HANDLERS = (AccessKey(), Group(), InstanceProfile(), OidcProvider(), User(), UserToGroupAddition())
