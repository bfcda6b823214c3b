"""Tenants from a collection of a MongoDB: one for each document."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from orbits_iac import Error
from orbits_iac.provider import UsageError, mongodb_documents, mongodb_shown
from orbits_tenants.sources.entries import MadeOf, made, refuse_empty, tenants_of
from orbits_tenants.sources.source import Source
from orbits_tenants.tenant import Tenant


class MongoSource(Source):
    """Tenants from a collection of a MongoDB: each document that `query` finds is one, in the order of the ids.

    A document has a tenant's fields; without an `id`, its `_id` is that. `entry` makes the fields, or the id, of
    documents that are made otherwise.

    The collection is read as a majority of the servers has it, all of it at one moment. What cannot be read whole, and
    a document that is no tenant, make the list unusable, and never shorter. Needs `orbits-iac[mongodb]`.

    Raises UsageError for a URL that is none.
    """

    def __init__(
        self,
        url: str | SecretStr,
        *,
        database: str,
        collection: str,
        query: Mapping[str, Any] | None = None,
        entry: MadeOf | None = None,
    ) -> None:
        self._url = url.get_secret_value() if isinstance(url, SecretStr) else url
        self._database, self._collection = database, collection
        self._name = mongodb_shown(self._url, database, collection)
        self._query = dict(query or {})
        self._entry = entry

    @property
    def name(self) -> str:
        """The servers, the database and the collection, without user and password."""
        return self._name

    def read(self) -> Sequence[Tenant]:
        """The tenants by their ids; UsageError names the document and the field of what is wrong."""
        try:
            found = mongodb_documents(self._url, self._database, self._collection, self._query)
        except UsageError:
            raise
        except Error as error:
            raise UsageError(str(error)) from error
        entries = ((place, self._fields(place, document)) for place, document in map(_placed, found))
        return sorted(refuse_empty(self.name, tenants_of(self.name, entries)), key=lambda tenant: tenant.id)

    def _fields(self, place: str, document: dict[str, Any]) -> Any:
        if self._entry is not None:
            return made(f"{self.name}, {place}", document, self._entry)
        fields = {name: value for name, value in document.items() if name != "_id"}
        return fields if "id" in fields else {"id": document["_id"], **fields}


def _placed(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"document {document['_id']!r}", document
