"""Where in AWS: the target that every class of this package needs."""

from orbits_iac import Target


class AwsTarget(Target):
    """A region of an AWS account, reached by assuming a role there from the management credentials.

    The place is account and region; the role may change without a record moving.
    """

    account: str
    region: str = "eu-west-1"
    role: str = "OrganizationAccountAccessRole"

    def place(self) -> str:
        """The account and the region."""
        return f"{self.account}/{self.region}"
