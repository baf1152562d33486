"""`memcairn orgs quotas`."""

import pytest

from .terminal import Cli


def test_an_org_has_no_quotas_until_it_is_given_some(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    assert cli("orgs", "quotas", "acme", "--json").json() == {"org_id": "acme", "quotas": {}}
    assert "no quotas of its own" in cli("orgs", "quotas", "acme").out


def test_quotas_are_set_one_by_one_and_forgotten_together(cli: Cli) -> None:
    cli("orgs", "create", "acme")

    cli("orgs", "quotas", "acme", "--set", "api_calls=1000", "--set", "search_queries=0")
    more = cli("orgs", "quotas", "acme", "--set", "api_calls=2000", "--json").json()
    less = cli("orgs", "quotas", "acme", "--clear", "--set", "llm_tokens=5", "--json").json()

    assert more["quotas"] == {"api_calls": 2000, "search_queries": 0}
    assert less["quotas"] == {"llm_tokens": 5}
    assert "llm_tokens" in cli("orgs", "quotas", "acme").out


@pytest.mark.parametrize("quota", ["calls=5", "api_calls", "api_calls=", "api_calls=-1", "api_calls=many"])
def test_a_quota_that_cannot_be_read_is_refused_and_changes_nothing(cli: Cli, quota: str) -> None:
    cli("orgs", "create", "acme")

    refused = cli("orgs", "quotas", "acme", "--set", "api_calls=1", "--set", quota)

    assert refused.exit_code == 2
    assert "DIMENSION=NUMBER" in refused.err
    assert cli("orgs", "quotas", "acme", "--json").json()["quotas"] == {}


def test_an_org_that_is_not_there_has_none(cli: Cli) -> None:
    refused = cli("orgs", "quotas", "nobody")

    assert refused.exit_code == 3
    assert "There is no org 'nobody'" in refused.err
