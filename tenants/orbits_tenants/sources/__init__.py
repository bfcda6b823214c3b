"""Where the list of tenants comes from: `source` says what a source is, each other module is one sort of them.

A source is read before anything is written, and again inside the roll-out as a step, so that a re-run sees the same
list. What it returns was validated: there is at least one tenant, and each id is there once. Whatever is wrong is a
`UsageError` that names where it stands and the field.
"""
