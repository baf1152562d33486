"""The released `memsy` clients, unmodified, against real servers: what they send is taken, what they get they can read.

The scenarios run on SQLite once per version and on Postgres with the newer one, in an environment that holds the client
and nothing of ours; each test reads what one of them saw, in both colours of the client.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from memcairn.api.memsy import errors
from memcairn.api.memsy.errors import RefusalError
from memcairn.domain.errors import LimitReached, QuotaReached
from tests.faults.server_process import KEY, ServerProcess
from tests.postgres import postgres_url
from tests.vendor.environments import NotInstallableError, python_with
from tests.vendor.forced_answers import ForcedAnswers

OLD, NEW = "memsy==0.3.0", "memsy==0.3.5"
RUN_SECONDS = 400
REPOSITORY = Path(__file__).parents[2]
OTHER_ORG = "another"
KEYS_PER_ORG = 5

Facts = Mapping[str, Any]

NOT_FOUND = {"error": "MemsyAPIError", "status": 404}
INVALID = {"error": "MemsyAPIError", "status": 422, "code": "validation_error"}
UNAUTHENTICATED = {"error": "AuthenticationError", "status": 401}
ADMIN_REQUIRED = {"error": "AuthorizationError", "status": 403, "code": "admin_required"}
OTHER_ORGS = {"error": "MemsyAPIError", "status": 404, "code": "org_not_found"}
UNLISTENED = {"error": "MemsyAPIError", "status": 429, "code": None}
"""What the data client of 0.3.5 makes of every 429 once it has tried often enough."""

pytestmark = pytest.mark.slow


def without_sleep(error: LimitReached) -> Response:
    """A 429 whose client need not wait, so that a test need not either."""
    answer = errors.answer(error)
    answer.headers["Retry-After"] = "0"
    return answer


FORCED: Mapping[str, Response] = {
    "org_id_not_allowed": errors.answer(RefusalError(400, "org_id_not_allowed", "Leave it out.")),
    "feature_not_available": errors.answer(
        RefusalError(403, "feature_not_available", "Not here.", feature="f", current_tier="t", upgrade_url="u")
    ),
    "seat_required": errors.answer(RefusalError(403, "seat_required", "Assign a seat first.")),
    "org_limit_reached": errors.answer(RefusalError(403, "org_limit_reached", "No more.", limit=3, current=3)),
    "key_limit_reached": errors.answer(RefusalError(403, "key_limit_reached", "No more.", limit=5, current=5)),
    "billing_not_enabled": errors.answer(RefusalError(403, "billing_not_enabled", "Off.", interest_path="/i")),
    "wrong_scope": errors.answer(RefusalError(403, "wrong_scope", "Lacks it.", required_scope="write")),
    "seat_limit_reached": errors.answer(
        RefusalError(409, "seat_limit_reached", "No seat.", purchased_seats=2, assigned_seats=1, pending_invites=1)
    ),
    "usage_limit_exceeded": without_sleep(QuotaReached("Used up.", dimension="api_calls", used=7, limit=7)),
    "rate_limited": without_sleep(LimitReached("Too fast.", retry_after_seconds=1, code="rate_limited")),
    "not_implemented": errors.answer(RefusalError(501, "not_implemented", "Not yet.")),
}
TYPED: Mapping[str, Facts] = {
    "org_id_not_allowed": {"error": "OrgIdNotAllowedError", "status": 400},
    "feature_not_available": {
        "error": "FeatureNotAvailable",
        "status": 403,
        "feature": "f",
        "current_tier": "t",
        "upgrade_url": "u",
    },
    "seat_required": {"error": "SeatRequiredError", "status": 403},
    "org_limit_reached": {"error": "OrgLimitReachedError", "status": 403, "limit": 3, "current": 3},
    "key_limit_reached": {"error": "KeyLimitReachedError", "status": 403, "limit": 5, "current": 5},
    "billing_not_enabled": {"error": "BillingNotEnabledError", "status": 403, "interest_path": "/i"},
    "wrong_scope": {"error": "AuthorizationError", "status": 403, "required_scope": "write"},
    "seat_limit_reached": {
        "error": "SeatLimitReachedError",
        "status": 409,
        "purchased_seats": 2,
        "assigned_seats": 1,
        "pending_invites": 1,
    },
    "usage_limit_exceeded": {
        "error": "UsageLimitExceeded",
        "status": 429,
        "dimension": "api_calls",
        "current": 7,
        "limit": 7,
    },
    "rate_limited": {"error": "RateLimitExceeded", "status": 429, "retry_after": 0.0},
    "not_implemented": {"error": "MemsyAPIError", "status": 501},
}
"""What the clients make of each."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "report" in metafunc.fixturenames:
        runs = [
            pytest.param("sqlite", OLD),
            pytest.param("sqlite", NEW),
            pytest.param("postgres", NEW, marks=pytest.mark.postgres),
        ]
        metafunc.parametrize(("kind", "version"), runs, indirect=True, scope="module")


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """On what the servers keep their data."""
    return str(request.param)


