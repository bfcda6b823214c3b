"""Where something is and as whom it is reached."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from orbits_iac.model.existing import Existing


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

    def existing(self, like: Sequence[str], *, project: str) -> list[Existing]:
        """What is there that somebody else may have made, and is called like one of these patterns of a shell.

        By reading alone; it blocks. What is marked as another project's than this one is refused in what is returned.
        """
        raise NotImplementedError(f"nobody can look for what is there by its name at a {type(self).__name__}")

    @classmethod
    def spread(cls, name: str, *, by: "Target | None") -> list[Existing]:
        """What one thing of this name has made in many places, such as the instances of a StackSet.

        By reading alone; it blocks. `by`: where that thing is, if it is not in the management account.
        """
        del by
        raise NotImplementedError(f"{name}: nothing is known that makes things at many a {cls.__name__}")


def target_types() -> dict[str, type[Target]]:
    """The classes of targets that are imported, by their names."""
    found = list(Target.__subclasses__())
    for cls in found:
        found += cls.__subclasses__()
    return {cls.__name__: cls for cls in found}
