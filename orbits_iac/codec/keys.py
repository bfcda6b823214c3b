"""The secret key."""

import os
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from orbits_iac.model.errors import UsageError


def secret_key(given: SecretStr | None, folder: Path | None) -> bytes:
    """The key: what was given, else the file `secret.key` in `folder` (made with mode 600), else one for this process.

    Raises UsageError where what was given, or the file, is no key.
    """
    if given is not None:
        return _checked(given.get_secret_value().encode(), "ORBITS_SECRET_KEY")
    if folder is None:
        return Fernet.generate_key()
    file = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _checked(file.read_bytes().strip(), str(file))
    key = Fernet.generate_key()
    with os.fdopen(descriptor, "wb") as out:
        out.write(key + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return key


def _checked(key: bytes, where: str) -> bytes:
    try:
        Fernet(key)
    except ValueError as error:
        raise UsageError(f"{where} is no key: it has to be 32 bytes in url-safe base 64 (44 characters)") from error
    return key