@pytest.fixture(scope="module")
def forced() -> Iterator[ForcedAnswers]:
    """What gives the refusals of FORCED, and counts how often each was asked for."""
    answers = ForcedAnswers(FORCED)
    answers.start()
    yield answers
    answers.stop()


@pytest.fixture(scope="module")
def places(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, forced: ForcedAnswers, kind: str
) -> Iterator[dict[str, str]]:
    """Addresses and keys the scenarios need: a server of two orgs, and others for what is better not done to it."""
    with ExitStack() as stack:

        def serve(name: str, **settings: str) -> str:
            server = ServerProcess(
                tmp_path_factory.mktemp(f"memsy-{name}"),
                {f"MEMCAIRN_{key.upper()}": value for key, value in settings.items()},
                postgres_url=postgres_url(request, kind),
            )
            server.start()
            stack.callback(server.stop)
            if name == "open":
                found["other_key"] = _make_org(server.database_url)
            return f"{server.url}/memsy"

        found = {"key": KEY, "org": "default", "other_org": OTHER_ORG, "closed": f"http://127.0.0.1:{_closed_port()}"}
        found |= {"forced": forced.url, "forced_codes": " ".join(FORCED)}
        found["url"] = serve("open", keys_per_org=str(KEYS_PER_ORG))
        found["spent"] = serve("spent", quota_api_calls="0")
        found["hasty"] = serve("hasty", rate_limit_per_minute="1")
        found["free"] = serve("free", memsy_plan="free")
        yield found


