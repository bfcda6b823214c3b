"""What a MongoDB URL may say, and that nothing secret of it is ever shown."""

import pytest

from orbits_iac.model.errors import UsageError
from orbits_iac.store.mongodb_client import client_of
from orbits_iac.store.mongodb_url import Address, parse

SECRET = "s3cret-canary"


@pytest.mark.parametrize(
    ("url", "shown", "database"),
    [
        ("mongodb://db1", "mongodb://db1/orbits", "orbits"),
        ("mongodb://db1:27018/", "mongodb://db1:27018/orbits", "orbits"),
        ("mongodb://db1:1,db2:2,[::1]:3/team", "mongodb://db1:1,db2:2,[::1]:3/team", "team"),
        (f"mongodb://me:{SECRET}@db1/team?replicaSet=rs0", "mongodb://db1/team?replicaSet=rs0", "team"),
        (
            f"mongodb+srv://me:{SECRET}@cluster.example.net/team?w=majority",
            "mongodb+srv://cluster.example.net/team",
            "team",
        ),
        ("mongodb://%2Ftmp%2Fmongodb-27017.sock/team", "mongodb://%2Ftmp%2Fmongodb-27017.sock/team", "team"),
        (f"mongodb://db1/?authMechanismProperties=AWS_SESSION_TOKEN:{SECRET}", "mongodb://db1/orbits", "orbits"),
        (f"mongodb://db1/?tls=true&tlsCertificateKeyFilePassword={SECRET}", "mongodb://db1/orbits", "orbits"),
    ],
)
def test_a_url_is_shown_without_user_password_and_options(url: str, shown: str, database: str) -> None:
    address = parse(url)
    assert address == Address(url, shown, database)
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("postgres://db1", "begins with mongodb:// or mongodb+srv://"),
        ("mongodb://", "names no server"),
        ("mongodb://db1:port/team", "names no server"),
        ("mongodb://db1:99999", "names no server"),
        (f"mongodb://me:{SECRET}", "names no server"),
        (f"mongodb://me:{SECRET}:more@", "names no server"),
        (f"mongodb://me:1/{SECRET}@db1/team", "percent-encoded"),
        (f"mongodb://me:1?{SECRET}=1@db1/team", "percent-encoded"),
        ("mongodb+srv://db1:27017/team", "one host and no port"),
        ("mongodb+srv://db1,db2/team", "one host and no port"),
        ("mongodb://db1/my team", "no database 'my team'"),
        ("mongodb://db1/a.b", "no database 'a.b'"),
        (f"mongodb://me:{SECRET}@db1/team?tls", "not NAME=VALUE"),
        (f"mongodb://me:{SECRET}@db1/team?w=1", "leave out the option w, or make it majority"),
        ("mongodb://db1/team?journal=false", "leave out the option journal, or make it true"),
        ("mongodb://db1/team?readConcernLevel=local", "leave out the option readconcernlevel, or make it majority"),
    ],
)
def test_a_url_that_no_store_can_have_says_what_is_wrong_with_it(url: str, wrong: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(url)
    assert wrong in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        (f"mongodb://me:{SECRET}@db1/team?wise=yes", "Unknown option: wise"),
        (f"mongodb://me:{SECRET}@db1/?authMechanism=NONE", "authmechanism must be in"),
        (f"mongodb://me:{SECRET}%zz@db1/", "the URL of the store mongodb://db1/orbits"),
        (f"mongodb://db1/?authMechanismProperties={SECRET}:x", "holds a secret"),
        (f"mongodb://me:{SECRET}@db1/?tls=true&tlsCAFile=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("mongodb://db1,db2/?directConnection=true", "Cannot specify multiple hosts"),
    ],
)
async def test_a_url_that_the_driver_refuses_is_named_with_its_reason(url: str, wrong: str) -> None:
    with pytest.raises(UsageError) as raised:
        client_of(parse(url))
    assert wrong in str(raised.value)
    assert SECRET not in str(raised.value)


async def test_commits_are_for_a_majority_and_no_call_waits_without_limit() -> None:
    client = client_of(parse("mongodb://db1/team?socketTimeoutMS=7000&readPreference=secondaryPreferred&tls=true"))
    assert client.write_concern.document == {"w": "majority", "j": True, "wtimeout": 20_000}
    assert client.read_concern.level == "majority"
    pool = client.options.pool_options
    assert (pool.socket_timeout, pool.connect_timeout, pool.wait_queue_timeout) == (7.0, 5.0, 30.0)
    assert client.options.server_selection_timeout == 10.0
    assert client.read_preference.name == "SecondaryPreferred"
    assert pool._ssl_context is not None
    await client.close()


async def test_a_time_limit_for_whole_calls_stands_alone() -> None:
    client = client_of(parse("mongodb://db1/team?timeoutMS=2500"))
    assert client.options.timeout == 2.5
    assert client.options.pool_options.socket_timeout is None
    await client.close()
