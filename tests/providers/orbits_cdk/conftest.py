"""What holds for the tests of stacks: Node is chosen, and its start put off, before anything imports CDK."""

from orbits_cdk.node import prepare

prepare()
