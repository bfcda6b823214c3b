"""Where everything is kept: the contract, and a file for each technology.

Stores keep rows (`orbits_iac.model.rows`) and know nothing of steps, hooks or users' values. What atomicity the engine
needs is a method of the contract; what a row means is decided above it.
"""
