"""An AWS that runs on this machine: moto, with a CloudFormation that behaves as the real one, and faults by request.

`OfflineAws` is the Python face, `python -m orbits_aws.offline` and `orbits offline` the program. Any AWS client works
against its endpoint. What belongs here: simulating AWS faithfully. What does not: anything of Orbits; nothing here
imports orbits_iac or the rest of orbits_aws. moto is imported when one is started.
"""

from .calls import Call
from .offline_aws import OfflineAws

__all__ = ["Call", "OfflineAws"]
