"""Promotion in a generated organisation: what of its shared knowledge rises to the right level, and what must not.

    python benchmarks/promotion.py [--seed 1]

200 people in 8 roles and 5 teams talk to their assistants; every message carries the role and the team of the person.
40 facts are shared: 24 by people of one role, 10 by people of one team, 6 across roles. Each is told by four to eight
people (by four to six of each of three roles for the org), in one of six or seven wordings (`shared_facts.json`: other
word order, synonyms, negated forms, first person and impersonal), mostly with small talk around it. 2,000 facts are
private: about the person, or about a piece of work nobody else speaks of, many in the same sentence pattern as those of
others. Beside them stand facts that only look shared: told by two people, told by one person ten times, marked private,
or with a phone number. The real pipeline runs with the default embedder and no LLM.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from memcairn.assembly import opened
from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.keys import ensure_default_org
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.keys import ALL_SCOPES, DEFAULT_ORG, Principal
from memcairn.domain.memories import Memory
from memcairn.domain.scopes import Level
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings
from memcairn.store import memories, support
from memcairn.store.memories import MemoryFilter

PEOPLE, PRIVATE_FACTS = 200, 2_000
ROLES = ("engineering", "sales", "support", "design", "finance", "hiring", "legal", "logistics")
TEAMS = ("platform", "payments", "discovery", "mobile", "operations")
ROLES_OF_ORG_FACT = 3
BATCH = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Who talks."""

    actor_id: str
    role_id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """One message, and the fact it tells."""

    person: Person
    text: str
    fact: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """Everything that will be said; `right` names the scope each shared fact belongs to."""

    rng: random.Random
    people: list[Person]
    lines: list[Line] = field(default_factory=list)
    right: dict[str, str] = field(default_factory=dict)


OPENERS = (
    "",
    "",
    "",
    "",
    "Just so you know: ",
    "FYI, ",
    "Reminder: ",
    "Heads-up: ",
    "Please remember: ",
    "As always, ",
)
SMALL_TALK = (
    "",
    "",
    "",
    " Thanks!",
    " Can you note that?",
    " Anyway, what is next on my list?",
    " I had to explain it again today.",
    " Could you draft a short message about it?",
)
GREETINGS = ("", "", "", "Morning! ", "Hi there. ", "Okay. ", "Quick one. ")

COLOURS = "red blue green yellow black white orange purple grey brown".split()
PLACES = (
    "kitchen,archive,reception,garage,basement,meeting room,print room,server room,store room,hallway,workshop,"
    "mail room"
).split(",")
COMPANIES = (
    "Acme Globex Initech Umbra Hooli Vandelay Soylent Wonka Tyrell Stark Wayne Oscorp Cyberdyne Gringotts Duff Zorin"
).split()
TOPICS = "onboarding pricing checkout inventory reporting export login billing search survey newsletter invoice".split()
DRINKS = "tea,coffee,water,cocoa,lemonade,juice,mate,espresso,milk,ginger ale".split(",")
MOMENTS = (
    "in the morning,after lunch,in the evening,before meetings,on the train,at my desk,in winter,when I write".split(
        ","
    )
)
DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
RELATIVES = "sister brother wife husband son daughter mother father cousin boss".split()
NAMES = "Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jule Kai Lea Mio Nele Otis Pia Rui Sina Tom Uma".split()
CITIES = "Lisbon Porto Graz Lyon Turin Ghent Riga Malmo Bergen Leeds Cork Brno Gdansk Split Basel".split()
STREETS = "Birch Cedar Maple Linden Willow Chestnut Poplar Elm Rowan Alder".split()

PATTERNS: Sequence[tuple[Any, ...]] = (
    ("The key to the {} cabinet lies in the {}.", COLOURS, PLACES),
    ("The {1} workshop with {0} is on {2}.", COMPANIES, TOPICS, DAYS),
    ("We keep the {} folders in the {}.", TOPICS, PLACES),
    ("I prefer {} {}.", DRINKS, MOMENTS),
    ("My {} is called {}.", RELATIVES, NAMES),
    ("My {1} lives in {0}.", CITIES, RELATIVES),
    ("I live at {1} {0} Street.", STREETS, range(2, 22)),
    ("My {} deploy failed on {}.", TOPICS, DAYS),
    ("The {1} draft needs {0} more pages.", range(2, 20), TOPICS),
    ("The {} marker means that the {} page is done.", COLOURS, TOPICS),
    ("My locker has the number {}.", range(1_000, 1_200)),
    ("I always have {1} before the {0} call.", TOPICS, DRINKS),
)

