"""Random calls to the native API, each made of what earlier answers showed: an operation log to be replayed."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.faults.tenants import OPERATIONS, Ask

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
KEY_ID = re.compile(r'"key_id": ?"([A-Za-z0-9]{12})"')
WORD = re.compile(r"\b[A-Za-z0-9]{12}\b")
"""As long as the id of a key."""
SECRET = re.compile(r"mc_[A-Za-z0-9_-]+")
TOKEN = re.compile(r"«\d+»")
"""What stands for an id that a server has made, counted by first appearance."""

KINDS = ("user_message", "user_message", "assistant_message", "tool_result", "app_event")
ACTORS = ("ann", "Ben", "cem/1", "Zoë", "dora", "_eva", "ann b")
SESSIONS = tuple(f"{name}{number}" for name in ("s", "S", "été-") for number in range(6))
GROUPS = ("crew", "Deck", "night watch")
COLLECTIONS = ("papers", "Ledgers", "field-notes")
SENTENCES = (
    "I live in {place}.",
    "I moved to {place} in {month}.",
    "I prefer {thing} to {other}.",
    "I don't like {thing} any more.",
    "We decided to paint the {thing} on Thursday.",
    "Always bring the {thing} before noon.",
    "My sister {name} works in {place}.",
    "{name}'s {thing} was 50% off_season, said {other}!",
    "ok",
    "What is the {thing} of {name}?",
    "The {thing} costs 12.50 EUR since 3 May 2026.",
    "First fill the {thing}, then close the {other}, and call {name}.",
)
WORDS = {
    "place": ("Lisbon", "Porto", "Ærø", "Łódź", "İzmir"),
    "month": ("May", "June"),
    "thing": ("tea", "lamp", "Boat", "rope", "ÉTUDE", "naïve map"),
    "other": ("coffee", "oar", "harbour_gate", "sail"),
    "name": ("Ida", "ida", "Ömer", "Mr. X"),
}
QUESTIONS = (
    "Where does Ida live?",
    "tea or coffee",
    "ÉTUDE",
    "what was decided last week",
    "%",
    "",
    "boat _",
    "rope oar",
)
METADATA: Sequence[dict[str, Any]] = (
    {},
    {"b": 1, "a": {"z": 1.0, "y": [1e22, 0.1, -0.0, 10**17]}},
    {"topic": "Tea", "tags": [3, "3", None, True]},
    {"a": {"z": {"deep": [[], {}]}}, "topic": "tea"},
)
FILTERS = ('$[*] ? (@.topic == "tea")', "$.tags[*] ? (@ == 3)", "$.a.z", '$.topic ? (@ like_regex "^T")', "$.**.deep")
ONE_TIME = ("DELETE /v1/clear/{container_tag}", "DELETE /v1/org", "POST /v1/purge", "DELETE /v1/users/{user_id}")
"""What empties so much that a log has it seldom."""
FILES = ("GET /v1/export",)
"""What answers with a file, whose sums are made of ids."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. A list that is `paged` is read page by page."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    paged: bool = False


