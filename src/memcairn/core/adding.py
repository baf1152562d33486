"""One transaction that adds messages to a session."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core.deletion import forget_summaries, hide_derived
from memcairn.core.deletion_plan import plan
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared
from memcairn.core.ingest import digest_of_words, work_for
from memcairn.domain.conversations import NewMessage, actor_of, kind_of_role
from memcairn.domain.errors import Conflict
from memcairn.domain.events import Event, EventStatus, trust_heard
from memcairn.domain.ids import new_id
from memcairn.domain.keys import Principal
from memcairn.domain.merge import merge
from memcairn.store import events, jobs, sessions, summaries, wiping


@dataclass(slots=True)
class Adding:
    """`prepared` foresees what rewriting messages puts into the index; `stored` counts the messages that are new."""

    connection: Connection
    deps: Deps
    principal: Principal
    session_id: str
    prepared: Mapping[str, Prepared]
    now: datetime
    reserved: Collection[str] = ()
    stored: int = 0

    @property
    def org_id(self) -> str:
        return self.principal.org_id

    def add(self, said: Sequence[NewMessage]) -> list[str]:
        known = {event.event_id: event for event in self._known(given_ids(said))}
        ids = [message.message_id or new_id() for message in said]
        # The last one of an id in a batch counts, at the place of the first.
        latest = dict(zip(ids, said, strict=True))
        fresh = [(message_id, message) for message_id, message in latest.items() if message_id not in known]
        opened = sessions.opened(self.connection, self.org_id, self.session_id, adding=len(fresh), now=self.now)
        actor_id = actor_of(self.session_id, opened.user_id)
        rows = [
            self._event(message, message_id=message_id, actor_id=actor_id, position=position)
            for position, (message_id, message) in enumerate(fresh, start=opened.position)
        ]
        events.add(self.connection, rows, [_digest(row) for row in rows])
        changed = [
            event
            for message_id, message in latest.items()
            if message_id in known and (event := self._rewrite(known[message_id], message)) is not None
        ]
        self._enqueue(rows, changed)
        self.stored = len(rows)
        return ids

    def _known(self, ids: Sequence[str]) -> list[Event]:
        if not ids:
            return []
        # Held still, so that of two writers of one id the second finds what the first has stored.
        sessions.get(self.connection, self.org_id, self.session_id, deleted=True, locked=True)
        known = events.by_ids(self.connection, self.org_id, ids, deleted=True)
        for event in known:
            if event.session_id != self.session_id:
                raise Conflict(
                    f"The message id {event.event_id!r} is taken by an event of another session. Use another id, or "
                    "leave it out to have one made.",
                    code="event_exists",
                )
        return known

    def _event(self, message: NewMessage, *, message_id: str, actor_id: str, position: int) -> Event:
        kind = kind_of_role(message.role)
        return Event(
            org_id=self.org_id,
            event_id=message_id,
            session_id=self.session_id,
            position=position,
            actor_id=actor_id,
            kind=kind,
            content=message.content,
            name=message.name,
            role=message.role,
            token_count=message.token_count or 0,
            metadata=dict(message.metadata),
            role_id=None,
            team_id=None,
            status=EventStatus.PENDING,
            error=None,
            occurred_at=message.occurred_at or self.now,
            created_at=self.now,
            updated_at=self.now,
            key_id=self.principal.key_id,
            channel=self.principal.channel,
            trust=trust_heard(self.principal.trust, kind),
        )

    def _rewrite(self, before: Event, message: NewMessage) -> Event | None:
        """Put a message in the place of an earlier one; the event, if memories have to be derived from it anew."""
        name = before.name if message.name is None else message.name
        metadata = {key: value for key, value in message.metadata.items() if key not in self.reserved}
        after = replace(
            before,
            kind=kind_of_role(message.role),
            role=message.role,
            name=name,
            content=message.content,
            token_count=message.token_count or 0,
            metadata=merge(before.metadata, metadata),
            occurred_at=message.occurred_at or before.occurred_at,
            updated_at=self.now,
        )
        names = ("role", "name", "content", "token_count", "metadata", "occurred_at", "updated_at")
        values = {each: getattr(after, each) for each in names} | {"kind": after.kind.value, "digest": _digest(after)}
        events.change(self.connection, self.org_id, before.event_id, values | self._provenance(before, after))
        if _words(before) == _words(after):
            return None
        wiping.owe(self.connection)
        if before.deleted_at is not None:
            return None
        decided = plan(self.connection, self.org_id, [before.event_id], self.now)
        gone = [before.event_id]
        hide_derived(self.connection, self.deps, self.org_id, decided, gone=gone, prepared=self.prepared)
        events.mark(self.connection, self.org_id, gone, EventStatus.PENDING, now=self.now)
        return after

    def _provenance(self, before: Event, after: Event) -> dict[str, object]:
        """Other words are those of whoever wrote them; in the place of a message they are trusted no more than it."""
        if _words(before) == _words(after):
            return {}
        trust = min(before.trust, trust_heard(self.principal.trust, after.kind))
        return {"key_id": self.principal.key_id, "channel": self.principal.channel.value, "trust": int(trust)}

    def _enqueue(self, rows: Sequence[Event], changed: Sequence[Event]) -> None:
        jobs.enqueue(self.connection, list(work_for(self.org_id, [*rows, *changed])), self.now)
        due = summaries.due(self.connection, self.org_id, rows, window=self.deps.summary_window)
        jobs.enqueue(self.connection, due, self.now)
        forget_summaries(self.connection, self.org_id, changed, self.now)


def counted(message: NewMessage, count: int) -> NewMessage:
    """The message with its tokens: as given, or else as counted."""
    if message.token_count:
        return message
    # Put together by hand: `replace` takes more than twice as long, and every message passes here.
    return NewMessage(
        role=message.role,
        content=message.content,
        name=message.name,
        metadata=message.metadata,
        message_id=message.message_id,
        occurred_at=message.occurred_at,
        token_count=count,
    )


def given_ids(said: Sequence[NewMessage]) -> list[str]:
    """The ids callers chose; an empty one is none."""
    return [message.message_id for message in said if message.message_id]


def _words(event: Event) -> tuple[object, ...]:
    """What memories are derived from."""
    return event.kind, event.speaker, event.content, event.occurred_at


def _digest(event: Event) -> bytes:
    return digest_of_words(event.actor_id, event.session_id, event.kind, event.content, name=event.name)
