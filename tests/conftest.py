"""What holds for all tests."""

import os

from hypothesis import settings

# No deadline: how long an example takes says more about the machine than about the code. In CI the same examples are
# drawn each time, so that a red run can be had again; elsewhere new ones are, so that more is found.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")
