"""Where something is and as whom it is reached."""

from pydantic import BaseModel, ConfigDict


class Target(BaseModel):
    """Where and as whom: an AWS account and role, a cluster, ...; one type a provider.

    Targets are inherited downwards by their type: a `do(target=)` replaces the one of the same type for that step and
    all below it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def place(self) -> str:
        """What never changes for a record: account and region, cluster; not role or secret."""
        raise NotImplementedError(f"{type(self).__name__} has to say its place()")

    def realm(self) -> str:
        """What its credentials are for, and a tenant has or has not: the account, the cluster. By default `place`."""
        return self.place()


def target_types() -> dict[str, type[Target]]:
    """The classes of targets that are imported, by their names."""
    found = list(Target.__subclasses__())
    for cls in found:
        found += cls.__subclasses__()
    return {cls.__name__: cls for cls in found}
