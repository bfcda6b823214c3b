"""The file that a store is exported to: JSON lines, each with the checksum of all rows up to it.

The first line is the `Header`, the last one the `End`; between them is a line for each row, table by table in the order
of `MOVED`, in each in the order of the keys:

    {"record":{"kind":"Shop","identity":"acme",...},"sum":"5b1d2c..."}

What always holds: a file whose end was read without an error is, row by row, what was written. A line that was altered,
left out, added or cut off is a `Refused` that names it. Called by `exporting` and `importing`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.rows import TABLES, ImportRow, Row, ScheduleRow, ShareRow, TaskRow, WorkerRow
from orbits_iac.store.contract import SCHEMA_VERSION
from orbits_iac.store.rules import key_of

FORMAT = 1
LONGEST = 1 << 30
"""Bytes of a line; what is longer is no export."""

_STAYS = (WorkerRow, ShareRow, ImportRow)  # they are about the processes at work on a store, and not moved
_LAST = (ScheduleRow, TaskRow)  # what makes something due comes after what it needs
MOVED: tuple[type[Row], ...] = (*(table for table in TABLES if table not in (*_STAYS, *_LAST)), *_LAST)
"""The tables of a file, in their order."""

_NAMED = {TABLES[table]: table for table in MOVED}
_ORDER = {table: place for place, table in enumerate(MOVED)}
_END = b'{"end":'
_HEADER = 1 << 16  # bytes that the first line has at most
_DIGITS = 16  # of a line's checksum, in hexadecimal
_TAIL = len(b',"sum":""}\n') + _DIGITS
_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_rows: dict[type[Row], Callable[[bytes | msgspec.Raw], Row]] = {
    table: msgspec.json.Decoder(table).decode for table in MOVED
}


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the export itself."""

    orbits: str = "state"
    format: int = FORMAT
    schema: int = SCHEMA_VERSION  # of the store
    project: str
    build: str  # the latest one that the store knows
    at: float
    live: bool  # workers may have been writing meanwhile


class End(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows before it come to."""

    counts: dict[str, int]
    sha256: str  # of the rows


class Lines:
    """Makes the lines of a file, one after the other."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._sum = hashlib.sha256()

    def header(self, header: Header) -> bytes:
        """The first line."""
        return _alone(b'{"header":' + _encode(header))

    def row(self, row: Row) -> bytes:
        """The line of the next row."""
        name = TABLES[type(row)]
        return self.add(name, b'{"%s":%s' % (name.encode(), _encode(row)))

    def add(self, table: str, body: bytes) -> bytes:
        """The line of the next row, which is all but written."""
        self._sum.update(body)
        self.counts[table] += 1
        return _closed(body, self._sum)

    def end(self) -> End:
        """What the rows so far come to."""
        return End(counts=dict(self.counts), sha256=self._sum.hexdigest())

    def last(self) -> bytes:
        """The last line."""
        return _alone(_END + _encode(self.end()))


class Exported:
    """A file that was exported, to be read as often as it is needed."""

    def __init__(self, path: Path) -> None:
        """Read the header; `Refused` if it is no export, or one that this version cannot read."""
        self.path = path
        self.end: End | None = None
        self.read = 0  # bytes, of the pass that is under way
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self.header = self._header(file.readline(_HEADER))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error

    def rows(self) -> Iterator[Row]:
        """The rows in their order, read from the beginning; `Refused` at the first line that is not as it was written.

        What was read is good only once it has come to its end, which is in `end` from then on.
        """
        lines, place = Lines(), None
        number = 1
        with self.path.open("rb") as file:
            self.read = len(file.readline(_HEADER))
            while line := file.readline(LONGEST):
                number += 1
                self.read += len(line)
                body = line[:-_TAIL]
                if line.startswith(_END):
                    self.end = self._ended(line, number, lines.end(), more=file.read(1))
                    return
                name = line[2:].partition(b'"')[0].decode(errors="replace")
                if lines.add(name, body) != line:
                    raise self._altered(number)
                row = self._row(body, number)
                before, place = place, (_ORDER[type(row)], key_of(row))
                if before is not None and place <= before:
                    raise self._altered(number, "it is not in its place")
                yield row
        raise Refused(
            f"{self.path} was cut off after line {number}: its last line, with the counts, is missing. Nothing was "
            f"written. Copy it or export it again"
        )

    def _header(self, line: bytes) -> Header:
        body = line[:-_TAIL]
        try:
            header = msgspec.json.decode(_line(body + b"}")["header"], type=Header)
        except (msgspec.MsgspecError, KeyError) as error:
            raise UsageError(
                f"{self.path} is no export of a store: its first line is not what `orbits state export` writes"
            ) from error
        if header.format > FORMAT or header.schema > SCHEMA_VERSION:
            raise Refused(
                f"{self.path} was exported by a later version of Orbits IaC (format {header.format}, schema "
                f"{header.schema}; this one knows up to {FORMAT} and {SCHEMA_VERSION}): upgrade orbits-iac"
            )
        if line != _alone(body):
            raise self._altered(1)
        return header

    def _row(self, body: bytes, number: int) -> Row:
        try:
            ((name, raw),) = _line(body + b"}").items()
            return _rows[_NAMED[name]](raw)
        except (msgspec.MsgspecError, KeyError, ValueError) as error:
            raise self._altered(number, f"it cannot be read ({error})") from error

    def _ended(self, line: bytes, number: int, end: End, *, more: bytes) -> End:
        if line != _alone(_END + _encode(end)):
            raise self._altered(number, "the rows before it are not those that it counts")
        if more:
            raise self._altered(number + 1, "something follows the last line")
        return end

    def _altered(self, number: int, how: str = "its checksum does not fit") -> Refused:
        return Refused(
            f"{self.path}, line {number}, is not as it was exported: {how}. Nothing was written. Copy the file or "
            f"export it again"
        )


def _closed(body: bytes, summed: Any) -> bytes:
    """A line with its checksum."""
    return b'%s,"sum":"%s"}\n' % (body, summed.hexdigest()[:_DIGITS].encode())


def _alone(body: bytes) -> bytes:
    """A line that is summed by itself."""
    return _closed(body, hashlib.sha256(body))
