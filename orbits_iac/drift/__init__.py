"""The comparison of desired, recorded and live state: pure rules, no I/O.

What belongs here: when two values mean the same, what counts as drift, what as unchecked, and which policy applies.
What does not: reading anything live, which is each provider's.
"""
