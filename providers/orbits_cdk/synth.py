"""Synthesis: from a `CdkStack` and its fields to a template, in this process.

jsii is one Node process and not thread-safe: one stack is synthesised at a time. Nothing is looked up: a stack that
needs an account's context, assets or the environment's credentials is refused with what to do instead.
"""

import json
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.outputs import add_outputs
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_cdk.sources import is_users

_LOOKS_UP = (
    "looks things up in the account while it is synthesised, which is not supported: give their ids as fields of the "
    "stack instead, for example from another step's outputs"
)
ONE_AT_A_TIME = threading.RLock()
"""Held by `synthesise`; also held by whoever looks first whether it has been done meanwhile."""
_SHORTEST_SECRET = 6  # characters; shorter ones are found in any text
_OURS = Path(__file__).parent


class Definition(Protocol):
    """What is synthesised: a `CdkStack`."""

    def define_stack(self, stack: Any) -> Any:
        """Make the constructs and return the outputs."""
        ...


def synthesise(definition: Definition, *, kind: str, stack_name: str, region: str) -> StackPayload:
    """The template and outputs of `definition`; raises SynthesisFailed, showing the user's own line."""
    with ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="orbits-synth-") as folder:
        try:
            return _synthesise(definition, kind, stack_name, region, folder)
        except SynthesisFailed:
            raise
        except Exception as error:
            raise SynthesisFailed(_explain(error, kind)) from error


def refuse_secrets(definition: BaseModel, payload: StackPayload) -> None:
    """Raise SynthesisFailed where the value of a secret field stands in the template, where many may read it."""
    text = payload.model_dump_json()
    for name, value in definition:
        reveal = getattr(value, "get_secret_value", None)
        if reveal is not None and len(reveal()) >= _SHORTEST_SECRET and json.dumps(reveal())[1:-1] in text:
            raise SynthesisFailed(
                f"{type(definition).__name__}: the template holds the secret {name!r} in the clear, where everybody "
                f"who may describe the stack can read it. Keep it in Secrets Manager and give its ARN instead."
            )


def _synthesise(definition: Definition, kind: str, stack_name: str, region: str, folder: str) -> StackPayload:
    import aws_cdk as cdk

    app = cdk.App(
        analytics_reporting=False, builtin_cloud_formation_validation=False, outdir=folder, tree_metadata=False
    )
    # The construct's own id is the same for all tenants: names that CDK makes from paths are too.
    stack = cdk.Stack(
        app,
        kind,
        stack_name=stack_name,
        synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )
    outputs, constants = add_outputs(stack, definition.define_stack(stack))
    artifact = app.synth().get_stack_artifact(stack.artifact_id)
    _refuse_lookups(folder, kind)
    _refuse_assets(folder, kind)
    template = json.loads(Path(artifact.template_full_path).read_text(encoding="utf-8"))
    return _payload(stack_name, region, template, outputs, constants)


def _payload(
    stack_name: str,
    region: str,
    template: dict[str, Any],
    outputs: tuple[StackOutput, ...],
    constants: dict[str, Any] | None,
) -> StackPayload:
    return StackPayload(stack_name=stack_name, region=region, template=template, outputs=outputs, constants=constants)


def _refuse_lookups(folder: str, kind: str) -> None:
    missing = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8")).get("missing", [])
    if missing:
        wanted = ", ".join(sorted({str(each.get("provider", each.get("key"))) for each in missing}))
        raise SynthesisFailed(f"{kind} {_LOOKS_UP} ({wanted})")


def _refuse_assets(folder: str, kind: str) -> None:
    for file in Path(folder).glob("*.assets.json"):
        manifest = json.loads(file.read_text(encoding="utf-8"))
        images = [str(each["source"].get("directory", name)) for name, each in _entries(manifest, "dockerImages")]
        files = [
            str(each.get("displayName") or each["source"].get("path", name))
            for name, each in _entries(manifest, "files")
            if not str(each["source"].get("path", "")).endswith(".template.json")
        ]
        if images:
            raise SynthesisFailed(
                f"{kind} has a Docker image to build ({', '.join(images)}), which is not supported: build and push it "
                f"in a step of its own, and give the image's name as a field of the stack."
            )
        if files:
            raise SynthesisFailed(
                f"{kind} has files to upload ({', '.join(files)}), which is not supported yet: for a function use "
                f"Code.from_inline(...), or Code.from_bucket(...) with what another step has uploaded."
            )


def _entries(manifest: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list(manifest.get(name, {}).items())


def _explain(error: Exception, kind: str) -> str:
    """The user's last line that led to the error, and its message without jsii's stack."""
    words = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    words = words.removeprefix("Error: ")
    if "context provider" in words:
        words = f"it {_LOOKS_UP}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_the_definitions(f.filename)]
    if not frames:
        return f"{kind} cannot be synthesised: {words}"
    last = frames[-1]
    return f"{kind} cannot be synthesised: {words}\n  {last.filename}:{last.lineno}, in {last.name}\n    {last.line}"


def _is_the_definitions(file: str) -> bool:
    """Whether a file of a traceback is where the stack is defined: the user's, and not this package's or jsii's."""
    return not file.startswith("<") and is_users(file) and Path(file).parent != _OURS
