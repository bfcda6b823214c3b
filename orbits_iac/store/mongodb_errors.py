"""What the MongoDB driver raises, as a `StoreError` that says what was tried, on which server, why, and what to do.

What always holds: no message holds a secret, nor the driver's picture of the whole replica set; servers are named.
Called by all of the MongoDB store around each call of the driver. Imports the driver: only once a store is opened.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from orbits_iac.model.errors import StoreError, Unreachable

WRITE_CONFLICT = 112
UNAUTHORIZED = 13
INTERRUPTED = 11601
_NO_SUCH_TRANSACTION = 251

_LONGEST = 300  # characters of what a server said
_REST = re.compile(r" \(configured timeouts:|, Timeout: |, Topology Description:|, full error:|, Timeout ")
_MAY_BE_WRITTEN = "whether it was written is not known"
NOT_SIGNED_IN = frozenset({11, 18})
"""The codes by which a server refuses whoever signs in."""
WHY_NOT_SIGNED_IN = "the user name or the password is wrong, or the user is of another database (option authSource)"
_BY_CODE: dict[int, str] = {
    **dict.fromkeys(NOT_SIGNED_IN, WHY_NOT_SIGNED_IN),
    UNAUTHORIZED: "the user may not do that: give it the role readWrite on the database",
    50: "the server did not finish in time; it is overloaded, or waits for others",
    64: f"a majority of the replica set did not confirm in time, so {_MAY_BE_WRITTEN}; see to its other servers",
    INTERRUPTED: "another process has ended it, since it was in its way for too long; try again",
    WRITE_CONFLICT: "others write the same at the same time; try again",
    251: "its transaction was lost, most often by a failover; try again",
    388: "what is written at once is too much for the server's cache: give it more memory",
    10334: "a row is larger than MongoDB keeps (16 MB)",
    14031: "the server's disk is full; what was committed is safe. Make room and try again",
    17280: "a field that is found by is too long",
}

_BY_CLASS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (  # the first that fits counts
    (
        (ServerSelectionTimeoutError,),
        "no server that takes writes answered: is MongoDB running there, and has its replica set a primary?",
    ),
    (
        (WaitQueueTimeoutError,),
        "all connections were in use for too long: raise maxPoolSize, or give the server more time",
    ),
    ((NetworkTimeout, ExecutionTimeout), f"the server did not answer in time, so {_MAY_BE_WRITTEN}"),
    (
        (AutoReconnect, ConnectionFailure),
        f"the connection broke, or the server is not the primary any more, so {_MAY_BE_WRITTEN}",
    ),
    ((ConfigurationError,), "the URL, the DNS behind it, or the server's settings do not fit"),
    ((InvalidOperation,), "it was closed"),
    ((BSONError, OverflowError), "a row cannot be kept as a document"),
)


class Failing:
    """`with failing(shown, "doing"):` turns whatever the driver raises inside into a `StoreError`."""

    __slots__ = ("_doing", "_shown")

    def __init__(self, shown: str, doing: str = "") -> None:
        self._shown = shown
        self._doing = doing

    def __enter__(self) -> None:
        """Nothing is made: a call of the store costs no more for it."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, PyMongoError | BSONError | OverflowError):
            raise store_error(self._shown, error, doing=self._doing) from error


failing = Failing


def store_error(shown: str, error: Exception, *, doing: str = "") -> StoreError:
    """What is raised for an error of the driver."""
    tried = f" while {doing}" if doing else ""
    kind = Unreachable if isinstance(error, ConnectionFailure) else StoreError
    return kind(f"the store {shown} cannot be used{tried}: {_why(error)} ({said(error)})")


def said(error: Exception) -> str:
    """What a server or the driver said, shortened: which server, and what, without the rest of the replica set."""
    text = str(error)
    if isinstance(error, OperationFailure) and error.details:
        text = str(_first_of(error).get("errmsg") or text)
    text = _REST.split(text, maxsplit=1)[0].strip() or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def may_be_tried_again(error: BaseException) -> bool:
    """Whether the whole transaction may be sent again: nothing of it was written."""
    if isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError"):
        return True
    return is_write_conflict(error) or _was_ended(error)


def is_write_conflict(error: BaseException) -> bool:
    """Whether another transaction wrote the same documents: tried again, it is judged by what that one has left."""
    return isinstance(error, OperationFailure) and error.code == WRITE_CONFLICT


def commit_is_unknown(error: BaseException) -> bool:
    """Whether the answer to a commit was lost: the commit alone is sent again.

    That there is no such transaction says nothing without the label that it never was committed: the driver asks again
    by itself, and who answers then may not know of what was written before.
    """
    if isinstance(error, PyMongoError) and error.has_error_label("UnknownTransactionCommitResult"):
        return True
    return _was_ended(error) or (isinstance(error, OperationFailure) and error.code == _NO_SUCH_TRANSACTION)


def never_was_committed(error: BaseException) -> bool:
    """Whether the answer to a commit is that the transaction is not there, and never will be."""
    if not isinstance(error, PyMongoError) or error.has_error_label("UnknownTransactionCommitResult"):
        return False
    return error.has_error_label("TransientTransactionError")


def _first_of(error: OperationFailure) -> Mapping[str, Any]:
    """What a server said of a command, or of the first write that failed among many."""
    details: Mapping[str, Any] = error.details or {}
    errors = details.get("writeErrors") or details.get("writeConcernErrors") or [details]
    first: Mapping[str, Any] = errors[0]
    return first


def _was_ended(error: BaseException) -> bool:
    """Whether another process has ended the session, because the transaction was in its way."""
    return isinstance(error, OperationFailure) and error.code == INTERRUPTED


def _why(error: Exception) -> str:
    code = (error.code, _first_of(error).get("code")) if isinstance(error, OperationFailure) else ()
    found = next((_BY_CODE[each] for each in code if each in _BY_CODE), None)
    if found is not None:
        return found
    return next((why for kinds, why in _BY_CLASS if isinstance(error, kinds)), "the server refused it")
