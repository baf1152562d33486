"""Raw text that is committed and not processed yet, made findable by its words."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core.trusting import trait_of
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.events import Event, EventKind
from memcairn.domain.filters import Filter
from memcairn.domain.memories import MemoryKind
from memcairn.domain.pool import Pool, Trait
from memcairn.store import events
from memcairn.store.index.analysis import QueryTerm, analyse, term_ids, traits_of
from memcairn.store.index.pools import RowFeatures, pool_of

READ_WHOLE = 300
"""Up to this many events are read and compared word by word; behind them only those that contain a word asked for."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Unprocessed events a search may see, and their rows; the `memory_ids` of the pool are event ids."""

    pool: Pool
    by_id: dict[str, Event]


def is_any_pending(connection: Connection, org_id: str, actor_id: str | None) -> bool:
    """Whether `load_pending` would find anything, were it not asked for metadata."""
    return bool(events.pending(connection, org_id, where=events.EventFilter(actor_id=actor_id), words=(), limit=1))


def load_pending(
    connection: Connection,
    org_id: str,
    actor_id: str | None,
    terms: Sequence[QueryTerm],
    *,
    dimensions: int,
    metadata: Filter | None = None,
) -> Pending | None:
    """The newest unprocessed events of the actor (of everyone, if there is none); None when there are none.

    With `metadata`, only those that fulfil it.
    """
    where = events.EventFilter(actor_id=actor_id)
    found = events.pending(connection, org_id, where=where, words=(), limit=READ_WHOLE, metadata=metadata)
    if len(found) == READ_WHOLE:
        words = {word for term in terms for word in term.alternatives}
        matching = (
            events.pending(connection, org_id, where=where, words=words, limit=READ_WHOLE, metadata=metadata)
            if words
            else []
        )
        found = list({event.event_id: event for event in [*found, *matching]}.values())
    if not found:
        return None
    features = [_features(event) for event in found]
    return Pending(pool_of(features, model="", dimensions=dimensions), {event.event_id: event for event in found})


def _features(event: Event) -> RowFeatures:
    traits = traits_of(event.content) | Trait.PENDING | trait_of(event.trust)
    if event.kind is EventKind.ASSISTANT_MESSAGE:
        traits |= Trait.BY_ASSISTANT
    return RowFeatures(
        memory_id=event.event_id,
        segment=0,
        session_id=event.session_id,
        position=event.position,
        source=event.event_id,
        speaker=event.speaker,
        kind=MemoryKind.EPISODIC.value,
        type=MESSAGE,
        traits=int(traits),
        occurred_at=int(event.occurred_at.timestamp()),
        terms=term_ids(analyse(event.content)).astype("<u4").tobytes(),
        vector=None,
        model=None,
    )
