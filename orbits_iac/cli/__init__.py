"""The command line: a file a command, which says what is asked for and how the answer looks; what is done is Orbits'.

Data goes to stdout, errors to stderr. Nothing heavy is imported before a command runs, so that help comes at once:
modules here import Typer at their top, and all else in the function that needs it. `tree` is pure; `render` draws.
"""


def main() -> None:
    """Run the command line: what `orbits` is."""
    from orbits_iac.cli.app import app

    app(prog_name="orbits")
