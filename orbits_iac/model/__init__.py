"""Pure data and rules: states, errors, ids, rows of the journal, revisions, plans, drift findings.

Nothing here does I/O, knows a store or imports another package of Orbits. What belongs here: a value that two
packages have to agree on, and a rule that can be stated about values alone. What does not: anything with a clock,
a connection or a thread.
"""
