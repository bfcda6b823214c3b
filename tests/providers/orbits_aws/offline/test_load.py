"""Many clients at once: none waits for a connection that is not served, and stacks do not disturb each other."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orbits_aws.offline import OfflineAws

ACCOUNTS = [f"{200_000_000_000 + number}" for number in range(32)]


def test_many_accounts_deploy_at_once(aws: OfflineAws, service: Any) -> None:
    clients = {account: aws.client("cloudformation", account=account) for account in ACCOUNTS}

    def deploy(account: str) -> str:
        client = clients[account]
        arguments = {"TemplateBody": json.dumps(service), "Capabilities": ["CAPABILITY_IAM"]}
        created = client.create_change_set(StackName="shop", ChangeSetName="first", ChangeSetType="CREATE", **arguments)
        client.execute_change_set(ChangeSetName=created["Id"])
        [stack] = client.describe_stacks(StackName="shop")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return str(outputs["FunctionArn"].split(":")[4])

    with ThreadPoolExecutor(len(ACCOUNTS)) as pool:
        assert list(pool.map(deploy, ACCOUNTS)) == ACCOUNTS
    counts = aws.counts()
    assert sorted(counts) == ACCOUNTS
    assert all(count == counts[ACCOUNTS[0]] for count in counts.values())
    assert [call.seq for call in aws.calls()] == list(range(1, len(aws.calls()) + 1))
