"""The keys of a store: made once, opened by one secret key, and changed without a value being touched."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from orbits_iac.codec import Codec, open_codec
from orbits_iac.codec.key_file import KeyFile
from orbits_iac.codec.rotation import rotate
from orbits_iac.model.errors import Refused, StoreError, UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import DataKeyRow, ExecutionRow, RevisionRow
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.sqlite import SqliteStore

SECRET = SecretStr("correct horse")


def key() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


def row(argument: str, name: str = "one") -> ExecutionRow:
    return ExecutionRow(
        id=ExecutionId(name),
        kind="K",
        command="run",
        argument=argument,
        root=ExecutionId(name),
        build="b",
        who="me",
        digest="",
        created_at=1.0,
    )


async def keep(store: Store, codec: Codec) -> None:
    """Rows of two tables with the secret in them."""
    text = codec.encode(SECRET, SecretStr)
    revision = RevisionRow(kind="K", identity="i", number=1, argument="{}", payload=json.dumps({"P": text}))
    await store.commit(Transaction(put=[row(text), row("{}", "two"), revision]))


async def reads(path: Path, given: SecretStr | None = None) -> bool:
    """Whether a new process reads the secret that was kept, and says the same of it."""
    async with SqliteStore(path) as store:
        codec = await open_codec(store, given)
        kept = await store.get(ExecutionRow, "one")
        assert kept is not None
        return bool(codec.decode(kept.argument, SecretStr) == SECRET)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store that was used with a key in a file."""
    async with SqliteStore(tmp_path / "state.db") as store:
        await keep(store, await open_codec(store, None))
    return tmp_path / "state.db"


async def test_the_key_is_made_once_with_mode_600(path: Path) -> None:
    file = path.with_name("secret.key")
    before = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert await reads(path)
    assert file.read_bytes() == before
    assert {other.name for other in path.parent.iterdir() if not other.name.startswith(path.name)} == {file.name}


async def test_many_processes_that_begin_at_once_have_the_same_key(tmp_path: Path) -> None:
    async def begin() -> str:
        async with SqliteStore(tmp_path / "state.db") as store:
            return (await open_codec(store, None)).digest("x")

    assert len(set(await asyncio.gather(*(begin() for _ in range(8))))) == 1


def test_who_makes_the_file_second_leaves_it_as_it_is(tmp_path: Path) -> None:
    one, other = KeyFile(tmp_path), KeyFile(tmp_path)
    one.make(b"one")
    other.make(b"other")
    assert one.read() == "one"
    assert list(tmp_path.iterdir()) == [one.path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
async def test_a_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.with_name("secret.key").chmod(mode)
    with pytest.raises(UsageError, match=f"mode is {mode:o}.*chmod 600 .*secret.key"):
        await reads(path)


async def test_what_is_no_key_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="ORBITS_SECRET_KEY is no key"):
        await reads(path, SecretStr("hunter2"))
    path.with_name("secret.key").write_text("hunter2")
    with pytest.raises(UsageError, match=r"secret\.key is no key"):
        await reads(path)


async def test_a_lost_file_is_not_made_anew_and_the_error_says_what_cannot_be_read(path: Path) -> None:
    path.with_name("secret.key").unlink()
    with pytest.raises(StoreError) as lost:
        await reads(path)
    said = str(lost.value)
    assert f"sqlite:{path}" in said
    assert f"{path.with_name('secret.key')} is not there" in said
    assert "Rows with secrets: 1 of execution, 1 of revision." in said
    assert not path.with_name("secret.key").exists()


async def test_what_cannot_be_read_is_counted_however_much_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits_iac.codec.keys._PAGE", 1)
    with pytest.raises(StoreError, match="1 of execution, 1 of revision"):
        await reads(path, key())


async def test_another_key_says_which_one_is_wrong(path: Path) -> None:
    with pytest.raises(StoreError, match="ORBITS_SECRET_KEY is not the secret key"):
        await reads(path, key())
    path.with_name("secret.key").write_bytes(Fernet.generate_key())
    with pytest.raises(StoreError, match=r"secret\.key is not the secret key"):
        await reads(path)


async def test_a_store_in_memory_is_read_again_by_this_process() -> None:
    async with MemoryStore() as store:
        one, other = await open_codec(store, None), await open_codec(store, None)
        assert other.decode(one.encode(SECRET, SecretStr), SecretStr) == SECRET


async def test_a_store_that_nothing_is_beside_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "url", "mongodb://somewhere")
    async with MemoryStore() as store:
        with pytest.raises(UsageError, match="needs a secret key that all who use it have"):
            await open_codec(store, None)


