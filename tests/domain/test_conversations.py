"""Roles and owners of messages."""

import pytest

from memcairn.domain.conversations import actor_of, kind_of_role
from memcairn.domain.events import MAX_ID_CHARS, EventKind


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("human", EventKind.USER_MESSAGE),
        ("User", EventKind.USER_MESSAGE),
        ("AI", EventKind.ASSISTANT_MESSAGE),
        (" assistant ", EventKind.ASSISTANT_MESSAGE),
        ("tool", EventKind.TOOL_RESULT),
        ("function", EventKind.TOOL_RESULT),
        ("system", EventKind.APP_EVENT),
        ("night porter", EventKind.APP_EVENT),
        ("", EventKind.APP_EVENT),
    ],
)
def test_a_role_says_what_kind_of_event_it_is(role: str, kind: EventKind) -> None:
    assert kind_of_role(role) is kind


def test_messages_belong_to_the_user_of_their_session() -> None:
    assert actor_of("s1", "ann") == "ann"


def test_a_session_without_a_user_has_an_actor_of_its_own() -> None:
    assert actor_of("s1", None) == "session:s1"
    assert actor_of("s1", None) != actor_of("s2", None)


def test_the_actor_of_a_long_session_id_fits_an_id_and_stays_its_own() -> None:
    one, other = actor_of("x" * MAX_ID_CHARS, None), actor_of("x" * (MAX_ID_CHARS - 1) + "y", None)

    assert max(len(one), len(other)) <= MAX_ID_CHARS
    assert one != other
