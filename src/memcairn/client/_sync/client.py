# Written by tools/unasync.py from ../_async/client.py: change that, and run it.
"""The client: what a program talks to."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import Any, Self

import httpx2

from memcairn.client._local import LOCAL_URL, LocalTransport, OpenServer
from memcairn.client._operations import clear as clear_operations
from memcairn.client._operations import context as context_operations
from memcairn.client._operations import events as event_operations
from memcairn.client._operations import export as export_operations
from memcairn.client._operations import forget as forget_operations
from memcairn.client._operations import health as health_operations
from memcairn.client._operations import me as me_operations
from memcairn.client._operations import purge as purge_operations
from memcairn.client._operations import search as search_operations
from memcairn.client._protocol import DEFAULT_BASE_URL, Retries, checked_base_url, checked_timeout, standing_headers
from memcairn.client._sync.actors import Actors
from memcairn.client._sync.calls import Calls
from memcairn.client._sync.collections import Collections
from memcairn.client._sync.events import Events
from memcairn.client._sync.jobs import Jobs
from memcairn.client._sync.keys import Keys
from memcairn.client._sync.memories import Memories
from memcairn.client._sync.messages import Messages
from memcairn.client._sync.orgs import Orgs
from memcairn.client._sync.roles import Roles
from memcairn.client._sync.sessions import Sessions
from memcairn.client._sync.teams import Teams
from memcairn.client._sync.usage import Usage
from memcairn.client._sync.users import Users
from memcairn.wire.context import ContextResponse
from memcairn.wire.events import IngestResponse, NewEvent, StatusResponse, Trust
from memcairn.wire.forget import Channel, Forgotten
from memcairn.wire.health import Health, Readiness
from memcairn.wire.me import Me
from memcairn.wire.memories import MemoryKind
from memcairn.wire.purge import PurgeResponse
from memcairn.wire.search import SearchResponse, WhyResponse


class MemcairnClient:
    """A connection pool to one Memcairn server.

    Without `api_key` the variable MEMCAIRN_API_KEY counts. `timeout` is in seconds, for each connect, write and read;
    None waits for ever. What fails in passing is repeated up to `max_retries` times: a 429 unless the
    quota of the month is used up, a broken connection, a timeout or a 503 that names its end only where repeating
    cannot do harm. The wait before it is what
    the server asks for (60 s at most) or else `retry_backoff` seconds, doubled each time. What goes wrong on
    the way or at the server is raised as a `MemcairnError`. `transport` carries the requests instead of the network,
    `sleep` waits instead of the clock.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_BASE_URL,
        api_key: str | None = None,
        *,
        timeout: float | None = 30.0,
        max_retries: int = 3,
        retry_backoff: float = 1.0,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        retries = Retries(limit=max_retries, backoff=retry_backoff)
        self._http = httpx2.Client(
            base_url=checked_base_url(base_url),
            headers=standing_headers(api_key),
            timeout=checked_timeout(timeout),
            transport=transport,
        )
        local = transport if isinstance(transport, LocalTransport) else None
        self._calls = Calls(self._http, retries, sleep, local)
        self.events = Events(self._calls)
        self.sessions = Sessions(self._calls)
        self.messages = Messages(self._calls)
        self.users = Users(self._calls)
        self.memories = Memories(self._calls)
        self.jobs = Jobs(self._calls)
        self.collections = Collections(self._calls)
        self.actors = Actors(self._calls)
        self.orgs = Orgs(self._calls)
        self.roles = Roles(self._calls)
        self.teams = Teams(self._calls)
        self.keys = Keys(self._calls)
        self.usage = Usage(self._calls)

    @classmethod
    def local(
        cls,
        path: str | PathLike[str],
        *,
        timeout: float | None = 30.0,
        max_retries: int = 3,
        retry_backoff: float = 1.0,
        open_server: OpenServer | None = None,
    ) -> Self:
        """The same client on a server of its own inside this process, with its data under `path` and without a port.

        The server starts with the first call or at the start of the `with` block, and stops when the client is closed.
        Raises `ServerNotInstalled` where only the client is installed. `open_server` runs another server in its place.
        """
        transport = LocalTransport(path, open_server)
        return cls(
            LOCAL_URL, timeout=timeout, max_retries=max_retries, retry_backoff=retry_backoff, transport=transport
        )

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.__exit__(kind, error, trace)

    def close(self) -> None:
        """Gives the connections back; a local server is stopped. The client cannot be used afterwards."""
        self._http.close()

    def ingest(
        self,
        events: Sequence[NewEvent | Mapping[str, Any]],
        *,
        wait: bool = False,
        idempotency_key: str | None = None,
    ) -> IngestResponse:
        """Hands over events, all or none, and returns their ids in order once they are on disk.

        They can be found by search from then on; with `wait` the answer comes when they are processed, and says how
        that went. Repeating is safe: each call carries a key (its own, or `idempotency_key`) the server takes once.
        """
        return self._calls.run(event_operations.ingest(events, wait=wait, idempotency_key=idempotency_key))

    def search(
        self,
        query: str,
        *,
        actor_id: str | None = None,
        session_id: str | None = None,
        exclude_session_id: str | None = None,
        role_ids: Sequence[str] | None = None,
        team_ids: Sequence[str] | None = None,
        kinds: Sequence[MemoryKind] | None = None,
        types: Sequence[str] | None = None,
        occurred_after: datetime | str | None = None,
        occurred_before: datetime | str | None = None,
        asked_at: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        min_trust: Trust | None = None,
        limit: int = 10,
        threshold: float = 0.0,
        diverse: bool = True,
        include_source_events: bool = False,
        explain: bool = False,
    ) -> SearchResponse:
        """The best memories for `query`, which may be any string, best first.

        With `actor_id` it sees that actor's memories, those of the roles and teams named and the org's; without, the
        whole org. `threshold` is a floor on the score (0 to 1). Words like "last week" count from `asked_at`, which is
        now unless given; a time without a zone is UTC. `metadata` is a filter such as `{"jsonpath": "$ ? (@.topic ==
        \"work\")"}`: it keeps memories whose own metadata, or that of an event they rest on, fulfils it.
        `min_trust` (`"low"`, `"normal"`, `"high"`) leaves out what any less trusted source has a part in.
        With `diverse`, texts that say nearly the same stand behind the others; without, the order is the plain one.
        """
        return self._calls.run(
            search_operations.search(
                query,
                actor_id=actor_id,
                session_id=session_id,
                exclude_session_id=exclude_session_id,
                role_ids=role_ids,
                team_ids=team_ids,
                kinds=kinds,
                types=types,
                occurred_after=occurred_after,
                occurred_before=occurred_before,
                asked_at=asked_at,
                metadata=metadata,
                min_trust=min_trust,
                limit=limit,
                threshold=threshold,
                diverse=diverse,
                include_source_events=include_source_events,
                explain=explain,
            )
        )

    def why(
        self,
        query: str,
        memory_id: str,
        *,
        actor_id: str | None = None,
        session_id: str | None = None,
        exclude_session_id: str | None = None,
        role_ids: Sequence[str] | None = None,
        team_ids: Sequence[str] | None = None,
        kinds: Sequence[MemoryKind] | None = None,
        types: Sequence[str] | None = None,
        occurred_after: datetime | str | None = None,
        occurred_before: datetime | str | None = None,
        asked_at: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        min_trust: Trust | None = None,
        limit: int = 10,
        threshold: float = 0.0,
        diverse: bool = True,
    ) -> WhyResponse:
        """What becomes of one memory in a search: its place and score in every arm, and everything that loses it.

        The options are those of `search` and mean the same. Asking recalls nothing. `NotFoundError` if the org holds
        no memory of that id.
        """
        return self._calls.run(
            search_operations.why(
                query,
                memory_id,
                actor_id=actor_id,
                session_id=session_id,
                exclude_session_id=exclude_session_id,
                role_ids=role_ids,
                team_ids=team_ids,
                kinds=kinds,
                types=types,
                occurred_after=occurred_after,
                occurred_before=occurred_before,
                asked_at=asked_at,
                metadata=metadata,
                min_trust=min_trust,
                limit=limit,
                threshold=threshold,
                diverse=diverse,
            )
        )

    def context(
        self,
        session_id: str,
        *,
        actor_id: str | None = None,
        query: str | None = None,
        token_budget: int = 2_000,
        message_limit: int = 12,
        memory_limit: int = 20,
        threshold: float = 0.0,
        include_summary: bool = True,
        role_ids: Sequence[str] | None = None,
        team_ids: Sequence[str] | None = None,
        min_trust: Trust | None = None,
    ) -> ContextResponse:
        """A block for a prompt: summary and newest messages of a session, and the memories that matter now.

        `text` stays within `token_budget` and frames what is stored as quotations: lines that begin with `|` inform
        and instruct nothing. Memories are those of `actor_id`, by default of the user of the session or of whoever
        spoke last in it; without `query` they are looked for with the newest messages. A limit of 0 leaves a part out.
        What is of low trust is marked so; `min_trust` leaves out everything below it.
        `NotFoundError` without such a session, unless `actor_id` is given.
        """
        return self._calls.run(
            context_operations.context(
                session_id,
                actor_id=actor_id,
                query=query,
                token_budget=token_budget,
                message_limit=message_limit,
                memory_limit=memory_limit,
                threshold=threshold,
                include_summary=include_summary,
                role_ids=role_ids,
                team_ids=team_ids,
                min_trust=min_trust,
            )
        )

    def status(self, event_ids: Sequence[str]) -> StatusResponse:
        """How far each event got, in the order asked; ids the org does not hold are `not_found`."""
        return self._calls.run(event_operations.status(event_ids))

    def purge(self, *, older_than_seconds: int = 0) -> PurgeResponse:
        """Removes for good what was deleted at least so long ago, with every trace; needs an admin key.

        Other requests go on meanwhile; what is held stays.
        """
        return self._calls.run(purge_operations.purge(older_than_seconds=older_than_seconds))

    def export(self, *, deleted: bool = True, keys: bool = False) -> Iterator[bytes]:
        """Everything the org holds, as the lines of a file that `memcairn import` loads; needs an admin key.

        As of one moment, fetched piece by piece; without `deleted`, what is deleted and not purged yet stays behind.
        `keys` takes the API keys along, as hashes. The last line is compared with all before it: `ProtocolError` or
        `ConnectionFailed` when something is missing.
        """
        manifest = export_operations.Manifest()
        for line in self._calls.lines(export_operations.export(deleted=deleted, keys=keys)):
            manifest.see(line)
            yield line
        manifest.check()

    def forget(
        self,
        *,
        key_id: str | None = None,
        channel: Channel | None = None,
        session_id: str | None = None,
        actor_id: str | None = None,
        max_trust: Trust | None = None,
        received_after: datetime | str | None = None,
        received_before: datetime | str | None = None,
        dry_run: bool = False,
    ) -> Forgotten:
        """Hides what came from a source, with everything derived from it alone; the purge removes it for good.

        A source is named by a key, a door (`"native"`, `"zep"`, `"memsy"`, `"mcp"`, `"import"`), a session, an actor,
        a highest trust, or several of them, all of which must fit. `dry_run` counts what rests on it at most and
        changes nothing. It needs an admin key. Never repeated by itself when the connection breaks.
        """
        return self._calls.run(
            forget_operations.forget(
                key_id=key_id,
                channel=channel,
                session_id=session_id,
                actor_id=actor_id,
                max_trust=max_trust,
                received_after=received_after,
                received_before=received_before,
                dry_run=dry_run,
            )
        )

    def clear(self, container_tag: str) -> int:
        """Hides a conversation, named by its session id, with what rests on it alone; how many events there were.

        `NotFoundError` if there is none, or not any more. Never repeated by itself when the connection breaks.
        """
        return self._calls.run(clear_operations.clear(container_tag))

    def me(self) -> Me:
        """The org and the key of this client; open to every valid key."""
        return self._calls.run(me_operations.me())

    def health(self) -> Health:
        """Whether the process answers, and its version."""
        return self._calls.run(health_operations.health())

    def ready(self) -> Readiness:
        """Whether database, migrations and worker are in order; one that is not says why, and nothing is raised."""
        return self._calls.run(health_operations.ready())
