"""The stacks that the tests deploy."""

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from orbits_cdk import CdkStack
from orbits_iac import Outputs, Resource


class SiteOutputs(Outputs):
    bucket: str
    arns: list[str]
    release: str


class Site(CdkStack[SiteOutputs]):
    release: str
    versioned: bool = True
    second: bool = False
    keep: bool = False

    def define_stack(self, stack: cdk.Stack) -> SiteOutputs:
        if self.release == "broken":
            s3.Bucket(stack, "Assets")
        policy = cdk.RemovalPolicy.RETAIN if self.keep else cdk.RemovalPolicy.DESTROY
        bucket = s3.Bucket(stack, "Assets", versioned=self.versioned, removal_policy=policy)
        cdk.Tags.of(bucket).add("release", self.release)
        queue = sqs.Queue(stack, "Jobs", visibility_timeout=cdk.Duration.seconds(30))
        if self.second:
            sqs.Queue(stack, "More")
        return SiteOutputs(bucket=bucket.bucket_name, arns=[bucket.bucket_arn, queue.queue_arn], release=self.release)


class App(Resource[SiteOutputs]):
    client: str = "acme"
    release: str
    versioned: bool = True
    second: bool = False
    keep: bool = False

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> SiteOutputs:
        site = Site(release=self.release, versioned=self.versioned, second=self.second, keep=self.keep)
        return await self.do("site", site)
