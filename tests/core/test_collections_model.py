"""Documents added, replaced, changed, deleted and searched in any order, held to dictionaries after every step."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from memcairn.core import collections, documents
from memcairn.core.deps import Deps
from memcairn.core.document_search import DocumentQuery, search_documents
from memcairn.domain.clock import FrozenClock
from memcairn.domain.collections import NewDocument
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.filters import parse_filter
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.observability.metrics import Metrics
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate

T = TypeVar("T")

PRINCIPAL = Principal("model", "key", ALL_SCOPES)
NAMES = ("first", "other")
IDS = st.sampled_from(["a", "b", "c", None])
METADATA = st.sampled_from([None, {"n": 1}, {"n": 2}, {"m": [1, {"n": 3}]}])
Model = dict[str, dict[str, Any]]
"""Per uuid: its id, its content, its metadata, and whether it has a vector."""


class CollectionsModel(RuleBasedStateMachine):
    """`held` maps each collection to its live documents."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.deps = self.run(self._open())
        self.held: dict[str, Model] = {name: {} for name in NAMES}
        self.added = 0

    async def _open(self) -> Deps:
        database, clock = SqliteDatabase(Path(self.folder.name) / "memory.db"), FrozenClock()
        await database.write(migrate)
        await database.write(orgs.add, PRINCIPAL.org_id, "Model", clock.now())
        deps = Deps(db=database, index=SqliteIndex(), embedder=FakeEmbedder(), clock=clock, metrics=Metrics())
        for name in NAMES:
            await collections.add_collection(deps, PRINCIPAL, name)
        return deps

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(task)

    def uuid_of(self, name: str, document_id: str | None) -> str | None:
        taken = (uuid for uuid, held in self.held[name].items() if held["id"] == document_id is not None)
        return next(taken, None)

    @rule(
        name=st.sampled_from(NAMES),
        new=st.lists(st.tuples(IDS, METADATA), min_size=1, max_size=3),
        upsert=st.booleans(),
    )
    def add(self, name: str, new: list[tuple[str | None, dict[str, Any] | None]], upsert: bool) -> None:
        given = [document_id for document_id, _ in new if document_id is not None]
        refused = not upsert and (len(set(given)) < len(given) or any(self.uuid_of(name, each) for each in given))
        texts = [f"k{self.added + i}x river" for i in range(len(new))]
        self.added += len(new)
        wanted = [NewDocument(text, each[0], each[1]) for text, each in zip(texts, new, strict=True)]
        try:
            uuids = self.run(documents.add_documents(self.deps, PRINCIPAL, name, wanted, upsert=upsert))
        except Conflict:
            assert refused
            return
        assert not refused
        for uuid, document in zip(uuids, wanted, strict=True):
            assert self.uuid_of(name, document.document_id) in {None, uuid}
            self.held[name][uuid] = {
                "id": document.document_id,
                "content": document.content,
                "metadata": document.metadata,
                "embedded": False,
            }

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data(), document_id=IDS, metadata=METADATA)
    def change(self, data: st.DataObject, document_id: str | None, metadata: dict[str, Any] | None) -> None:
        name, uuid = self.pick(data)
        holder = self.uuid_of(name, document_id)
        try:
            self.run(
                documents.update_document(self.deps, PRINCIPAL, name, uuid, document_id=document_id, metadata=metadata)
            )
        except Conflict:
            assert holder not in {None, uuid}
            return
        assert holder in {None, uuid}
        held = self.held[name][uuid]
        held["id"] = document_id or held["id"]
        held["metadata"] = metadata or held["metadata"]

    @precondition(lambda self: any(self.held.values()))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name, uuid = self.pick(data)

        self.run(documents.delete_document(self.deps, PRINCIPAL, name, uuid))

        del self.held[name][uuid]
        try:
            self.run(documents.delete_document(self.deps, PRINCIPAL, name, uuid))
        except NotFound:
            return
        raise AssertionError("a deleted document was deleted again")

    @rule()
    def embed(self) -> None:
        self.run(self._work())
        for held in self.held.values():
            for document in held.values():
                document["embedded"] = True

    async def _work(self) -> None:
        while await Worker(self.deps).run_once():
            pass

    @rule(name=st.sampled_from(NAMES))
    def delete_collection(self, name: str) -> None:
        self.run(collections.delete_collection(self.deps, PRINCIPAL, name))
        self.run(collections.add_collection(self.deps, PRINCIPAL, name))
        self.held[name] = {}

    def pick(self, data: st.DataObject) -> tuple[str, str]:
        known = [(name, uuid) for name, held in self.held.items() for uuid in sorted(held)]
        return data.draw(st.sampled_from(known))

    @invariant()
    def every_read_shows_what_is_held(self) -> None:
        for name, held in self.held.items():
            found = self.run(documents.get_documents(self.deps, PRINCIPAL, name, uuids=list(held)))
            shown = {
                each.document_uuid: {
                    "id": each.document_id,
                    "content": each.content,
                    "metadata": each.metadata,
                    "embedded": each.embedding is not None,
                }
                for each in found
            }
            assert shown == held

    @invariant()
    def counts_are_those_of_what_is_held(self) -> None:
        for name, held in self.held.items():
            found = self.run(collections.get_collection(self.deps, PRINCIPAL, name))
            embedded = sum(document["embedded"] for document in held.values())
            assert (found.document_count, found.document_embedded_count) == (len(held), embedded)

    @invariant()
    def searches_find_what_is_held_and_nothing_else(self) -> None:
        numbered = parse_filter({"jsonpath": "$.** ? (@.n >= 2)"})
        for name, held in self.held.items():
            near = self.found(name, DocumentQuery(text="river", limit=100))
            chosen = self.found(name, DocumentQuery(filter=numbered, limit=100))

            assert near == {uuid for uuid, document in held.items() if document["embedded"]}
            assert chosen == {uuid for uuid, document in held.items() if document["metadata"] not in (None, {"n": 1})}

    def found(self, name: str, query: DocumentQuery) -> set[str]:
        hits = self.run(search_documents(self.deps, PRINCIPAL, name, query))
        return {hit.document.document_uuid for hit in hits.items}

    def teardown(self) -> None:
        self.run(self.deps.db.close())
        self.loop.close()
        self.folder.cleanup()


TestCollectionsModel = CollectionsModel.TestCase
TestCollectionsModel.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