SEVERAL: Sequence[str] = (
    "The hotline of the cleaning service is +49 30 5550 1734.",
    "Orders for the bakery go to orders@bakery.example.",
    "The company card ends in 4929 1182 7710 4482.",
    "The supplier account number is 88120045.",
)
MARKED: Sequence[str] = (
    "The merger talks with the competitor start in June.",
    "The bonus budget is cut by half.",
    "The Hamburg office will be closed.",
)
BY_TWO: Sequence[str] = (
    "The coffee machine is descaled on Tuesdays.",
    "Parcels are handed to the neighbours when reception is closed.",
    "The big screen needs the grey adapter.",
    "The roof terrace opens in April.",
    "The test phones lie in the third drawer.",
    "Spare chairs are kept behind the stage.",
)
OFTEN_BY_ONE: Sequence[str] = (
    "The plants on the second floor are watered on Mondays.",
    "Windows are shut before the alarm is set.",
)


def generate(seed: int) -> World:
    rng = random.Random(seed)
    people = [Person(f"person-{n:03}", ROLES[n % len(ROLES)], rng.choice(TEAMS)) for n in range(PEOPLE)]
    world = World(rng, people)
    shared: dict[str, list[list[str]]] = json.loads((Path(__file__).parent / "shared_facts.json").read_text("utf-8"))
    for number, wordings in enumerate(shared["role"]):
        role = ROLES[number // 3]
        _tell(world, f"role {number}", f"role:{role}", wordings, [each for each in people if each.role_id == role])
    for number, wordings in enumerate(shared["team"]):
        team = TEAMS[number // 2]
        _tell(world, f"team {number}", f"team:{team}", wordings, [each for each in people if each.team_id == team])
    for number, wordings in enumerate(shared["org"]):
        world.right[f"org {number}"] = "org"
        for role in rng.sample(ROLES, ROLES_OF_ORG_FACT):
            _tell(world, f"org {number}", "org", wordings, [each for each in people if each.role_id == role])
    _keep_private(world)
    rng.shuffle(world.lines)
    return world


def _tell(world: World, fact: str, scope_key: str, wordings: Sequence[str], group: Sequence[Person]) -> None:
    world.right[fact] = scope_key
    for person in world.rng.sample(group, world.rng.randint(4, 8) if scope_key != "org" else world.rng.randint(4, 6)):
        world.lines.append(Line(person, _spoken(world.rng, world.rng.choice(wordings)), fact))


def _spoken(rng: random.Random, statement: str) -> str:
    opener = rng.choice(OPENERS)
    keeps_capital = not opener or statement.split()[0] in ("I", "Inter", "Notion", "Elasticsearch", "Friday", "Monday")
    said = statement if keeps_capital else statement[0].lower() + statement[1:]
    return f"{rng.choice(GREETINGS)}{opener}{said}{rng.choice(SMALL_TALK)}"


def _keep_private(world: World) -> None:
    rng = world.rng
    patterns = list(_private_statements())
    rng.shuffle(patterns)
    for number, statement in enumerate(patterns[:PRIVATE_FACTS]):
        person = world.people[number % PEOPLE]
        world.lines.append(Line(person, _spoken(rng, statement), f"private {number}"))
    for kind, statements, count in (("contact", SEVERAL, 6), ("marked", MARKED, 6), ("pair", BY_TWO, 2)):
        for number, statement in enumerate(statements):
            role = rng.choice(ROLES)
            for person in rng.sample([each for each in world.people if each.role_id == role], count):
                marked = {"private": True} if kind == "marked" else {}
                world.lines.append(Line(person, _spoken(rng, statement), f"private {kind} {number}", marked))
    for number, statement in enumerate(OFTEN_BY_ONE):
        person = rng.choice(world.people)
        world.lines += [Line(person, _spoken(rng, statement), f"private often {number}") for _ in range(10)]


def _private_statements() -> Iterator[str]:
    """More than enough statements, no two equal; those of one pattern differ in a word or two."""
    for pattern, *values in PATTERNS:
        for chosen in product(*values):
            yield pattern.format(*chosen)


async def run(seed: int, *, verbose: bool) -> None:
    world = generate(seed)
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Settings(data_dir=Path(folder), database_url=None, worker=False)) as deps:
            await ensure_default_org(deps)
            started = time.perf_counter()
            told = await _say_all(deps, world)
            accepted = time.perf_counter()
            while await Worker(deps).run_once():
                pass
            finished = time.perf_counter()
            print(f"{len(world.lines)} messages accepted in {accepted - started:.1f} s, ", end="")
            print(f"processed and promoted in {finished - accepted:.1f} s")
            _report(world, await deps.db.read(_risen, told), verbose=verbose)


async def _say_all(deps: Deps, world: World) -> dict[str, str]:
    """Event to the fact it tells."""
    principal = Principal(DEFAULT_ORG, "benchmark", ALL_SCOPES)
    told: dict[str, str] = {}
    for start in range(0, len(world.lines), BATCH):
        lines = world.lines[start : start + BATCH]
        events = [
            NewEvent(
                actor_id=line.person.actor_id,
                session_id=f"{line.person.actor_id} {start}",
                kind=EventKind.USER_MESSAGE,
                content=line.text,
                metadata=line.metadata,
                role_id=line.person.role_id,
                team_id=line.person.team_id,
            )
            for line in lines
        ]
        ids = await ingest(deps, principal, events)
        told |= {event_id: line.fact for event_id, line in zip(ids, lines, strict=True)}
    return told


@dataclass(frozen=True, slots=True)
class Found:
    """A memory that has risen, and the facts told by the messages under it."""

    memory: Memory
    facts: Counter[str]


def _risen(connection: Connection, told: dict[str, str]) -> list[Found]:
    found = []
    for level in (Level.ROLE, Level.TEAM, Level.ORG):
        where = MemoryFilter(level=level.value)
        listed = memories.page(connection, DEFAULT_ORG, where, sort="created_at_desc", after=None, limit=10_000)
        found += [Found(each, _facts(connection, each.memory_id, told)) for each in listed]
    return found


def _facts(connection: Connection, memory_id: str, told: dict[str, str]) -> Counter[str]:
    ids = [row.supporting_memory_id for row in support.of(connection, DEFAULT_ORG, [memory_id]).get(memory_id, [])]
    facts: Counter[str] = Counter()
    for each in memories.by_ids(connection, DEFAULT_ORG, ids):
        if each.scope.level is Level.ACTOR:
            facts.update({told[event_id] for event_id in each.source_event_ids})
        else:
            facts.update(_facts(connection, each.memory_id, told))
    return facts


def _report(world: World, found: Sequence[Found], *, verbose: bool) -> None:
    at_right_level = {fact for each in found for fact in each.facts if world.right.get(fact) == each.memory.scope.key}
    for level in Level:
        facts = [fact for fact, key in world.right.items() if key.split(":")[0] == level.value]
        if facts:
            hits = sum(fact in at_right_level for fact in facts)
            print(f"shared facts at the right {level.value:4}: {hits} of {len(facts)}")
    private = [each for each in found if any(fact.startswith("private") for fact in each.facts)]
    mixed = [each for each in found if len(each.facts) > 1]
    wider = [each for each in found if world.right.get(next(iter(each.facts))) not in ("org", each.memory.scope.key)]
    print(f"recall of shared facts at the right level: {len(at_right_level) / len(world.right):.3f}")
    print(f"private facts promoted: {len(private)}")
    print(f"memories that mix facts: {len(mixed)}")
    print(
        f"memories risen: {len(found)}, of which to a team or the org because enough people there tell it: {len(wider)}"
    )
    if verbose:
        for each in found:
            print(f"  {each.memory.scope.key:18} {each.memory.confidence:.2f} {each.memory.text}  {dict(each.facts)}")
        for fact in sorted(world.right.keys() - at_right_level):
            print("  missed:", fact, world.right[fact], *(f"\n    {x.text}" for x in world.lines if x.fact == fact))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show every memory that has risen, and what was missed")
    options = parser.parse_args()
    asyncio.run(run(options.seed, verbose=options.verbose))


if __name__ == "__main__":
    main()
