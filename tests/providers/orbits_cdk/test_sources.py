"""What the digest of a synthesis covers, beside the code that `test_synth` changes."""

from pathlib import Path

from pydantic import BaseModel, SecretStr

from orbits_cdk.sources import installed, sources_of


class Site(BaseModel):
    size: int = 1
    key: SecretStr = SecretStr("a")


def test_fields_secrets_and_context_count() -> None:
    definitions = [(Site(), {}), (Site(size=2), {}), (Site(key=SecretStr("b")), {}), (Site(), {"flag": True})]
    assert len({sources_of(definition, context).digest for definition, context in definitions}) == 4
    assert sources_of(Site(), {"a": 1, "b": 2}) == sources_of(Site(), {"b": 2, "a": 1})


def test_every_installed_package_counts_with_its_version(tmp_path: Path) -> None:
    for name in ("constructs-10.4.2.dist-info", "cdk_nag-2.35.0.dist-info", "cdk_nag"):
        (tmp_path / name).mkdir()
    assert installed((str(tmp_path),)) == ("cdk_nag-2.35.0", "constructs-10.4.2")
