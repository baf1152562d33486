"""The released `zep-python` 1.5.0, unmodified, against a real server: what it sends is taken, what it gets it can read.

The scenarios run once on each database, in an environment that holds the client and nothing of ours; each test reads
what one of them saw, in both colours of the client.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.build import ON_BOTH
from tests.faults.server_process import KEY, ServerProcess
from tests.postgres import postgres_url
from tests.vendor.environments import NotInstallableError, python_with
from tests.vendor.zep.talk import TALK

REQUIREMENT = "zep-python==1.5.0"
RUN_SECONDS = 300
REPOSITORY = Path(__file__).parents[2]

NOT_FOUND = {"error": "NotFoundError"}
BAD_REQUEST = {"error": "APIError", "status": 400}
UNAUTHORISED = {"error": "AuthError", "status": 401}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=ON_BOTH)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What every scenario saw."""
    try:
        python = python_with(REQUIREMENT)
    except NotInstallableError as error:
        pytest.skip(f"{REQUIREMENT} cannot be installed here: {error}")
    server = ServerProcess(tmp_path_factory.mktemp("vendor-zep"), postgres_url=postgres_url(request, request.param))
    try:
        server.start()
        done = subprocess.run(
            [str(python), "-m", "tests.vendor.zep.run", server.url, KEY],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    seen: Mapping[str, Any] = json.loads(done.stdout)
    return seen


class Facts:
    """What one colour saw; asking for a scenario that crashed fails with its traceback."""

    def __init__(self, seen: Mapping[str, Any]) -> None:
        self._seen = seen

    def of(self, scenario: str) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self._seen[scenario]
        assert "crashed" not in facts, facts["crashed"]
        return facts


@pytest.fixture(params=["plain", "awaited"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def facts(report: Mapping[str, Any], colour: str) -> Facts:
    return Facts(report[colour])


def test_the_client_connects_without_a_warning_and_only_where_the_door_is(facts: Facts) -> None:
    seen = facts.of("connecting")

    assert seen["warnings"] == []
    assert seen["no_zep_there"] == "APIError"


def test_without_a_valid_key_every_call_is_refused(facts: Facts) -> None:
    seen = facts.of("connecting")

    assert seen["no_key"] == UNAUTHORISED
    assert seen["wrong_key"] == UNAUTHORISED


def test_every_method_of_the_client_was_called(report: Mapping[str, Any]) -> None:
    assert report["never_called"] == []


def test_a_session_is_made_read_and_merged(facts: Facts) -> None:
    seen = facts.of("sessions")

    first = {"trip": {"to": "Lisbon"}, "days": 0, "system": {"source": "import"}}
    assert seen["created"]["metadata"] == first
    assert seen["created"]["user_id"] is None
    assert seen["has_uuid_id_and_times"]
    assert seen["updated"] == first | {"trip": {"to": "Lisbon", "by": "train"}, "hotel": None}
    assert seen["got_is_updated"]


def test_a_session_that_cannot_be_made_is_refused_and_leaves_nothing(facts: Facts) -> None:
    seen = facts.of("sessions")

    assert seen["again"] == BAD_REQUEST
    assert seen["unknown_user"] == BAD_REQUEST
    assert seen["left_behind"] == NOT_FOUND
    assert seen["unknown"] == NOT_FOUND


def test_sessions_are_listed_by_number_and_no_page_skips_one(facts: Facts) -> None:
    seen = facts.of("lists_of_sessions")

    assert seen == {
        "ascending": True,
        "after_cursor": [True],
        "all_at_once": True,
        "generator_skips_none": True,
        "named_again": True,
    }


def test_memory_is_the_newest_window_oldest_first(facts: Facts) -> None:
    seen = facts.of("memory")

    assert seen["answer"] == "OK"
    assert seen["made_session"]
    assert seen["before_summary"] == [list(line) for line in TALK[:11]]
    assert seen["no_summary_yet"]
    assert seen["last_three"] == [content for _, content in TALK[8:11]]
    assert seen["unknown"] == NOT_FOUND


def test_twelve_messages_become_a_summary_and_the_newest_six(facts: Facts) -> None:
    seen = facts.of("memory")

    assert seen["after_summary"] == [content for _, content in TALK[6:]]
    assert seen["summary_has_words"]
    assert seen["summary_reaches"]
    assert seen["summary_tokens"]
    assert seen["every_message"] == 12
    assert seen["tokens_counted"]


def test_a_message_sent_again_under_its_uuid_takes_its_own_place(facts: Facts) -> None:
    seen = facts.of("upserts")

    assert seen["contents"] == ["See you Friday.", "Same.", "Same."]
    assert seen["role"] == "user"
    assert seen["uuid_kept"]
    assert seen["metadata"] == {"seen": {"by": "ann", "at": 9}}
    assert seen["system_untouched"]
    assert seen["elsewhere"] == BAD_REQUEST
    assert seen["no_uuid"] == BAD_REQUEST


def test_a_deleted_session_is_gone_from_every_call(facts: Facts) -> None:
    seen = facts.of("deletion")

    assert seen["answer"] == "OK"
    assert [seen[call] for call in ("get", "memory", "twice", "message")] == [NOT_FOUND] * 4
    assert seen["listed"] is False
    assert seen["found"] == []
    assert seen["add_again"] == BAD_REQUEST


def test_a_revived_session_has_only_what_was_said_since_and_survives_the_purge(facts: Facts) -> None:
    seen = facts.of("deletion")

    assert seen["purge"] == 200
    assert seen["revived"] == ["A fresh start."]
    assert seen["session_after_purge"] == {"kept": True}
    assert seen["found_after"] == ["A fresh start."]


def test_after_the_purge_the_id_of_a_deleted_session_is_free(facts: Facts) -> None:
    assert facts.of("purging") == {"purge": 200, "metadata": {"new": True}, "messages": []}


def test_messages_come_in_numbered_pages(facts: Facts) -> None:
    seen = facts.of("messages")

    contents = [content for _, content in TALK[:5]]
    assert seen["pages"] == [contents[:2], contents[2:4], contents[4:], []]
    assert seen["default_page"] == 5
    assert seen["of_unknown_session"] == []
    assert seen["got"]
    assert [seen[call] for call in ("unknown", "update_unknown")] == [NOT_FOUND] * 2
    assert seen["no_uuid"] == BAD_REQUEST


def test_only_the_metadata_of_a_message_can_be_updated(facts: Facts) -> None:
    seen = facts.of("messages")

    assert seen["updated"] == {"n": {"a": 1, "b": None}}
    assert seen["bare"] == {"n": {"a": 1, "b": None}, "mood": "calm"}
    assert seen["words_kept"]


def test_search_finds_the_likeliest_message_first(facts: Facts) -> None:
    seen = facts.of("search")

    assert seen["best"] == "The train to Lisbon leaves at nine."
    assert seen["descending"]
    assert seen["within_bounds"]
    assert seen["limit"] == 2
    assert seen["empty"] == BAD_REQUEST
    assert seen["of_unknown_session"] == []


def test_search_for_variety_takes_one_of_two_that_say_the_same(facts: Facts) -> None:
    first, second = facts.of("search")["mmr"]

    assert first in (1, 2)
    assert second in (3, 4)


def test_search_filters_by_metadata_and_time(facts: Facts) -> None:
    seen = facts.of("search")

    assert seen["metadata_only"] == [4, 3]
    assert seen["and"] == [1]
    assert seen["or"] == [2, 1]
    assert seen["stored_system"] == [4]
    assert seen["text_and_filter"] in ([1], [2])
    assert seen["long_ago"] == []
    assert seen["since_long_ago"] == [1, 2, 3, 4]
    assert seen["bad_path"] == BAD_REQUEST


def test_summaries_are_searched_on_their_own(facts: Facts) -> None:
    assert facts.of("summaries") == {"found": 1, "only_summaries": True}


def test_users_are_made_read_merged_and_erased(facts: Facts) -> None:
    seen = facts.of("users")

    assert seen["created"] == {"email": "kim@example.org", "first_name": "Kim", "last_name": "Ito"}
    assert seen["has_uuid_id_and_times"]
    assert seen["updated"] == ["Kimi", "Ito", "kim@example.org"]
    assert seen["metadata"] == {"plan": {"name": "free", "seats": 3}, "left": None, "system": {"tier": "gold"}}
    assert seen["got_is_updated"]
    assert [seen[call] for call in ("again", "empty_id")] == [BAD_REQUEST] * 2
    assert [seen[call] for call in ("unknown", "update_unknown", "delete_unknown", "gone", "gone_twice")] == [
        NOT_FOUND
    ] * 5
    assert seen["sessions_of_unknown"] == []
    assert seen["anew"] == [None, None]


def test_users_are_listed_by_number_and_no_chunk_skips_one(facts: Facts) -> None:
    assert facts.of("lists_of_users") == {"without_limit": True, "after_cursor": [True], "chunks_skip_none": True}


def test_erasing_a_user_takes_the_whole_conversation_and_frees_the_ids(facts: Facts) -> None:
    assert facts.of("users_sessions") == {
        "had": True,
        "session": NOT_FOUND,
        "sessions_after": [],
        "session_id_is_free": True,
        "nothing_came_back": [],
        "user_id_is_free": True,
    }


def test_collections_are_made_replaced_listed_and_deleted(facts: Facts, colour: str) -> None:
    seen = facts.of("collections")

    assert seen["name"]
    assert seen["created"] == ["Recipes", {"lang": "en"}, 384, True]
    assert seen["counts"] == [0, 0, "pending"]
    assert seen["updated"] == ["More", {"by": "kim"}, 384]
    assert seen["manual"] == [False, 8]
    assert seen["auto_flag_unchanged"] is False
    assert seen["listed"]
    assert seen["again"] == BAD_REQUEST
    assert [seen[call] for call in ("gone", "gone_twice", "unknown")] == [NOT_FOUND] * 3
    assert ("index" in seen) == (colour == "plain")


def test_documents_without_vectors_are_embedded_by_the_server(facts: Facts) -> None:
    seen = facts.of("auto_embedded")

    assert seen["uuids"] == 3
    assert seen["counts"] == [3, 3, 1536]
    soup = ["soup", "A soup of leek and potato, cooked slowly.", {"course": "first", "minutes": 40}, True]
    assert seen["document"] == soup
    assert seen["has_times"]
    assert seen["several"] == ["tart", "soup"]
    assert [seen[call] for call in ("own_vector_refused", "taken_document_id", "bad_uuid")] == [BAD_REQUEST] * 3


def test_documents_are_found_by_text_and_by_a_vector_that_came_back(facts: Facts) -> None:
    seen = facts.of("auto_embedded")

    assert seen["found"] == ["soup"]
    assert seen["as_many_as_asked"] == 2
    assert seen["scores"]
    assert seen["scores_within_bounds"]
    assert seen["vector_is_as_wide_as_documents"]
    assert seen["by_its_own_vector"] == [["soup", 1.0]]
    assert seen["mmr"] == 2


def test_documents_with_vectors_of_their_own_are_ready_at_once(facts: Facts) -> None:
    seen = facts.of("own_vectors")

    assert seen["status"] == "ready"
    assert seen["order"] == [["soup", 1.0], ["stew", 0.9], ["tart", 0.5]]
    assert seen["query_vector"]
    assert seen["kept_as_given"]
    assert [seen[call] for call in ("without_vector", "wrong_width")] == [BAD_REQUEST] * 2


def test_documents_are_filtered_by_metadata(facts: Facts) -> None:
    seen = facts.of("own_vectors")

    assert seen["filtered"] == [["stew", 0], ["tart", 0]]
    assert seen["no_vector"] is None
    assert seen["vector_and_filter"] == ["tart"]


def test_a_document_keeps_what_an_update_does_not_name(facts: Facts, colour: str) -> None:
    seen = facts.of("changes")

    assert seen["replaced"] == {"c": 2}
    assert seen["named"] == (None if colour == "awaited" else "x-1")


def test_a_deleted_document_is_gone_from_every_call(facts: Facts) -> None:
    seen = facts.of("changes")

    assert [seen[call] for call in ("gone", "gone_twice", "none_of_them")] == [NOT_FOUND] * 3
    assert seen["left"] == [True]
    assert seen["found"] == [True]
    assert seen["counted"] == 1


def test_an_unknown_collection_holds_nothing_and_takes_nothing(facts: Facts) -> None:
    seen = facts.of("changes")

    assert seen["search_of_unknown"] == [[], []]
    assert seen["add_to_unknown"] == NOT_FOUND


def test_chat_history_is_kept_read_and_cleared(facts: Facts) -> None:
    assert facts.of("chat_history") == {
        "before": [],
        "said": [["human", "What is a cairn?"], ["ai", ""], ["ai", "A pile of stones that marks a way."]],
        "cleared": [],
        "after": [["human", "Again."]],
    }


def test_the_older_calls_on_the_client_itself_work_as_well(facts: Facts) -> None:
    assert facts.of("calls_on_the_client") == {
        "session": True,
        "memory": ["Hello there"],
        "found": ["Hello there"],
        "deleted": "OK",
    }
