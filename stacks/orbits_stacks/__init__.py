"""Ready stacks made of providers and tenants, to be deployed as they are or read as examples; and the demo of them.

What belongs here: stacks that a team could have written with the public names alone. `orbits_stacks.agency` is a web
agency's: a front and a back for each client, in an account of the client's own.
"""

from importlib import import_module

import_module("orbits_cdk")  # before a stack imports aws_cdk: it chooses Node, and puts its start off
