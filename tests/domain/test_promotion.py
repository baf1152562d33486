"""What several people hold in common, and what stays with one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, count
from typing import Any

import numpy as np
import pytest

from memcairn.domain.claims import Claim, claims_of, generalised, naming_nobody, risen_claim
from memcairn.domain.memories import Memory, MemoryKind
from memcairn.domain.promotion import (
    Decision,
    Evidence,
    Held,
    Likeness,
    Return,
    Rise,
    Support,
    Uphold,
    Yield,
    confidence_of,
    decide,
)
from memcairn.domain.scopes import Level, Scope, actor_scope, scope_of_key
from memcairn.domain.sense import AGREED, Opposition, agreement, near_words, opposition, sense_of
from memcairn.domain.sensitive import carries_personal_data
from memcairn.domain.wording import plain
from memcairn.store.index.analysis import analyse
from tests.build import at, make

FROZEN = ("Deploys are frozen on Fridays.", "We never deploy on a Friday.", "No deploys on Fridays, please.")


def stem(word: str) -> str:
    return analyse(word)[0]


def said(text: str, actor_id: str = "ann", **fields: Any) -> list[Claim]:
    """The claims of a message of that actor."""
    memory = make(Memory, text=text, type="message", scope=actor_scope(actor_id), speaker=actor_id)
    return claims_of(replace(memory, **fields), stem)


def each_says(*texts: str, start: int = 1, day: int = 1) -> list[Claim]:
    """Every text is said by another person."""
    return [claim for n, text in enumerate(texts, start) for claim in said(text, f"p{n}", observed_at=at(n, day=day))]


def concluded(claims: Sequence[Claim], held: Sequence[Held] = (), evidence: Evidence | None = None) -> list[Decision]:
    names = count(1)
    return decide(claims, held, evidence or Evidence(3), Likeness(), new_id=lambda: f"risen-{next(names)}")


def held_from(rise: Rise, **fields: Any) -> Held:
    return replace(Held(rise.memory_id, rise.words.sense, rise.support), **fields)


def risen_from(*texts: str, **fields: int) -> Rise:
    [rise] = concluded(each_says(*texts, **fields))
    assert isinstance(rise, Rise)
    return rise


class TestAgreement:
    @pytest.mark.parametrize(
        "wordings",
        [
            ("Deploys are frozen on Fridays.", "We never deploy on a Friday.", "Friday releases are forbidden."),
            ("The standup is at half past nine.", "Standup starts at 9:30 am.", "The stand-up is at 9:30."),
            ("Quotes are valid for thirty days.", "A quote expires after 30 days."),
            ("Pallets are stacked three levels high at most.", "Never stack pallets higher than 3 levels."),
            ("Discounts over 15% need approval from finance.", "No discount above 15 percent unless finance approves."),
            (
                "The canteen closes at two in the afternoon.",
                "At 2 pm the canteen shuts.",
                "The canteen closes at 14:00.",
            ),
            (
                "Migrations run before the application starts.",
                "The application must not start until migrations have run.",
            ),
            ("Nobody but the press office talks to journalists.", "Only the press office may talk to journalists."),
            ("We delete flaky tests rather than retrying them.", "Flaky tests are deleted and not retried."),
            ("Laptops must be encrypted.", "No laptop may be unencrypted."),
        ],
    )
    def test_other_words_for_the_same_agree(self, wordings: Sequence[str]) -> None:
        for one, other in combinations(wordings, 2):
            assert agreement(sense_of(one, stem), sense_of(other, stem), {}) >= AGREED, (one, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Deploys are frozen on Fridays.", "Deploys are allowed on Fridays."),
            ("Deploys are frozen on Fridays.", "Deploys are frozen on Mondays."),
            ("Invoices are paid on the 15th.", "Invoices are paid on the 30th."),
            ("Invoices are paid on the 15th.", "Invoices are written on the 15th."),
            ("We use Postgres for billing.", "We use MySQL for billing."),
            ("Refunds above 200 euros go to a team lead.", "Refunds below 200 euros go to a team lead."),
            ("Run the migrations before the start.", "Run the migrations after the start."),
            ("The backup runs at 9 am.", "The backup runs at 9 pm."),
            ("The key to the red cabinet lies in the kitchen.", "The key to the blue cabinet lies in the kitchen."),
            ("Backups run at night.", "Lunch is served at noon."),
        ],
    )
    def test_one_difference_that_matters_is_enough(self, one: str, other: str) -> None:
        assert agreement(sense_of(one, stem), sense_of(other, stem), {}) < AGREED

    def test_words_with_near_vectors_stand_for_each_other_and_antonyms_never_do(self) -> None:
        near = {word: np.ones(1, dtype=np.float32) for word in ("couch", "sofa", "buys", "sells")}
        same = (sense_of("The lobby has a green couch.", stem), sense_of("The lobby has a green sofa.", stem))
        opposite = (sense_of("The firm buys old paper.", stem), sense_of("The firm sells old paper.", stem))

        assert agreement(*same, {}) < AGREED <= agreement(*same, near)
        assert agreement(*opposite, near) < AGREED

    def test_an_embedder_that_finds_everything_alike_is_not_believed(self) -> None:
        alike = {word: np.ones(1, dtype=np.float32) for word in ("tea", "coffee", "couch", "sofa")}
        same = (sense_of("The lobby has a green couch.", stem), sense_of("The lobby has a green sofa.", stem))

        assert near_words(alike) > 1.0
        assert agreement(*same, alike, near_words(alike)) < AGREED

    @pytest.mark.parametrize(
        ("one", "other", "how"),
        [
            ("Deploys are frozen on Fridays.", "Deploys are allowed on Fridays.", Opposition.DENIED),
            ("The standup is at 9:30.", "The standup is at 10.", Opposition.CHANGED),
            ("Deploys are frozen on Fridays.", "Deploys are frozen on Mondays.", Opposition.CHANGED),
            ("Deploys are frozen on Fridays.", "Lunch is served on Fridays.", None),
            ("The standup is at 9:30.", "The standup begins at half past nine.", None),
        ],
    )
    def test_what_excludes_a_statement_is_told_from_what_does_not(
        self, one: str, other: str, how: Opposition | None
    ) -> None:
        assert opposition(sense_of(one, stem), sense_of(other, stem), {}) is how


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("half past nine", "9:30"),
        ("quarter to ten", "9:45"),
        ("at 14:00", "at 2 pm"),
        ("midnight", "12 am"),
        ("two hundred and thirty", "200 and 30"),
        ("twenty-five", "25"),
        ("the 3rd", "the 3"),
        ("1,200 pages", "1200 pages"),
    ],
)
def test_numbers_and_times_have_one_spelling(text: str, numbers: str) -> None:
    assert " ".join(plain(text).split()) == numbers


class TestClaims:
    @pytest.mark.parametrize(
        "text",
        [
            "Are deploys frozen on Fridays?",
            "My deploy failed on Friday.",
            "I moved to Lisbon with my sister.",
            "I am allergic to peanuts and nuts.",
            "Maria approves the holiday requests.",
            "Send the receipts to @lena in accounting.",
            "The deploy is running right now on staging.",
            "Yesterday we deployed the new search.",
            "Thanks, that sounds great to everybody!",
            "He said that deploys are frozen on Fridays.",
            "Maybe deploys are frozen on Fridays.",
            "You look tired after the release.",
            "Orders for the bakery go to orders@bakery.example.",
            "ok",
        ],
    )
    def test_what_is_personal_passing_or_mere_talk_is_no_claim(self, text: str) -> None:
        assert said(text) == []

    def test_each_statement_of_a_message_is_a_claim_of_its_own(self) -> None:
        claims = said("Morning! Deploys are frozen on Fridays. How are you? Backups run every night.")

        assert [claim.general for claim in claims] == ["Deploys are frozen on Fridays.", "Backups run every night."]

    @pytest.mark.parametrize("marked", [{"metadata": {"private": True}}, {"tags": ("Private",)}])
    def test_what_is_marked_private_is_no_claim(self, marked: dict[str, Any]) -> None:
        assert said(FROZEN[0], **marked) == []

    def test_a_typed_memory_loses_its_speaker(self) -> None:
        [claim] = said("Ann prefers short meetings", type="preference", speaker="Ann", kind=MemoryKind.SEMANTIC)

        assert (claim.general, claim.type) == ("People here prefer short meetings.", "preference")

    @pytest.mark.parametrize("tag", ["family", "health", "identity"])
    def test_a_typed_memory_about_the_person_is_no_claim(self, tag: str) -> None:
        assert said("Ann prefers oat milk at work", type="preference", speaker="Ann", tags=(tag,)) == []

    def test_known_people_are_named_nowhere(self) -> None:
        claims = said("Zorblax approves the holiday requests.") + said(FROZEN[0])

        assert [claim.said for claim in naming_nobody(claims, ["Zorblax Quint"])] == [FROZEN[0]]
        assert [claim.said for claim in naming_nobody(claims, ["zorblax"])] == [FROZEN[0]]

    @pytest.mark.parametrize(
        ("sentence", "general"),
        [
            ("Deploys are frozen on Fridays.", "Deploys are frozen on Fridays."),
            ("We never deploy on a Friday", "Never deploy on a Friday."),
            ("I always lock my screen", "Always lock the screen."),
            ("We keep our notes in Notion.", "People here keep the notes in Notion."),
            ("After each update we restart the scanner.", "After each update people restart the scanner."),
        ],
    )
    def test_the_first_person_is_written_out(self, sentence: str, general: str) -> None:
        assert generalised(sentence) == general

    @pytest.mark.parametrize(
        "text",
        [
            "Mail ann@example.org",
            "name at example dot com",
            "call +49 30 5550 1734",
            "our number is 555-0199",
            "IBAN DE89 3704 0044 0532 0130 00",
            "the account number is 8812",
            "five five five, one two three four",
            "the server is 10.20.30.40",
            "the token abcd1234efgh5678ijkl",
        ],
    )
    def test_contact_and_account_data_is_seen(self, text: str) -> None:
        assert carries_personal_data(text)

    @pytest.mark.parametrize(
        "text",
        [
            "on 2026-03-15 at 10:30",
            "a budget of 1,200,000 euros",
            "port 8080",
            "from 2019 to 2023",
            "room 204, floor 2",
        ],
    )
    def test_dates_sums_and_short_numbers_are_no_such_data(self, text: str) -> None:
        assert not carries_personal_data(text)


class TestRising:
    def test_what_three_people_say_in_their_own_words_rises(self) -> None:
        rise = risen_from(*FROZEN)

        assert rise.words.general in ("Deploys are frozen on Fridays.", "No deploys on Fridays, please.")
        assert sorted(person for each in rise.support for person in each.people) == ["p1", "p2", "p3"]

    def test_what_two_people_say_does_not(self) -> None:
        assert concluded(each_says(*FROZEN[:2])) == []

    def test_one_person_alone_is_one_however_often(self) -> None:
        claims = [claim for text in (*FROZEN, *FROZEN) for claim in said(text, "ann")]

        assert concluded(claims) == []

    def test_one_utterance_in_the_memories_of_many_is_one_voice(self) -> None:
        copies = [claim for actor_id in ("a", "b", "c", "d") for claim in said(FROZEN[0], actor_id, speaker="Bob")]

        assert concluded(copies) == []

    def test_the_same_name_with_other_words_is_somebody_else(self) -> None:
        claims = [claim for n, text in enumerate(FROZEN) for claim in said(text, f"p{n}", speaker="Ann")]

        assert [type(decision) for decision in concluded(claims)] == [Rise]

    def test_two_statements_make_two_memories(self) -> None:
        backups = ("Backups run at midnight.", "We run the backups at midnight.", "At midnight the backups run.")

        assert len(concluded([*each_says(*FROZEN), *each_says(*backups)])) == 2

    def test_near_misses_do_not_add_up(self) -> None:
        claims = each_says(
            "The blue marker means that the page is done.",
            "The red marker means that the page is done.",
            "The green marker means that the page is done.",
        )

        assert concluded(claims) == []

    def test_the_type_comes_from_what_most_of_them_say(self) -> None:
        rise = risen_from("Never deploy on Fridays.", "Always avoid deploys on Fridays.", "No deploys on Fridays.")

        assert (rise.kind, rise.type) == (MemoryKind.SEMANTIC, "norm")

    def test_the_same_claims_again_change_nothing(self) -> None:
        claims = each_says(*FROZEN)
        [rise] = concluded(claims)
        assert isinstance(rise, Rise)

        assert concluded(claims, [held_from(rise)]) == []

    def test_one_more_person_upholds_it_and_makes_it_surer(self) -> None:
        rise = risen_from(*FROZEN)

        [upheld] = concluded(each_says("Don't deploy on Fridays.", start=9), [held_from(rise)])

        assert isinstance(upheld, Uphold)
        assert upheld.memory_id == rise.memory_id
        assert upheld.confidence > rise.confidence

    def test_what_somebody_deleted_swallows_what_agrees_with_it(self) -> None:
        claims = each_says(*FROZEN, start=11)

        decisions = concluded(claims, [held_from(risen_from(*FROZEN), dropped=True)])

        assert [type(decision) for decision in decisions] == [Uphold]

    def test_the_evidence_of_one_person_does_not_grow_by_repetition(self) -> None:
        once = [Support("m1", frozenset({"a"}), at())]

        assert confidence_of(once * 3) == confidence_of(once) == 0.5
        assert confidence_of([Support(f"m{n}", frozenset({f"p{n}"}), at()) for n in range(3)]) == 0.875


class TestConflicts:
    EARLY = ("The standup is at 9:30.", "Standup starts at half past nine.", "The standup begins at 9:30.")
    LATE = ("The standup is at 10.", "Standup starts at ten.", "The standup begins at 10 o'clock.")

    def test_of_two_numbers_the_later_holds_when_as_many_say_it(self) -> None:
        early = risen_from(*self.EARLY)

        risen, yielding = concluded(each_says(*self.LATE, start=11, day=5), [held_from(early, memory_id="early")])

        assert isinstance(risen, Rise)
        assert yielding == Yield("early", risen.memory_id)

    def test_of_two_numbers_the_one_more_people_say_holds(self) -> None:
        early = risen_from(*self.EARLY, "We have the standup at 9:30.")

        decisions = concluded(each_says(*self.LATE, start=11, day=5), [held_from(early, memory_id="early")])

        assert decisions == []

    def test_people_count_with_what_they_said_last(self) -> None:
        early = risen_from(*self.EARLY, "We have the standup at 9:30.")

        risen, yielding = concluded(each_says(*self.LATE, day=5), [held_from(early, memory_id="early")])

        assert isinstance(risen, Rise)
        assert yielding == Yield("early", risen.memory_id)

    def test_what_had_yielded_holds_again_when_more_people_say_it_again(self) -> None:
        early = held_from(risen_from(*self.EARLY), memory_id="early", standing=False)
        late = held_from(risen_from(*self.LATE, start=11, day=5), memory_id="late")
        again = each_says("The standup starts at 9:30.", "The standup is at half past nine.", start=15, day=9)

        upheld, *settled = concluded(again, [early, late])

        assert isinstance(upheld, Uphold)
        assert settled == [Return("early"), Yield("late", "early")]

    def test_two_days_may_both_be_right(self) -> None:
        fridays = risen_from(*FROZEN)
        mondays = ("Deploys are frozen on Mondays.", "We never deploy on Mondays.", "No deploys on Mondays.")

        decisions = concluded(each_says(*mondays, start=11, day=5), [held_from(fridays, memory_id="fridays")])

        assert [type(decision) for decision in decisions] == [Rise]

    def test_those_who_correct_themselves_leave_too_few_behind(self) -> None:
        fridays = risen_from(*FROZEN)
        mondays = tuple(f"Actually, {text.replace('Friday', 'Monday')}" for text in FROZEN)

        risen, yielding = concluded(each_says(*mondays, day=5), [held_from(fridays, memory_id="fridays")])

        assert isinstance(risen, Rise)
        assert yielding == Yield("fridays", risen.memory_id)


class TestGroups:
    def group(self, number: int, *people: str) -> Claim:
        memory = make(Memory, memory_id=f"g{number}", text=FROZEN[0], scope=Scope(Level.ROLE, role_id=f"r{number}"))
        return risen_claim(memory, frozenset(people), stem)

    def test_two_roles_with_people_of_their_own_are_enough(self) -> None:
        decisions = concluded([self.group(1, "a", "b", "c"), self.group(2, "d", "e", "f")], (), Evidence(3, True))

        assert [type(decision) for decision in decisions] == [Rise]

    @pytest.mark.parametrize("others", [("a", "b", "c"), ("a", "b", "c", "d"), ("c", "d", "e")])
    def test_a_role_and_a_team_of_mostly_the_same_people_are_not(self, others: Sequence[str]) -> None:
        decisions = concluded([self.group(1, "a", "b", "c"), self.group(2, *others)], (), Evidence(3, True))

        assert decisions == []


@pytest.mark.parametrize("scope", [actor_scope("a:b"), Scope(Level.ROLE, role_id="r"), Scope(Level.ORG)])
def test_a_scope_is_read_back_from_its_key(scope: Scope) -> None:
    assert scope_of_key(scope.key) == scope
