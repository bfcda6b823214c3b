"""The demo: a web agency's three clients, provisioned, drifted, rolled back, resumed and removed, on an offline AWS.

`python -m orbits_stacks.demo` does six things with the real command line, says in plain words what happens, and checks
each claim that it makes: by boto3 against the offline AWS, by `--json`, and by the log of side effects that the steps
write outside the store. It ends with 0 only if every claim held.

    stage.py      the folder, the offline AWS, and the processes that play
    narrator.py   what the person in front of it reads, and which claims held
    cloud.py      what really is in a client's account
    parts/        the six parts, a module each
    picture.py    pictures of the run for the README
"""