class RandomCalls:
    """Makes calls, and learns from answers which ids there are."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._known: dict[str, list[str]] = defaultdict(list)
        self._made = 0

    def next(self) -> Call:
        chosen: Sequence[tuple[int, Callable[[], Call]]] = (
            (16, self._events),
            (12, self._messages),
            (16, self._search),
            (5, self._why),
            (6, self._context),
            (10, self._list),
            (5, self._documents),
            (4, self._document_search),
            (4, self._session_search),
            (6, self._edit),
            (20, self._any_route),
        )
        make = self.rng.choices([each for _, each in chosen], [weight for weight, _ in chosen])[0]
        return make()

    def learn(self, shown: Any) -> None:
        """Remember the ids in an answer, by the name they stand under."""
        if isinstance(shown, dict):
            for name, value in shown.items():
                kind = name.removesuffix("_id").removesuffix("_uuid").removesuffix("_ids").removesuffix("_uuids")
                for each in value if isinstance(value, list) else [value]:
                    if kind != name and isinstance(each, str) and each not in self._known[kind]:
                        self._known[kind].append(each)
                self.learn(value)
        elif isinstance(shown, list):
            for each in shown:
                self.learn(each)

    def _pick(self, kind: str) -> str:
        """An id or a text; most often of the newest ones, sometimes one that nobody knows."""
        chosen = {"actor": ACTORS, "user": ACTORS, "session": SESSIONS, "role": GROUPS, "team": GROUPS}.get(kind)
        chosen = {"collection": COLLECTIONS, "org": ("default",)}.get(kind, chosen)
        if kind == "text":
            return self._sentence()
        if chosen is not None:
            return self.rng.choice(chosen)
        known = self._known["event" if kind == "message" else kind]
        if not known or self.rng.random() < 0.05:
            return "00000000-0000-7000-8000-000000000000"
        return self.rng.choice(known[-40:])

    def _sentence(self) -> str:
        words = {name: self.rng.choice(choices) for name, choices in WORDS.items()}
        return self.rng.choice(SENTENCES).format(**words)

    def _some(self, **options: Callable[[], Any]) -> dict[str, Any]:
        """About a third of these, in a random mixture."""
        return {name: make() for name, make in options.items() if self.rng.random() < 0.3}

    def _moment(self) -> str:
        return f"2026-0{self.rng.randint(1, 6)}-{self.rng.randint(1, 28):02}T10:{self.rng.randint(0, 59):02}:00.123456Z"

    def _filter(self) -> dict[str, Any]:
        parts = [{"jsonpath": self.rng.choice(FILTERS)} for _ in range(self.rng.randint(1, 2))]
        return {self.rng.choice(["and", "or"]): parts}

    def _new_id(self, kind: str) -> str:
        """A new one, and every fifth time one that was used before."""
        if self._known[kind] and self.rng.random() < 0.2:
            return self.rng.choice(self._known[kind])
        self._made += 1
        return f"{self.rng.choice('eEé_')}{self._made}"

    def _events(self) -> Call:
        events = [
            {
                "actor_id": self._pick("actor"),
                "session_id": self._pick("session"),
                "kind": self.rng.choice(
                    ("user_message", "user_message", "assistant_message", "tool_result", "app_event")
                ),
                "content": self._sentence(),
            }
            | self._some(
                event_id=lambda: self._new_id("event"),
                metadata=lambda: self.rng.choice(METADATA),
                name=lambda: self.rng.choice(WORDS["name"]),
                occurred_at=self._moment,
                role_id=lambda: self._pick("role"),
                team_id=lambda: self._pick("team"),
            )
            for _ in range(self.rng.randint(1, 4))
        ]
        return Call("POST", "/v1/events", body={"events": events}, headers=self._headers())

    def _messages(self) -> Call:
        messages = [
            {"role": self.rng.choice(("user", "assistant", "Bosun")), "content": self._sentence()}
            | self._some(
                message_id=lambda: self._new_id("event"),
                metadata=lambda: self.rng.choice(METADATA),
                occurred_at=self._moment,
                token_count=lambda: self.rng.randint(0, 40),
            )
            for _ in range(self.rng.randint(1, 5))
        ]
        path = f"/v1/sessions/{_quoted(self._pick('session'))}/messages"
        return Call("POST", path, body={"messages": messages}, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Idempotency-Key": f"key {self.rng.randint(0, 400)}"} if self.rng.random() < 0.1 else {}

    def _query(self) -> dict[str, Any]:
        return {"query": self.rng.choice((*QUESTIONS, self._sentence()))} | self._some(
            limit=lambda: self.rng.choice((1, 3, 10, 50)),
            threshold=lambda: self.rng.choice((0.0, 0.2, 0.5)),
            actor_id=lambda: self._pick("actor"),
            session_id=lambda: self._pick("session"),
            role_ids=lambda: [self._pick("role")],
            team_ids=lambda: [self._pick("team")],
            kinds=lambda: [self.rng.choice(("semantic", "episodic", "procedural"))],
            types=lambda: ["preference", "fact"],
            occurred_after=self._moment,
            occurred_before=self._moment,
            asked_at=self._moment,
            metadata=self._filter,
            diverse=lambda: False,
        )

    def _search(self) -> Call:
        more = self._some(include_source_events=lambda: True, explain=lambda: True)
        return Call("POST", "/v1/search", body=self._query() | more)

    def _why(self) -> Call:
        return Call("POST", "/v1/search/why", body=self._query() | {"memory_id": self._pick("memory")})

    def _context(self) -> Call:
        body = {"session_id": self._pick("session")} | self._some(
            query=lambda: self.rng.choice(QUESTIONS[:4]),
            token_budget=lambda: self.rng.choice((128, 300, 4_000)),
            message_limit=lambda: self.rng.choice((0, 5)),
            actor_id=lambda: self._pick("actor"),
            role_ids=lambda: [self._pick("role")],
        )
        return Call("POST", "/v1/context", body=body)

    def _list(self) -> Call:
        sort = ("observed_at_desc", "observed_at_asc", "created_at_desc", "strength_desc", "confidence_desc")
        path, options = self.rng.choice(
            (
                (
                    "/v1/memories",
                    self._some(
                        sort=lambda: self.rng.choice(sort),
                        q=lambda: self.rng.choice(("TEA", "étude", "50%", "off_s", "İzmir", "ida", "\\")),
                        actor_id=lambda: self._pick("actor"),
                        session_id=lambda: self._pick("session"),
                        type=lambda: self.rng.choice(("preference", "fact", "message")),
                        status=lambda: self.rng.choice(("active", "superseded", "archived", "decayed")),
                        level=lambda: self.rng.choice(("actor", "role", "team", "org")),
                    ),
                ),
                (
                    "/v1/events",
                    self._some(
                        actor_id=lambda: self._pick("actor"),
                        session_id=lambda: self._pick("session"),
                        status=lambda: self.rng.choice(("pending", "completed")),
                    ),
                ),
                (f"/v1/sessions/{_quoted(self._pick('session'))}/messages", self._some(last=lambda: 3)),
                (f"/v1/sessions/{_quoted(self._pick('session'))}/summaries", {}),
                (
                    "/v1/sessions",
                    self._some(user_id=lambda: self._pick("user"), filter=lambda: json.dumps(self._filter())),
                ),
                ("/v1/users", {}),
                ("/v1/actors", self._some(q=lambda: self.rng.choice(("A", "n", "_", "%", "ë")))),
                ("/v1/jobs", {}),
                ("/v1/collections", {}),
            )
        )
        limit = {} if "last" in options else {"limit": self.rng.choice((3, 20, 200))}
        return Call("GET", path, options | limit, paged=True)

    def _documents(self) -> Call:
        documents = [
            {"content": self._sentence()}
            | self._some(document_id=lambda: self._new_id("document")[1:], metadata=lambda: self.rng.choice(METADATA))
            for _ in range(self.rng.randint(1, 3))
        ]
        body = {"documents": documents} | self._some(upsert=lambda: False)
        return Call("POST", f"/v1/collections/{_quoted(self._pick('collection'))}/documents", body=body)

    def _document_search(self) -> Call:
        body = self._some(text=self._sentence, metadata=self._filter, limit=lambda: 5)
        return Call("POST", f"/v1/collections/{_quoted(self._pick('collection'))}/search", body=body)

    def _session_search(self) -> Call:
        body = {"text": self.rng.choice((*QUESTIONS, self._sentence()))} | self._some(
            metadata=self._filter, limit=lambda: 5, search_scope=lambda: "summary", search_type=lambda: "mmr"
        )
        return Call("POST", f"/v1/sessions/{_quoted(self._pick('session'))}/search", body=body)

    def _edit(self) -> Call:
        body = self._some(
            text=self._sentence,
            title=lambda: self.rng.choice(("", "A title")),
            tags=lambda: ["b", "a"],
            pinned=lambda: self.rng.random() < 0.5,
            status=lambda: self.rng.choice(("active", "archived")),
            confidence=lambda: self.rng.choice((0.1, 0.7, 1.0)),
            half_life_days=lambda: self.rng.choice((0.5, 30.0)),
            metadata=lambda: self.rng.choice(METADATA),
        )
        return Call("PATCH", f"/v1/memories/{_quoted(self._pick('memory'))}", body=body)

    def _any_route(self) -> Call:
        route = self.rng.choice([each for each in OPERATIONS if each not in FILES])
        if route in ONE_TIME and self.rng.random() < 0.7:
            route = "GET /v1/usage/summary"
        ask: Ask = OPERATIONS[route](self._pick)
        method, template = route.split(" ")
        return Call(
            method, template.format(**{name: _quoted(value) for name, value in ask.path.items()}), ask.query, ask.body
        )


def _quoted(value: str) -> str:
    """As it stands in a path; tokens stay readable."""
    return quote(value, safe="«»")
