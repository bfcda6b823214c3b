"""What really is in a client's account, asked of AWS itself by boto3, past all that Orbits knows."""

from functools import cached_property
from typing import Any

from orbits_aws import OfflineAws

TABLE, QUEUE, FUNCTION, BUCKET = "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::S3::Bucket"


class Account:
    """A client's account, as somebody with credentials for it sees it."""

    def __init__(self, aws: OfflineAws, name: str) -> None:
        self._aws = aws
        self.name = name

    @cached_property
    def id(self) -> str:
        """The account's number."""
        return self._aws.account(self.name)

    def stacks(self) -> dict[str, str]:
        """The CloudFormation stacks that are there, with their states."""
        found = self._client("cloudformation").list_stacks()["StackSummaries"]
        return {one["StackName"]: one["StackStatus"] for one in found if one["StackStatus"] != "DELETE_COMPLETE"}

    def physical(self, type_: str) -> str:
        """The physical id of the one resource of this type."""
        client = self._client("cloudformation")
        for stack in self.stacks():
            for resource in client.list_stack_resources(StackName=stack)["StackResourceSummaries"]:
                if resource["ResourceType"] == type_:
                    return str(resource["PhysicalResourceId"])
        raise LookupError(f"no stack in the account {self.name} has a {type_}")

    def backend_release(self) -> str:
        """The release that the backend's function runs."""
        found = self._client("lambda").get_function_configuration(FunctionName=self.physical(FUNCTION))
        return str(found["Environment"]["Variables"]["RELEASE"])

    def site_release(self) -> str:
        """The release that the site's bucket is tagged with."""
        tags = self._client("s3").get_bucket_tagging(Bucket=self.physical(BUCKET))["TagSet"]
        return next(str(tag["Value"]) for tag in tags if tag["Key"] == "release")

    def releases(self) -> tuple[str, str]:
        """The releases of backend and frontend, as they are live."""
        return self.backend_release(), self.site_release()

    def visibility_timeout(self) -> str:
        """How long the queue hides a message that was taken, in seconds."""
        found = self._client("sqs").get_queue_attributes(
            QueueUrl=self.physical(QUEUE), AttributeNames=["VisibilityTimeout"]
        )
        return str(found["Attributes"]["VisibilityTimeout"])

    def set_visibility_timeout(self, seconds: int) -> None:
        """Change the queue, as somebody in the console might."""
        self._client("sqs").set_queue_attributes(
            QueueUrl=self.physical(QUEUE), Attributes={"VisibilityTimeout": str(seconds)}
        )

    def versioning(self) -> str:
        """Whether the site's bucket keeps old versions."""
        return str(self._client("s3").get_bucket_versioning(Bucket=self.physical(BUCKET)).get("Status"))

    def suspend_versioning(self) -> None:
        """Change the bucket, as somebody in the console might."""
        self._client("s3").put_bucket_versioning(
            Bucket=self.physical(BUCKET), VersioningConfiguration={"Status": "Suspended"}
        )

    def left(self) -> dict[str, list[str]]:
        """Everything of the services that the stacks use that is in the account, by what it is."""
        return {
            "stacks": list(self.stacks()),
            "tables": self._client("dynamodb").list_tables()["TableNames"],
            "queues": self._client("sqs").list_queues().get("QueueUrls", []),
            "functions": [one["FunctionName"] for one in self._client("lambda").list_functions()["Functions"]],
            "buckets": [one["Name"] for one in self._client("s3").list_buckets()["Buckets"]],
        }

    def roles(self) -> list[str]:
        """The names of the IAM roles in the account."""
        return [one["RoleName"] for one in self._client("iam").list_roles()["Roles"]]

    def deployments(self) -> int:
        """How many change sets were ever carried out in the account."""
        return sum(call == "cloudformation:ExecuteChangeSet" for call in self._aws.calls(account=self.id))

    def _client(self, service: str) -> Any:
        return self._aws.client(service, account=self.id)


def accounts(aws: OfflineAws, management: str) -> dict[str, str]:
    """The accounts of the organization that are not the management's: name to id."""
    found = aws.client("organizations", account=management).list_accounts()["Accounts"]
    return {one["Name"]: one["Id"] for one in found if one["Id"] != management}
