"""A certificate, as the commands that make one give it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orbits_tenants.certificate import Certificate

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the certificate, as JSON, too.")]


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
