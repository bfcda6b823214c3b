"""The keys of a store: a data key, and the secret key that wraps it.

Secrets are encrypted, and digests keyed, with a *data key* that is made once for a store and kept in it, encrypted
with the *secret key*: from ORBITS_SECRET_KEY, or in a file beside a local store. So the secret key can be changed
without touching a value, and nothing is done again because a digest came out otherwise.

What always holds: a data key is written after the secret key that opens it is on the disk; where the data key cannot
be opened, no other one is made. Called when Orbits is opened.
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from orbits_iac.codec.codec import LARGEST, Codec
from orbits_iac.codec.key_file import KeyFile
from orbits_iac.model.errors import Conflict, StoreError, UsageError
from orbits_iac.model.rows import TABLES, DataKeyRow, ExecutionRow
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.rules import key_of
from orbits_iac.store.tables import encoded

DATA = "data"
VARIABLE = "ORBITS_SECRET_KEY"
_PAGE = 1000  # rows that are read at a time
_seal = re.compile(rb'"\$secret(?:-\w+)?\\+":\\+"([\w=-]+)').search  # in JSON texts, inside of JSON


async def open_codec(store: Store, given: SecretStr | None, *, largest: int = LARGEST) -> Codec:
    """The codec of a store, which is open; its data key is made if there is none yet.

    Raises:
        StoreError: the data key was encrypted with another secret key; the message counts what cannot be read.
        UsageError: what should be the secret key is none, or others may read its file.

    """
    while True:
        row = await store.get(DataKeyRow, DATA)
        if row is not None:
            return Codec(await data_key(store, row, given), largest=largest)
        if await store.find(ExecutionRow, limit=1):
            secret = data = await _older_key(store, given)
        else:
            secret, data = known(store, given) or _made(store), Fernet.generate_key()
        try:
            await store.commit(Transaction(put=[DataKeyRow(wrapped=(wrap(secret, data),))]))
        except Conflict:  # another process was first
            continue
        return Codec(data, largest=largest)


async def data_key(store: Store, row: DataKeyRow, given: SecretStr | None) -> bytes:
    """The data key; StoreError if the secret key that is known here does not open it."""
    secret = known(store, given)
    data = unwrap(row, secret) if secret is not None else None
    if data is None:
        raise StoreError(await _lost(store, given, there=secret is not None))
    return data


def wrap(secret: bytes, data: bytes) -> str:
    """The data key, encrypted with a secret key."""
    return Fernet(secret).encrypt(data).decode()


def unwrap(row: DataKeyRow, secret: bytes) -> bytes | None:
    """The data key; None if it was never encrypted with this secret key."""
    return next((data for wrapped in row.wrapped if (data := _decrypted(secret, wrapped.encode())) is not None), None)


def checked(key: str, where: str) -> bytes:
    """The key as bytes; a UsageError says where it is wrong."""
    try:
        Fernet(key)
    except ValueError as error:
        raise UsageError(f"{where} is no key: it has to be 32 bytes in url-safe base 64 (44 characters)") from error
    return key.encode()


def key_file(store: Store) -> KeyFile | None:
    """The file of a local store's secret key; None for a store that nothing is beside."""
    technology, _, where = store.url.partition(":")
    return KeyFile(Path(where).parent) if technology == "sqlite" else None


def known(store: Store, given: SecretStr | None) -> bytes | None:
    """The secret key: what was given, else what is in the file; None if there is neither."""
    if given is not None:
        return checked(given.get_secret_value(), VARIABLE)
    file = key_file(store)
    if file is not None:
        text = file.read()
        return None if text is None else checked(text, str(file.path))
    return _of_this_process() if store.url == "memory:" else None


def _made(store: Store) -> bytes:
    file = key_file(store)
    if file is None:
        raise UsageError(f"{store.url} needs a secret key that all who use it have: set {VARIABLE}")
    file.make(Fernet.generate_key())
    made = known(store, None)
    assert made is not None  # noqa: S101 - it was just put there, by us or by another process
    return made


def _decrypted(key: bytes, sealed: bytes) -> bytes | None:
    try:
        return Fernet(key).decrypt(sealed)
    except InvalidToken:
        return None


@lru_cache(maxsize=1)
def _of_this_process() -> bytes:
    return Fernet.generate_key()


async def _older_key(store: Store, given: SecretStr | None) -> bytes:
    """The data key of a store from before there were any: it was the secret key itself."""
    secret = known(store, given)
    if secret is None or not await _reads(store, secret):
        raise StoreError(await _lost(store, given, there=secret is not None))
    return secret


async def _reads(store: Store, data: bytes) -> bool:
    """Whether the first secret that is found was encrypted with this key, or there is none."""
    async with aclosing(_sealed(store)) as found:
        async for _, sealed in found:
            return _decrypted(data, sealed) is not None
    return True


async def _lost(store: Store, given: SecretStr | None, *, there: bool) -> str:
    """What to say of a store whose data key cannot be opened."""
    file = key_file(store)
    where = VARIABLE if given is not None or file is None else str(file.path)
    counts = Counter([table async for table, _ in _sealed(store)])
    rows = ", ".join(f"{count} of {table}" for table, count in counts.items()) or "none"
    return (
        f"nothing can be run on {store.url}, and no secret in it be read: {where} "
        f"{'is not the secret key' if there else 'is not there: it held the secret key'} that the store was made with. "
        f"Rows with secrets: {rows}. Put that key back, as {VARIABLE}{f' or in {file.path}' if file else ''}; commands "
        f"that only read work without it. If it is lost for good, the secrets are too: name a new store, and give them "
        f"again."
    )


async def _sealed(store: Store) -> AsyncGenerator[tuple[str, bytes]]:
    """The first secret of each row that has any, encrypted, with the row's table."""
    for row_type, table in TABLES.items():
        after: tuple[str | int, ...] = ()
        while page := await store.find(row_type, limit=_PAGE, after=after):
            for row in page:
                found = _seal(encoded(row))
                if found is not None:
                    yield table, found[1]
            after = key_of(page[-1])
