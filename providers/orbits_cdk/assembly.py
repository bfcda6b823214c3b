"""Reading a cloud assembly: the folder that a synthesis leaves, whether CDK ran in this process or in somebody's own.

`read_stack` gives one stack of it as it is, and raises SynthesisFailed where it says something that cannot be deployed
from here: Docker images, files of the legacy synthesizer, context that was never looked up, another account's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbits_cdk.errors import SynthesisFailed

MANIFEST = "manifest.json"
_STACK = "aws:cloudformation:stack"
_NESTED = "cdk:cloud-assembly"
_ASSETS = "cdk:asset-manifest"
_UNKNOWN = ("unknown-account", "unknown-region")


@dataclass(frozen=True, kw_only=True)
class AssetSource:
    """A file or folder of an assembly, and the object that the template takes it for."""

    name: str
    path: Path
    zipped: bool
    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class AssembledStack:
    """One stack of an assembly."""

    name: str
    template: dict[str, Any]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    account: str | None  # None: it was synthesised for any
    region: str | None
    assets: tuple[AssetSource, ...]
    errors: tuple[str, ...]  # what its constructs and aspects said against it, with their paths
    warnings: tuple[str, ...]
    others: tuple[str, ...]  # what CloudFormation calls the other stacks of the assembly, in CDK's mind
    exports: Mapping[str, str]  # what those export, and which does


@dataclass(frozen=True, kw_only=True)
class _Found:
    folder: Path
    manifest: Mapping[str, Any]
    id: str
    artifact: Mapping[str, Any]

    @property
    def called(self) -> tuple[str, ...]:
        """What somebody may call it by."""
        own = (self.artifact.get("displayName"), self.properties.get("stackName"), self.id)
        return tuple(str(name) for name in own if name)

    @property
    def properties(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.artifact.get("properties", {})
        return found

    def template(self) -> dict[str, Any]:
        file = self.folder / str(self.properties["templateFile"])
        found: dict[str, Any] = _read(file)
        return found


def stack_names(folder: Path) -> list[str]:
    """The stacks of the assembly, those of its stages too."""
    return [found.called[0] for found in _stacks(folder)]


def missing_context(folder: Path) -> list[dict[str, Any]]:
    """What the synthesis would have had to look up: for each its key, provider and props."""
    nested = [found for _, _, each in _artifacts(folder, _NESTED) for found in missing_context(_below(folder, each))]
    return [*_manifest(folder).get("missing", ()), *nested]


def read_stack(folder: Path, name: str | None = None) -> AssembledStack:
    """The stack of this name, id or path in the assembly; without a name, the only one."""
    stacks = list(_stacks(folder))
    chosen = [found for found in stacks if name is None or name in found.called]
    if len(chosen) != 1:
        names = ", ".join(found.called[0] for found in stacks) or "none"
        which = "several stacks" if name is None else f"no single stack {name!r}"
        raise SynthesisFailed(f"The assembly {folder} has {which}; there are: {names}. Name one of them.")
    return _read_stack(chosen[0], [found for found in stacks if found is not chosen[0]])


def _read_stack(found: _Found, others: list[_Found]) -> AssembledStack:
    account, _, region = str(found.artifact.get("environment", "")).removeprefix("aws://").partition("/")
    template = found.template()
    return AssembledStack(
        name=found.called[0],
        template=template,
        parameters={str(k): str(v) for k, v in found.properties.get("parameters", {}).items()},
        tags={str(k): str(v) for k, v in found.properties.get("tags", {}).items()},
        account=None if account in _UNKNOWN else account,
        region=None if region in _UNKNOWN else region,
        assets=tuple(_assets(found)),
        errors=tuple(_said(found, "aws:cdk:error")),
        warnings=(*_said(found, "aws:cdk:warning"), *_left_out(found)),
        others=tuple(str(other.properties.get("stackName", other.id)) for other in others),
        exports=dict(_exports(others)) if "Fn::ImportValue" in json.dumps(template) else {},
    )


def _assets(found: _Found) -> Iterator[AssetSource]:
    own = str(found.properties["templateFile"])
    _refuse_legacy(found)
    needs = set(found.artifact.get("dependencies", ()))
    for id_, artifact in found.manifest.get("artifacts", {}).items():
        if artifact.get("type") != _ASSETS or id_ not in needs:
            continue
        listed = _read(found.folder / str(artifact["properties"]["file"]))
        _refuse_images(found.called[0], listed)
        for hash_, entry in listed.get("files", {}).items():
            source = entry["source"]
            if source.get("path") != own:
                yield _asset(found, hash_, entry)


def _asset(found: _Found, hash_: str, entry: Mapping[str, Any]) -> AssetSource:
    source, name = entry["source"], str(entry.get("displayName") or entry["source"].get("path") or hash_)
    if "path" not in source:
        raise SynthesisFailed(
            f"{found.called[0]}: the file {name} is made by a command when it is published, which is not supported: "
            f"make it before the synthesis, and give its path."
        )
    places = {(each["bucketName"], each["objectKey"]) for each in entry["destinations"].values()}
    if len(places) != 1:
        raise SynthesisFailed(f"{found.called[0]}: the file {name} goes to {len(places)} buckets; one is supported.")
    [(bucket, key)] = places
    path = found.folder / str(source["path"])
    if not path.exists():
        raise SynthesisFailed(f"{found.called[0]}: the assembly lacks {path}. Synthesise it again.")
    zipped = source.get("packaging") == "zip"
    return AssetSource(name=name, path=path, zipped=zipped, bucket=str(bucket), key=str(key))


def _refuse_images(name: str, listed: Mapping[str, Any]) -> None:
    images = [
        str(each.get("displayName") or each["source"].get("directory") or id_)
        for id_, each in listed.get("dockerImages", {}).items()
    ]
    if images:
        raise SynthesisFailed(
            f"{name} has a Docker image to build ({', '.join(images)}), which is not supported: build and push it "
            f"in a step of its own, and give the image's name as a field of the stack."
        )


def _refuse_legacy(found: _Found) -> None:
    if any(entry.get("type") == "aws:cdk:asset" for _, entry in _metadata(found)):
        raise SynthesisFailed(
            f"{found.called[0]} takes its files by parameters, as the LegacyStackSynthesizer makes them, which is not "
            f"supported: use the DefaultStackSynthesizer."
        )


def _said(found: _Found, kind: str) -> Iterator[str]:
    for path, entry in _metadata(found):
        if entry.get("type") == kind:
            yield f"[{path.strip('/')}] {entry.get('data', '')}"


def _left_out(found: _Found) -> Iterator[str]:
    """What CDK's command line would do beside deploying the template, and is not done here."""
    if found.properties.get("terminationProtection"):
        yield f"[{found.called[0]}] is not protected from termination by CloudFormation: do it with `protect=True`"
    if found.properties.get("notificationArns"):
        yield f"[{found.called[0]}] has notification ARNs, which are not told of anything"


