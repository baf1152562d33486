"""Tallies compared with the memories they count, and counted anew."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, delete, select

from memcairn.store import tallies
from memcairn.store.index import inspection
from memcairn.store.schema import actor_tallies, memory_tallies
from memcairn.store.tallies import Counted, FacetKey, Tally

ROWS_AT_ONCE = 500


def wrong(connection: Connection, org_id: str) -> list[str]:
    """The tallies of an org that are not what counting its memories gives, by name."""
    true = Tally()
    for counted in _pages(connection, org_id):
        for each in counted.values():
            true.include(each, 1)
    facets = {key: each.count for key, each in true.facets.items()}
    actors = {name: (each.count, each.active) for name, each in true.actors.items()}
    stored_facets, stored_actors = _stored(connection, org_id)
    return [f"{key.facet} {key.value!r}" for key in _different(facets, stored_facets)] + [
        f"actor {name!r}"
        for name in sorted(actors.keys() | stored_actors.keys())
        if actors.get(name) != stored_actors.get(name)
    ]


def recount(connection: Connection, org_id: str) -> int:
    """Count an org anew where its tallies are wrong; returns how many were."""
    found = wrong(connection, org_id)
    if found:
        for table in (memory_tallies, actor_tallies):
            connection.execute(delete(table).where(table.c.org_id == org_id))
        for counted in _pages(connection, org_id):
            tallies.record(connection, org_id, come=counted.values())
    return len(found)


def _pages(connection: Connection, org_id: str) -> Iterator[Mapping[str, Counted]]:
    after = ""
    while ids := inspection.memory_ids(connection, org_id, after=after, limit=ROWS_AT_ONCE):
        after = ids[-1]
        yield tallies.of_rows(connection, org_id, memory_ids=ids)


def _stored(connection: Connection, org_id: str) -> tuple[dict[FacetKey, int], dict[str, tuple[int, int]]]:
    facets = connection.execute(select(memory_tallies).where(memory_tallies.c.org_id == org_id))
    actors = connection.execute(select(actor_tallies).where(actor_tallies.c.org_id == org_id))
    return (
        {FacetKey(row.facet, row.value, row.detail): row.memory_count for row in facets},
        {row.actor_id: (row.memory_count, row.active_count) for row in actors},
    )


def _different(true: Mapping[FacetKey, int], stored: Mapping[FacetKey, int]) -> list[FacetKey]:
    different = [key for key in true.keys() | stored.keys() if true.get(key, 0) != stored.get(key, 0)]
    return sorted(different, key=lambda key: (key.facet, key.value, key.detail))
