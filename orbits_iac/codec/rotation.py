"""Changing the secret key of a store.

What always holds: at each moment, whatever fails or dies, the key that is in the file opens the store, and so does the
one or the other of two that are given. No value is touched. Processes that run meanwhile go on: they have the data key.
"""

from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr

from orbits_iac.codec.key_file import KeyFile
from orbits_iac.codec.keys import DATA, VARIABLE, checked, data_key, key_file, known, unwrap, wrap
from orbits_iac.model.errors import Conflict, Refused, UsageError
from orbits_iac.model.rows import DataKeyRow, amended
from orbits_iac.store.contract import Store, Transaction

NEW_VARIABLE = "ORBITS_NEW_SECRET_KEY"


async def rotate(store: Store, given: SecretStr | None, new: SecretStr | None) -> Path | None:
    """Encrypt the data key with another secret key: `new`, or one that is made and put into the file.

    Returns the file; None if the new key was given. Done once more after it was broken off, it comes to the same end.

    Raises:
        Refused: there is nothing to change yet, or somebody else is changing it.
        StoreError: the secret key that is known here does not open the store.
        UsageError: no new key was given where one has to be; or it is none, or is not new.

    """
    row = await store.get(DataKeyRow, DATA)
    if row is None:
        raise Refused(f"{store.url} has no key to change: nothing was run on it yet")
    file = key_file(store) if given is None else None
    if new is not None:
        await _to_given(store, row, given, checked(new.get_secret_value(), NEW_VARIABLE))
        if file is not None:
            file.remove()
        return None
    if file is None:
        raise UsageError(f"the secret key is {VARIABLE}: give the new one in {NEW_VARIABLE}")
    with file.held():
        await _in_file(store, file)
    return file.path


async def _to_given(store: Store, row: DataKeyRow, given: SecretStr | None, new: bytes) -> None:
    if known(store, given) == new:
        raise UsageError(f"{NEW_VARIABLE} is the key that is in use: give another one")
    data = unwrap(row, new)
    if data is not None and len(row.wrapped) == 1:
        return  # it was broken off after this had been written
    data = data or await data_key(store, row, given)
    await _write(store, amended(row, version=row.version + 1, wrapped=(wrap(new, data),)))


async def _in_file(store: Store, file: KeyFile) -> None:
    row = await store.get(DataKeyRow, DATA)
    assert row is not None  # noqa: S101 - nobody deletes it
    data, new = await data_key(store, row, None), Fernet.generate_key()
    text = file.read()
    assert text is not None  # noqa: S101 - it has just opened the data key
    file.prepare(new)
    both = amended(row, version=row.version + 1, wrapped=(wrap(text.encode(), data), wrap(new, data)))
    await _write(store, both)
    file.change()
    await _write(store, amended(both, version=both.version + 1, wrapped=both.wrapped[1:]))


async def _write(store: Store, row: DataKeyRow) -> None:
    try:
        await store.commit(Transaction(put=[row]))
    except Conflict as error:
        raise Refused(
            f"the key of {store.url} was changed by somebody else just now; see whether it is still due"
        ) from error
