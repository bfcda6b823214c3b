"""AWS::CloudFormation::Stack: a stack as a resource of another. The engine works on it; there are no calls for it."""

from .contract import Made, Properties, ResourceType, Site


class NestedStack(ResourceType):
    """AWS::CloudFormation::Stack."""

    type = "AWS::CloudFormation::Stack"
    supported = frozenset({"NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"})

    def create(self, site: Site, properties: Properties) -> Made:
        return self._made(site.nesting.create(site, properties))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        return self._made(site.nesting.update(site, physical_id, after))

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.nesting.delete(site, physical_id)

    @staticmethod
    def _made(stack: tuple[str, dict[str, str]]) -> Made:
        return Made(physical_id=stack[0], attributes={"Outputs": stack[1]})


HANDLERS = (NestedStack(),)