def _metadata(found: _Found) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is noted of each construct, by its path: in the manifest, or in a file beside it."""
    noted = dict(found.artifact.get("metadata", {}))
    beside = found.artifact.get("additionalMetadataFile")
    if beside and (found.folder / str(beside)).is_file():
        noted.update(_read(found.folder / str(beside)))
    for path, entries in noted.items():
        for entry in entries:
            yield path, entry


def _exports(stacks: list[_Found]) -> Iterator[tuple[str, str]]:
    for found in stacks:
        for output in found.template().get("Outputs", {}).values():
            name = output.get("Export", {}).get("Name")
            if isinstance(name, str):
                yield name, found.called[0]


def _stacks(folder: Path) -> Iterator[_Found]:
    for manifest, id_, artifact in _artifacts(folder, _STACK):
        yield _Found(folder=folder, manifest=manifest, id=id_, artifact=artifact)
    for _, _, artifact in _artifacts(folder, _NESTED):
        yield from _stacks(_below(folder, artifact))


def _artifacts(folder: Path, kind: str) -> Iterator[tuple[Mapping[str, Any], str, Mapping[str, Any]]]:
    manifest = _manifest(folder)
    for id_, artifact in manifest.get("artifacts", {}).items():
        if artifact.get("type") == kind:
            yield manifest, id_, artifact


def _below(folder: Path, artifact: Mapping[str, Any]) -> Path:
    return folder / str(artifact["properties"]["directoryName"])


def _manifest(folder: Path) -> Mapping[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise SynthesisFailed(f"{folder} is no cloud assembly: it has no {MANIFEST}. `cdk synth` makes one in cdk.out.")
    found: Mapping[str, Any] = _read(file)
    return found


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SynthesisFailed(f"{file} cannot be read: {error}") from error
