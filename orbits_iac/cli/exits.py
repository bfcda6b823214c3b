"""Exit codes, the same for every command."""

DONE = 0  # done, or in sync
FAILED = 1  # an execution failed, or what was needed could not be reached
USAGE = 2  # the request is wrong or not allowed; nothing was done
FOUND = 3  # drift, or pending changes
PARTLY = 4  # a part of a fleet failed: what its report's exit_code() says
INTERRUPTED = 130  # Ctrl-C: it can be resumed
