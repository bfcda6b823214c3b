"""`orbits end`: end an execution, or one of its steps, as a person says."""

from typing import Annotated, Any

import typer

from orbits_iac.cli.options import AsJson, Debug, Id, Path, Store

State = Annotated[str, typer.Option("--state", help="How it ends: SUCCESS, ERROR or CANCELLED.")]
Result = Annotated[str | None, typer.Option("--result", help="Its result, as JSON; for SUCCESS.")]
Why = Annotated[str, typer.Option("--why", help="The reason, which is recorded.")]


def command(
    execution: Id,
    state: State,
    path: Path = "",
    result: Result = None,
    why: Why = "",
    store: Store = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """End an execution, or its step at --path, whatever its code would still do. Nothing is brought back."""
    from orbits_iac.cli import session
    from orbits_iac.cli.running import finish
    from orbits_iac.cli.telling import tell

    how, value = _state(state), _value(result)
    finish(
        tell(
            execution,
            session.settings_with(store),
            lambda it: it.end(how, path=path, result=value, why=why),
            f"Asked NAME to end{f' its step {path}' if path else ''} as {how.value}; orbits get ID shows it.",
            with_code=how.value == "SUCCESS",
            as_json=as_json,
        )
    )


def _state(name: str) -> Any:
    from orbits_iac.engine.operations import ENDINGS
    from orbits_iac.model.errors import UsageError

    for state in ENDINGS:
        if state.value == name.upper():
            return state
    raise UsageError(f"--state {name} is no way to end it: give one of {', '.join(sorted(ENDINGS))}")


def _value(text: str | None) -> Any:
    import json

    from orbits_iac.model.errors import UsageError

    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise UsageError(f"--result is not JSON: {error}") from error
