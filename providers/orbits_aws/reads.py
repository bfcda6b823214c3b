"""Which operations of AWS only read: by the verb that their names begin with. Whatever else is a change."""

_VERBS = (
    "AssumeRole",
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "Check",
    "Count",
    "Decode",
    "Describe",
    "Detect",
    "Discover",
    "Download",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "TransactGet",
    "Validate",
    "Verify",
    "View",
)


def is_read(operation: str) -> bool:
    """Whether an operation changes nothing."""
    return operation.startswith(_VERBS)
