"""No secret field goes into a template or a file in the clear."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from orbits_cdk.assets import staged_file
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.payload import FileAsset, StackPayload
from orbits_cdk.secrecy import refuse_secrets

SECRET = 'open "sesame"'


class Login(BaseModel):
    user: str
    password: SecretStr


class Keyed(BaseModel):
    logins: list[Login]


def keyed(password: str) -> Keyed:
    return Keyed(logins=[Login(user="me", password=SecretStr(password))])


def payload(value: str = "", *assets: FileAsset) -> StackPayload:
    template: Any = {"Resources": {"F": {"Type": "X", "Properties": {"Key": value}}}}
    return StackPayload(stack_name="s", region="r", template=template, assets=assets)


def as_text(file: Path) -> None:
    file.write_text(f"password: {SECRET}")


def as_json(file: Path) -> None:
    file.write_text('{"password": "open \\"sesame\\""}')


def as_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("settings.ini", SECRET)


def test_a_secret_in_the_template_is_refused() -> None:
    with pytest.raises(SynthesisFailed, match=r"the template holds the secret 'logins\.password' in the clear"):
        refuse_secrets(keyed(SECRET), payload(f"={SECRET}="))
    refuse_secrets(keyed("something else"), payload(f"={SECRET}="))
    refuse_secrets(keyed("open"), payload(f"={SECRET}="))


@pytest.mark.parametrize("write", [as_text, as_json, as_zip])
def test_a_secret_in_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    asset = FileAsset(name="Handler/Code", key="tests/file", size=1)
    staged_file(asset.key).parent.mkdir(parents=True)
    write(staged_file(asset.key))
    refuse_secrets(keyed("something else"), payload("", asset))
    with pytest.raises(SynthesisFailed, match=r"the file Handler/Code holds the secret 'logins\.password'"):
        refuse_secrets(keyed(SECRET), payload("", asset))
    assert not staged_file(asset.key).exists()
