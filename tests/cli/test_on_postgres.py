"""What keeps a database well, on Postgres: the same commands, by its address alone."""

import pytest

from memcairn.store.migrate import known_revisions
from tests.postgres import PostgresServer

from .terminal import Cli

pytestmark = pytest.mark.postgres


def test_it_is_migrated_once_and_then_found_well(
    cli: Cli, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_server.empty())

    first, second = [cli("migrate", "--json").json() for _ in range(2)]

    assert (first["applied"], second["applied"]) == (known_revisions(), [])
    assert cli("orgs", "create", "club", "--json").json()["org_id"] == "club"
    assert cli("reindex", "--json").json()["mended"] == 0
    assert cli("purge", "--json").json()["counts"] == {}
    for words in (["doctor"], ["doctor", "--deep"]):
        found = cli(*words, "--json").json()
        [database] = [check for check in found["checks"] if check["name"] == "database"]
        assert (found["ok"], database["state"]) == (True, "ok")
        assert "PostgreSQL" in database["says"]


def test_a_server_that_may_lose_what_it_acknowledged_is_named(
    cli: Cli, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_server.migrated())

    found = cli("doctor", "--json").json()

    # The server of the tests is set up so: it ends with the machine they run on.
    [durability] = [check for check in found["checks"] if check["name"] == "durability"]
    assert durability["state"] == "note"
    for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
        assert setting in durability["says"]
