"""What becomes of an error: a message that says what to do, and an exit code."""

from orbits_iac.cli import exits


def exit_code_of(error: BaseException) -> int:
    """What the command line exits with after `error`."""
    from orbits_iac.model.errors import Refused

    if isinstance(error, Refused):
        return exits.USAGE
    return exits.FAILED


def explain(error: BaseException) -> str:
    """`error` for people, without a traceback."""
    from orbits_iac.model.errors import Error

    text = str(error) or type(error).__name__
    if isinstance(error, Error):
        return f"Error: {text}"
    return f"Error: {type(error).__name__}: {text}\nThis is a defect of Orbits; --debug shows where it happened."
