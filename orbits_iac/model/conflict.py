"""What becomes of a command whose record is busy. It imports nothing: the command line offers it in its help."""

from typing import Literal

OnConflict = Literal["wait", "fail", "supersede"]
"""What a command does whose record is busy: wait its turn, be refused, or wait and let what goes before it end soon."""
