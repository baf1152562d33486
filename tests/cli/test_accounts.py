"""`memcairn orgs` and `memcairn keys` on a real database."""

from datetime import UTC, datetime, timedelta

import pytest

from memcairn.cli.accounts import expiry
from memcairn.domain.errors import Invalid
from memcairn.domain.keys import key_id_of

from .terminal import Cli

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_new_org_comes_with_a_key_that_is_listed_afterwards(cli: Cli) -> None:
    made = cli("orgs", "create", "acme", "--name", "Acme & Co", "--json").json()

    assert set(made) == {"org_id", "api_key"}
    assert made["org_id"] == "acme"
    (key,) = cli("keys", "list", "--json").json()["keys"]
    assert key["key_id"] == key_id_of(made["api_key"])
    assert (key["org_id"], key["scopes"], key["state"]) == ("acme", ["admin", "read", "write"], "active")
    assert made["api_key"] not in cli("keys", "list").out
    assert "Acme & Co" in cli("orgs", "list").out


def test_an_org_id_can_be_taken_once(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    again = cli("orgs", "create", "acme")

    assert again.exit_code == 3
    assert again.err.startswith("memcairn: The org 'acme' exists already.")


def test_without_json_people_read_the_key_once(cli: Cli) -> None:
    answer = cli("orgs", "create", "acme")

    assert "shown this once" in answer.out
    assert "mc_" in answer.out


def test_an_empty_database_says_how_to_begin(cli: Cli) -> None:
    assert "orgs create" in cli("orgs", "list").out
    assert "keys create" in cli("keys", "list").out
    assert cli("orgs", "list", "--json").json() == {"orgs": []}


def test_a_key_has_the_scopes_and_the_end_it_was_given(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    made = cli("keys", "create", "--org", "acme", "--scope", "read", "--expires", "2100-01-31", "--json").json()

    assert made["scopes"] == ["read"]
    assert made["expires_at"] == "2100-01-31T00:00:00+00:00"


def test_a_key_without_options_may_read_and_write_for_ever(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    made = cli("keys", "create", "--org", "acme", "--json").json()

    assert (made["scopes"], made["expires_at"]) == (["read", "write"], None)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["--org", "nowhere"], 3, "There is no org 'nowhere'."),
        (["--org", "acme", "--scope", "everything"], 2, "There is no scope 'everything'. Use read, write, admin."),
        (["--org", "acme", "--expires", "soon"], 2, "The expiry 'soon' cannot be read."),
        (["--org", "acme", "--expires", "2001-01-01"], 2, "lies in the past"),
    ],
)
def test_a_key_that_cannot_be_is_refused(cli: Cli, arguments: list[str], exit_code: int, says: str) -> None:
    cli("orgs", "create", "acme")

    answer = cli("keys", "create", *arguments)

    assert answer.exit_code == exit_code
    assert says in answer.err


def test_a_revoked_key_is_listed_as_such_and_cannot_be_revoked_twice(cli: Cli) -> None:
    cli("orgs", "create", "acme")
    key_id = cli("keys", "create", "--org", "acme", "--json").json()["key_id"]

    first, second = cli("keys", "revoke", key_id, "--json"), cli("keys", "revoke", key_id)

    assert first.json() == {"org_id": "acme", "key_id": key_id, "state": "revoked"}
    assert second.exit_code == 3
    states = {key["key_id"]: key["state"] for key in cli("keys", "list", "--org", "acme", "--json").json()["keys"]}
    assert states[key_id] == "revoked"


def test_revoking_an_unknown_key_says_where_ids_are(cli: Cli) -> None:
    answer = cli("keys", "revoke", "nothing")

    assert answer.exit_code == 3
    assert "`memcairn keys list`" in answer.err


def test_each_data_folder_is_a_server_of_its_own(cli: Cli) -> None:
    cli("orgs", "create", "acme", "--data-dir", "one")

    assert cli("orgs", "list", "--data-dir", "two", "--json").json() == {"orgs": []}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", NOW + timedelta(hours=12)),
        ("30d", NOW + timedelta(days=30)),
        ("2w", NOW + timedelta(days=14)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T10:00:00+02:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_span_or_a_date(text: str, moment: datetime) -> None:
    assert expiry(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "30 days", "31.01.2027"])
def test_any_other_expiry_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        expiry(text, NOW)