async def test_a_store_from_before_there_were_data_keys_is_read_with_its_secret_key(tmp_path: Path) -> None:
    given = key()
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store:
        await keep(store, Codec(given.get_secret_value().encode()))
        with pytest.raises(StoreError, match="is not the secret key"):
            await open_codec(store, key())
        with pytest.raises(StoreError, match="is not there"):
            await open_codec(store, None)
        assert await store.get(DataKeyRow, "data") is None
    assert await reads(path, given)


async def test_a_rotation_in_the_file(path: Path) -> None:
    file = path.with_name("secret.key")
    before = file.read_bytes()
    async with SqliteStore(path) as store:
        digest = (await open_codec(store, None)).digest("x")
        assert await rotate(store, None, None) == file
        assert (await open_codec(store, None)).digest("x") == digest
    assert file.read_bytes() != before
    assert file.stat().st_mode & 0o777 == 0o600
    assert await reads(path)
    file.write_bytes(before)
    with pytest.raises(StoreError):
        await reads(path)


async def test_a_rotation_to_a_given_key(path: Path) -> None:
    first, second = key(), key()
    async with SqliteStore(path) as store:
        assert await rotate(store, None, first) is None
        assert not path.with_name("secret.key").exists()
        assert await rotate(store, first, second) is None
    assert await reads(path, second)
    with pytest.raises(StoreError):
        await reads(path, first)


async def test_a_rotation_is_refused_where_it_cannot_be(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(path) as store:
        with pytest.raises(StoreError):
            await rotate(store, key(), key())
        with pytest.raises(UsageError, match="give the new one in ORBITS_NEW_SECRET_KEY"):
            await rotate(store, key(), None)
        same = SecretStr(path.with_name("secret.key").read_text().strip())
        with pytest.raises(UsageError, match="is the key that is in use"):
            await rotate(store, None, same)
        with KeyFile(tmp_path).held(), pytest.raises(Refused, match="is being changed by another process"):
            await rotate(store, None, None)
    assert await reads(path)
    async with MemoryStore() as empty:
        with pytest.raises(Refused, match="nothing was run on it yet"):
            await rotate(empty, None, None)


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bool], list[str]]]:
    """Die at the n-th thing that a rotation does to the store or to a file: before it, or after it."""
    done: list[str] = []

    def die(at: int, after: bool) -> list[str]:
        done.clear()

        def reached(what: str, when_after: bool) -> None:
            if not when_after:
                done.append(what)
            if len(done) == at and after == when_after:
                raise Died(what)

        def wrapped(cls: type, name: str) -> None:
            method = getattr(cls, name)

            def call(self: KeyFile, *arguments: object) -> None:
                reached(name, when_after=False)
                method(self, *arguments)
                reached(name, when_after=True)

            monkeypatch.setattr(cls, name, call)

        for name in ("prepare", "change", "remove"):
            wrapped(KeyFile, name)
        commit = SqliteStore.commit

        async def committed(self: SqliteStore, transaction: Transaction) -> None:
            reached("commit", when_after=False)
            await commit(self, transaction)
            reached("commit", when_after=True)

        monkeypatch.setattr(SqliteStore, "commit", committed)
        return done

    yield die
    monkeypatch.undo()


FILE_STEPS, GIVEN_STEPS = ["prepare", "commit", "change", "commit"], ["commit", "remove"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, len(FILE_STEPS) + 1))
async def test_a_rotation_in_the_file_that_dies_leaves_the_file_with_a_key_that_opens(
    path: Path, dying: Callable[[int, bool], list[str]], monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    done = dying(at, after)
    async with SqliteStore(path) as store:
        with pytest.raises(Died):
            await rotate(store, None, None)
    assert done == FILE_STEPS[:at]
    monkeypatch.undo()
    assert await reads(path)
    async with SqliteStore(path) as store:
        await rotate(store, None, None)
        kept = await store.get(DataKeyRow, "data")
        assert kept is not None
        assert len(kept.wrapped) == 1
    assert await reads(path)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, len(GIVEN_STEPS) + 1))
async def test_a_rotation_to_a_given_key_that_dies_is_done_or_not(
    path: Path, dying: Callable[[int, bool], list[str]], monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    done, new = dying(at, after), key()
    async with SqliteStore(path) as store:
        with pytest.raises(Died):
            await rotate(store, None, new)
    assert done == GIVEN_STEPS[:at]
    monkeypatch.undo()
    was_done = (at, after) != (1, False)
    assert await reads(path, new if was_done else None)
    if path.with_name("secret.key").exists():
        async with SqliteStore(path) as store:
            await rotate(store, None, new)
    assert not path.with_name("secret.key").exists()
    assert await reads(path, new)
