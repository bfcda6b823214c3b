"""The six parts of the demo: each does something with the command line, and checks what it claims."""

from orbits_stacks.demo.parts import again, crash, drift, leave, provision, release

PARTS = (provision.play, again.play, drift.play, release.play, crash.play, leave.play)
