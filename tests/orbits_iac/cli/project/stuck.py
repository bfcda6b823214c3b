"""A step that does not let go of its thread."""

import sys
import threading

from orbits_iac import Action


class Stuck(Action[None]):
    def main(self) -> None:
        sys.stderr.write("stuck\n")
        threading.Event().wait(60)
