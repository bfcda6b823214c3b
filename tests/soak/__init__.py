"""The soak: a workload on a MongoDB replica set of three nodes, with three workers, while all of these are broken.

`steps` is what runs, `workload` what is asked for, `faults` what is broken and in which order, `scene` the processes
that are broken, `collected` what is there at the end, and `checker` what has to hold of it. `python -m tests.soak`
(`make soak`) runs it for as long as one likes, `test_soak` for a minute. `test_outages` has courses of its own on the
same scene.
"""