def _make_org(database_url: str) -> str:
    """Another org on the database of a running server; returns its key."""
    command = [sys.executable, "-m", "memcairn", "orgs", "create", OTHER_ORG, "--json"]
    environ = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environ)
    return str(json.loads(done.stdout)["api_key"])


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def report(places: dict[str, str], forced: ForcedAnswers, version: str) -> Mapping[str, Any]:
    """What every scenario saw with one version of the client."""
    try:
        python = python_with(version)
    except NotInstallableError as error:
        pytest.skip(f"{version} cannot be installed here: {error}")
    forced.asked.clear()
    done = subprocess.run(
        [str(python), "-m", "tests.vendor.memsy.run", json.dumps(places)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: Mapping[str, Any] = json.loads(done.stdout)
    return {**seen, "asked": dict(forced.asked)}


@pytest.fixture(params=["plain", "awaited"])
def facts(request: pytest.FixtureRequest, report: Mapping[str, Any]) -> "Seen":
    return Seen(report[str(request.param)])


class Seen:
    """What one colour saw; asking for a scenario that crashed fails with its traceback."""

    def __init__(self, seen: Mapping[str, Any]) -> None:
        self._seen = seen

    def of(self, scenario: str) -> Facts:
        found: Facts = self._seen[scenario]
        assert "crashed" not in found, found["crashed"]
        return found

    def of_new(self, scenario: str, version: str) -> Facts | None:
        """The same of a scenario the old version does not know; there it saw that it does not."""
        found = self.of(scenario)
        assert found.get("unknown", False) == (version == OLD)
        return None if version == OLD else found


def refused_as(seen: Facts | None, expected: Facts) -> bool:
    return seen is not None and expected.items() <= seen.items()


def test_every_method_of_the_clients_was_called(report: Mapping[str, Any]) -> None:
    assert report["never_called"] == []


def test_both_colours_get_equal_answers(report: Mapping[str, Any]) -> None:
    assert [question for question, same in report["equal"].items() if not same] == []


def test_a_server_says_how_it_is_and_refuses_a_wrong_key_even_then(facts: Seen) -> None:
    seen = facts.of("health")

    assert seen["data"] == ["ok", True, False, ["ok"]]
    assert seen["control_is_data"]
    assert seen["without_v1"] == "ok"
    assert refused_as(seen["wrong_key"], UNAUTHENTICATED)
    assert seen["nobody_there"] == {"error": "MemsyConnectionError"}


def test_usage_and_rate_are_told_with_every_answer(facts: Seen) -> None:
    assert facts.of("health")["seen"] == [True, True]
    assert facts.of("ingest")["usage"] == [True, True]
    assert facts.of("ingest")["rate_limit"] == [True, True]
    assert facts.of("search")["counted"] == [True, True]


def test_a_batch_keeps_its_order_and_what_repeats_its_id(facts: Seen) -> None:
    seen = facts.of("ingest")

    assert seen["ids"] == [25, 25]
    assert seen["order"]
    assert seen["repeated"]
    assert seen["fresh"]
    assert seen["empty"] == []


def test_the_status_speaks_of_every_id_sent(facts: Seen) -> None:
    seen = facts.of("ingest")

    assert seen["status"] == [25, True, []]
    assert seen["statuses"] == ["completed"]
    assert seen["mixed"] == [27, 26, ["01J0000000000000000000000X"]]


def test_one_broken_event_refuses_its_batch(facts: Seen) -> None:
    seen = facts.of("refused_events")

    assert [name for name, refusal in seen["refused"].items() if not refused_as(refusal, INVALID)] == []
    assert seen["stored"] == 0
    assert refused_as(seen["too_many_ids"], INVALID)


def test_metadata_makes_the_round_trip(facts: Seen) -> None:
    seen = facts.of("metadata")

    assert seen["object"]
    assert seen["raw"]
    assert seen["in_events"] == [{"plan": "pro", "n": {"a": [1]}}, {"raw": "from the phone"}]
    assert seen["source_ids"]
    assert seen["source_event"] == [["user_message", "I moved to Lisbon.", True]]
    assert seen["not_asked_for"] == []
    assert seen["speaker"]


def test_search_finds_what_was_said_in_the_right_measure(facts: Seen) -> None:
    seen = facts.of("search")

    assert seen["best"]
    assert seen["good_enough_for_the_old_threshold"]
    assert seen["within_bounds"]
    assert seen["descending"]
    assert seen["limit"] == 1
    assert seen["fields"] == ["semantic", "fact", None, True, True]
    assert "Lisbon" in seen["entities"]
    assert seen["observed"]
    assert seen["tags"]
    assert seen["anything"] is None
    assert all(refused_as(seen[name], INVALID) for name in ("blank", "no_limit", "beyond_limit"))


def test_an_actor_is_searched_alone_and_without_one_all_are(facts: Seen) -> None:
    seen = facts.of("search")

    assert seen["own"]
    assert seen["everyones"]


def test_sessions_are_searched_or_left_out(facts: Seen, version: str) -> None:
    seen = facts.of_new("sessions", version)

    if seen is not None:
        assert seen["one"]
        assert seen["not_one"]
        assert seen["empty_is_unset"]
        assert seen["stored_all_the_same"] == 1
        assert refused_as(seen["both"], INVALID)
        assert all(refused_as(refusal, INVALID) for refusal in seen["not_searchable"])


def test_what_several_people_know_rises_and_names_none_of_them(facts: Seen) -> None:
    seen = facts.of("promotion")

    assert seen["levels"] == ["role", "team"]
    assert seen["nobodys"]
    assert seen["private_stays"]


def test_what_has_risen_is_found_by_role_and_team_whatever_the_session(facts: Seen, version: str) -> None:
    seen = facts.of("promotion")

    if version == NEW:
        assert seen["for_role"] == ["role"]
        assert seen["for_team"] == ["team"]
        assert seen["for_neither"] == []
        assert seen["in_a_session"] == ["role"]
        assert seen["outside_a_session"] == ["team"]


def test_being_found_makes_a_memory_stronger(facts: Seen) -> None:
    assert facts.of("strength") == {
        "before": [1.0, 0, None],
        "rises": True,
        "recalled": [1, True],
        "pinned": False,
        "half_life": 30.0,
    }


def test_memories_are_browsed(facts: Seen) -> None:
    seen = facts.of("console")

    assert seen["total"]
    assert seen["paged"]
    assert seen["got"]
    assert seen["kinds"]
    assert seen["sorted"]
    assert seen["filtered"] == ["semantic"]
    assert seen["superseded"] == ["superseded"]
    assert all(seen["stats"])
    assert refused_as(seen["unknown"], NOT_FOUND)
    assert all(refused_as(seen[name], INVALID) for name in ("unknown_sort", "no_uuid"))


def test_actors_are_those_with_memories_whatever_their_ids(facts: Seen, version: str) -> None:
    seen = facts.of_new("actors", version)

    if seen is not None:
        assert seen["got"] == [True, True, ["actor"]]
        assert seen["times"]
        assert seen["listed"] == [True, 1, False]
        assert seen["page"] == [1, 1, 1, True]
        assert seen["own_org"] == 1
        assert refused_as(seen["other_org"], OTHER_ORGS)
        assert refused_as(seen["silent"], NOT_FOUND)
        assert refused_as(seen["too_many"], INVALID)


def test_a_conversation_is_cleared_by_the_version_that_can(facts: Seen, version: str) -> None:
    seen = facts.of("clearing")

    if version == NEW:
        assert seen == {"unknown": True}
    else:
        assert (seen["deleted"], seen["left"]) == (2, [])
        assert refused_as(seen["again"], NOT_FOUND)


def test_two_orgs_see_nothing_of_each_other(facts: Seen) -> None:
    seen = facts.of("isolation")

    assert seen["mine"]
    assert [seen[name] for name in ("search", "memories", "events")] == [0, 0, 0]
    assert refused_as(seen["memory"], NOT_FOUND)
    assert seen["status"]
    assert seen["me"]


def test_the_org_is_described_changed_and_forgotten(facts: Seen) -> None:
    seen = facts.of("org")

    assert seen["before"] == seen["after"] == []
    assert seen["made"] == [True, "Harbour", "ships", True, {"source": "template"}]
    assert seen["times"]
    assert seen["manual"] == ["Only ships.", "Port", {"source": "manual"}]
    assert seen["listed"]
    assert seen["regenerated"] == [True, {"source": "template"}]
    assert seen["deleted"] is None
    assert refused_as(seen["again"], {"error": "MemsyAPIError", "status": 409})
    assert refused_as(seen["foreign"], OTHER_ORGS)
    assert refused_as(seen["gone"], NOT_FOUND)


@pytest.mark.parametrize("nouns", ["roles", "teams"])
def test_roles_and_teams_are_described_changed_and_forgotten(facts: Seen, nouns: str) -> None:
    seen = facts.of(nouns)

    assert seen["made"] == [True, True, "night shifts", True, {"source": "template"}]
    assert seen["manual"] == ["Only nights.", "Only nights.", "the ward"]
    assert seen["regenerated"] == [True, {"source": "template"}]
    assert seen["listed"]
    assert seen["paged"] == 1
    assert seen["unchanged"]
    assert seen["got"]
    assert seen["read_by_others"]
    assert seen["deleted"] is None
    assert refused_as(seen["foreign_org"], OTHER_ORGS)
    assert refused_as(seen["changed_by_others"], ADMIN_REQUIRED)
    assert refused_as(seen["gone"], NOT_FOUND)


def test_a_key_works_from_its_making_to_its_end(facts: Seen) -> None:
    seen = facts.of("keys")

    assert seen["made"] == [True, ["read", "write"], True]
    assert seen["listed"] == [True, ["read", "write"], None]
    assert seen["last_used"]
    assert seen["usage"] == {"api_calls": 1, "search_queries": 1}
    assert refused_as(seen["revoked"], UNAUTHENTICATED)
    assert refused_as(seen["revoked_twice"], NOT_FOUND)
    before, after = seen["expired"]
    assert before is None
    assert refused_as(after, UNAUTHENTICATED)


def test_a_key_does_what_its_scopes_allow(facts: Seen) -> None:
    seen = facts.of("rights")

    wrong = {"error": "AuthorizationError", "status": 403, "code": "wrong_scope"}
    assert refused_as(seen["reader_writes"], wrong | {"required_scope": "write"})
    assert refused_as(seen["writer_reads"], wrong | {"required_scope": "read"})
    assert all(refused_as(refusal, ADMIN_REQUIRED) for refusal in seen["hand_administers"])
    assert seen["hand_is"] == ["org:member", 1]


def test_an_org_has_no_more_keys_than_it_may(facts: Seen) -> None:
    assert facts.of("rights")["one_too_many"] == {
        "error": "KeyLimitReachedError",
        "status": 403,
        "code": "key_limit_reached",
        "limit": KEYS_PER_ORG,
        "current": KEYS_PER_ORG,
        "max_keys": KEYS_PER_ORG,
    }


def test_usage_is_summed_and_told_by_day_and_hour(facts: Seen) -> None:
    seen = facts.of("account")

    assert seen["me"] == [True, "self-hosted", False, True, "org:admin"]
    assert seen["counted"] == [1, 2]
    assert seen["dimensions"] == ["api_calls", "events_ingested", "llm_tokens", "memories_stored", "search_queries"]
    assert seen["period"] == [True, "self-hosted", True]
    assert seen["today"] == [[True, "search_queries", True]]
    assert seen["hourly"] == ["hourly", True]
    assert refused_as(seen["unknown_dimension"], INVALID)


def test_billing_is_off_and_interest_is_recorded(facts: Seen) -> None:
    seen = facts.of("account")

    assert refused_as(seen["billing"], {"error": "BillingNotEnabledError", "interest_path": "/interest/pro"})
    assert seen["invoices"] == []
    assert seen["interest"] == [True, True]


def test_events_are_browsed(facts: Seen) -> None:
    *shown, refused = facts.of("account")["events"]

    assert shown == [[2, 1, 0], True, True, True]
    assert refused_as(refused, INVALID)


def test_nothing_is_connected_and_nothing_can_be(facts: Seen, version: str) -> None:
    seen = facts.of_new("connectors", version)

    if seen is not None:
        assert (seen["providers"], seen["status"], seen["listed"]) == ([], [False, None], [])
        assert [seen[name]["status"] for name in ("slack", "s3")] == [400, 400]
        assert refused_as(seen["bucket"], {"error": "FeatureNotAvailable", "feature": "connectors"})
        assert refused_as(seen["no_bucket"], INVALID)
        assert all(refused_as(refusal, NOT_FOUND) for refusal in seen["unknown_connector"])


def test_limits_are_told_as_what_they_are(facts: Seen, version: str) -> None:
    seen = facts.of("limits")

    quota = {"error": "UsageLimitExceeded", "status": 429, "code": "usage_limit_exceeded"}
    quota |= {"dimension": "api_calls", "current": 0, "limit": 0}
    assert seen["quota"] == quota
    assert seen["quota_of_data"] == (UNLISTENED if version == NEW else quota)
    assert refused_as(seen["rate"], {"error": "RateLimitExceeded", "status": 429, "code": "rate_limited"})
    assert 0 < seen["rate"]["retry_after"] <= 60


def test_the_free_plan_takes_no_org_id(facts: Seen) -> None:
    seen = facts.of("limits")

    assert refused_as(seen["org_id"], {"error": "OrgIdNotAllowedError", "status": 400, "code": "org_id_not_allowed"})
    assert seen["plan"] == "free"


@pytest.mark.parametrize("code", FORCED)
def test_every_class_of_error_is_reached_with_all_it_carries(facts: Seen, version: str, code: str) -> None:
    by_data, by_control = facts.of("forced")[code]

    expected = {"code": code, **TYPED[code]}
    assert by_control == expected
    assert by_data == (UNLISTENED if version == NEW and expected["status"] == 429 else expected)


@pytest.mark.parametrize("code", FORCED)
def test_only_limits_are_asked_again_and_then_four_times_in_all(report: Mapping[str, Any], code: str) -> None:
    clients = 4  # data and control, in both colours

    assert report["asked"][code] == clients * (4 if TYPED[code]["status"] == 429 else 1)
