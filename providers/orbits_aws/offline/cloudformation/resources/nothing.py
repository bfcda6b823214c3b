"""Types behind which there is nothing: they exist in their stack alone."""

from .contract import Made, Properties, ResourceType, Site


class _Nothing(ResourceType):
    def create(self, site: Site, properties: Properties) -> Made:
        return Made(physical_id=site.name(128))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        return Made(physical_id=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        return None


class Metadata(_Nothing):
    """AWS::CDK::Metadata."""

    type = "AWS::CDK::Metadata"
    supported = frozenset({"Analytics"})


class WaitConditionHandle(_Nothing):
    """AWS::CloudFormation::WaitConditionHandle."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    supported = frozenset[str]()


HANDLERS = (Metadata(), WaitConditionHandle())
