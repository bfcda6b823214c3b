"""A MongoDB URL taken apart: which servers, which database, and how it is shown to people.

What always holds: nothing that is shown or raised here holds the user, the password or an option that may be secret.
The URL itself goes to the driver alone, which checks its options and resolves its names. Called by the MongoDB store
(`parse`) and by who reads somebody else's collection (`address_of`), before the driver is imported.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from orbits_iac.model.errors import UsageError

DEFAULT_DATABASE = "orbits"

_SCHEMES = ("mongodb://", "mongodb+srv://")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+|[A-Za-z0-9._%-]+\.sock)(:[0-9]{1,5})?")
_NO_DATABASE = re.compile(r'[/\\. "$*<>:|?\0]')
_SECRET = frozenset({"authmechanismproperties", "tlscertificatekeyfilepassword", "proxyusername", "proxypassword"})
_WEAKER: dict[str, tuple[frozenset[str], str]] = {
    "w": (frozenset({"majority"}), "a commit has to be on a majority of the servers, or a failover could lose it"),
    "journal": (frozenset({"true"}), "a commit has to be on the disk, or a power cut could lose it"),
    "j": (frozenset({"true"}), "a commit has to be on the disk, or a power cut could lose it"),
    "readconcernlevel": (frozenset({"majority"}), "what is read has to be what no failover takes back"),
}


class Address(NamedTuple):
    """Where a store is: the URL as it was given, the name that is shown for it, and the database."""

    url: str
    shown: str
    database: str

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def parse(url: str) -> Address:
    """Take the URL of a store apart: as `address_of`, and refused where its options would weaken what a store keeps."""
    address = address_of(url)
    _refuse_weaker(address.shown, _options(address.shown, url.partition("?")[2]))
    return address


def address_of(url: str) -> Address:
    """Take a URL apart; a `UsageError` that says what is wrong with it, and never the password."""
    scheme = next((scheme for scheme in _SCHEMES if url.startswith(scheme)), None)
    if scheme is None:
        raise UsageError("the URL of a MongoDB begins with mongodb:// or mongodb+srv://")
    place, _, query = url[len(scheme) :].partition("?")
    authority, _, path = place.partition("/")
    if "@" in path or "@" in query:
        raise UsageError(
            f"the URL {scheme}... has an '@' behind its servers: write the characters @ : / ? # and % of its user "
            "name, password and options in their percent-encoded form, %40 %3A %2F %3F %23 %25"
        )
    hosts = authority.rpartition("@")[2]
    _check_hosts(scheme, hosts)
    database = unquote_plus(path) or DEFAULT_DATABASE
    if _NO_DATABASE.search(database) or len(database.encode()) > 63:
        raise UsageError(
            f'{scheme}{hosts} has no database {database!r}: name one of up to 63 bytes, without / \\ . " $ * < > : | ? '
            "and spaces"
        )
    options = _options(f"{scheme}{hosts}/{database}", query)
    replica_set = options.get("replicaset")
    behind = f"?replicaSet={replica_set}" if replica_set else ""
    return Address(url, f"{scheme}{hosts}/{database}{behind}", database)


def without_secrets(address: Address, text: str) -> str:
    """What the driver says of the URL, or, if that holds something secret, that it is left out."""
    place, _, query = address.url.partition("://")[2].partition("?")
    password = place.partition("/")[0].rpartition("@")[0].partition(":")[2]
    values = [pair.partition("=") for pair in re.split("[&;]", query)]
    options = [value for name, _, value in values if name.lower() in _SECRET]
    secret = [password, *(part for value in options for part in (value, *re.split("[:,]", value)))]
    if any(form and form in text for value in secret for form in (value, unquote_plus(value))):
        return "what the driver says of it holds a secret, and is left out"
    return text


def _check_hosts(scheme: str, hosts: str) -> None:
    """Without showing them: in a URL that is not whole they may be a part of the password."""
    for host in hosts.split(","):
        found = _HOST.fullmatch(host)
        if found is not None and int((found[2] or ":1")[1:]) in range(1, 65536):
            if scheme == _SCHEMES[0] or (found[2] is None and "," not in hosts):
                continue
            raise UsageError("a mongodb+srv:// URL names one host and no port: what stands behind it is in the DNS")
        raise UsageError(
            f"the URL {scheme}... names no server: give HOST:PORT, several with commas between. If it has a user and a "
            "password, write the characters @ : / ? # and % in them percent-encoded"
        )


def _options(shown: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query.replace(";", "&"), strict_parsing=True, keep_blank_values=True) if query else []
    except ValueError:
        raise UsageError(f"{shown}: what stands behind the '?' is not NAME=VALUE, with '&' between") from None
    return {name.lower(): value for name, value in pairs}


def _refuse_weaker(shown: str, options: dict[str, str]) -> None:
    for name, (strong, why) in _WEAKER.items():
        if name in options and options[name].lower() not in strong:
            raise UsageError(f"{shown}: leave out the option {name}, or make it {min(strong)}: {why}")
