"""Real servers of the tests' own, on loopback, ended by who started them: a mongod, replica sets of it, wrong clocks.

`databases` has the fixtures by which most tests get one; the others are for tests that stop, kill or deceive a server.
"""
