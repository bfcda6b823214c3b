"""A certificate, as the commands that make one give it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orbits_tenants.certificate import Certificate

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate, as JSON, too.")]


def check(out: Path | None) -> None:
    """UsageError where it could not be written: what it certifies is not done then."""
    from orbits_iac.provider import UsageError

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise UsageError(f"--out {out}: there is no such folder, or it is one; nothing was done")


def say(certificate: "Certificate", out: Path | None, *, as_json: bool) -> None:
    """Write and print it; exits with 4 if it is not sure that all is gone."""
    text = certificate.model_dump_json(indent=2)
    if out is not None:
        out.write_text(f"{text}\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
    else:
        from orbits_iac.provider import console

        console().print(certificate)
    if certificate.unsure:
        raise typer.Exit(4)
