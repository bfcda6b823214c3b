"""Telling people of problems: what is news, what a message says of it, and how it reaches Slack, a mailbox or a file.

What always holds: a notice is written in the transaction of its cause, so there is one of each problem and none is
lost; what is sent is an execution of its own, so that it outlives crashes, is tried again, and fails nothing else; a
secret of a target is nowhere but in the process that sends. The engine writes notices, `dispatch.outbox` makes messages
of them, and processes that were opened with `notifies` send these. Other libraries are loaded where it is sent alone.
"""

SEND = "orbits send"
"""The kind of the steps that send, one for each message and target."""
