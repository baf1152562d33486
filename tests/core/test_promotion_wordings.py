"""Statements from trades the tables were not made for, compared with the default embedder.

Three ways to say a thing rise, and one word that makes it another thing keeps two apart.
"""

from collections.abc import Sequence
from itertools import count

import pytest

from memcairn.core.promotion import stem
from memcairn.domain.claims import Claim, claims_of
from memcairn.domain.memories import Memory
from memcairn.domain.promotion import Evidence, Likeness, Rise, decide
from memcairn.domain.promotion_table import promotion_table
from memcairn.domain.scopes import actor_scope
from memcairn.domain.sense import AGREED, Sense, agreement, near_words, sense_of
from memcairn.providers.static import StaticEmbedder
from tests.build import at, make


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return StaticEmbedder()


def likeness(embedder: StaticEmbedder, senses: Sequence[Sense]) -> Likeness:
    """As the worker reads it."""
    words = {word for sense in senses for word in sense.words.values()}
    listed = sorted(words | {word for pair in promotion_table().unlike for word in pair})
    vectors = {word: vector for word, vector in zip(listed, embedder.embed(listed), strict=True) if vector.any()}
    return Likeness(vectors, near_words(vectors))


def told_by(person: int, text: str) -> list[Claim]:
    speaker = f"p{person}"
    memory = make(
        Memory, text=text, type="message", scope=actor_scope(speaker), speaker=speaker, observed_at=at(person)
    )
    return claims_of(memory, stem)


@pytest.mark.parametrize(
    "wordings",
    [
        (
            "Visitors sign in at the front desk.",
            "Every visitor has to sign in at the front desk.",
            "Guests must register at the front desk.",
        ),
        (
            "Gloves are worn in the lab at all times.",
            "Always wear gloves in the lab.",
            "Nobody works in the lab without gloves.",
        ),
        (
            "The warehouse gate closes at 6 pm.",
            "At 18:00 the gate of the warehouse is shut.",
            "The gate to the warehouse closes at six in the evening.",
        ),
        (
            "Returns are accepted within 14 days.",
            "Customers can return goods within fourteen days.",
            "We take returns for 14 days.",
        ),
        (
            "Overtime must be approved by the manager.",
            "No overtime without approval from the manager.",
            "Your manager has to approve overtime.",
        ),
        (
            "Samples are stored at minus twenty degrees.",
            "Keep samples at -20 degrees.",
            "We store the samples at minus 20 degrees.",
        ),
        (
            "Knives are sharpened every Monday.",
            "On Mondays we sharpen the knives.",
            "Every Monday the knives get sharpened.",
        ),
        (
            "Contracts are signed by two directors.",
            "Two directors must sign each contract.",
            "A contract needs the signatures of two directors.",
        ),
        (
            "Travel is booked through the portal.",
            "Book your travel through the portal.",
            "All travel has to be booked via the portal.",
        ),
        (
            "Passwords are changed every 90 days.",
            "Change passwords every ninety days.",
            "We have to change our password every 90 days.",
        ),
        (
            "The fire doors stay closed.",
            "Never leave the fire doors open.",
            "Fire doors must be kept shut.",
        ),
        (
            "Expense reports are due on the fifth.",
            "Hand in expense reports by the 5th.",
            "Expense reports must be submitted by the fifth of the month.",
        ),
        (
            "Interviews are held by two people.",
            "Two people hold every interview.",
            "Every interview is done by two people.",
        ),
        (
            "Fragile goods go on the top shelf.",
            "Put fragile items on the top shelf.",
            "Fragile goods belong on the top shelf.",
        ),
        (
            "Trucks are washed before loading.",
            "We wash the trucks before we load them.",
            "Wash every truck before it is loaded.",
        ),
        (
            "The newsletter goes out on Thursdays.",
            "We send the newsletter on Thursdays.",
            "Newsletters are sent every Thursday.",
        ),
        (
            "Suppliers are paid after thirty days.",
            "We pay suppliers after 30 days.",
            "Our suppliers get paid after thirty days.",
        ),
        (
            "Feature flags are removed after the launch.",
            "Remove feature flags after launch.",
            "After a launch we remove the feature flag.",
        ),
        (
            "Customer data never leaves the building.",
            "Customer data must not leave the building.",
            "Do not take customer data out of the building.",
        ),
        (
            "Exams are graded by two teachers.",
            "Two teachers grade each exam.",
            "Every exam gets graded by two teachers.",
        ),
        (
            "Logs are kept for sixty days.",
            "We keep logs for 60 days.",
            "Logs are deleted after 60 days.",
        ),
        (
            "Drones are only flown by licensed pilots.",
            "Only licensed pilots may fly drones.",
            "Nobody without a licence may fly a drone.",
        ),
        (
            "The oven is cleaned at the end of every shift.",
            "Clean the oven at the end of each shift.",
            "After every shift the oven gets cleaned.",
        ),
        (
            "New hires get a laptop on the first day.",
            "On their first day new hires receive a laptop.",
            "Every new hire gets a laptop on day one.",
        ),
        (
            "Support answers tickets within eight hours.",
            "Tickets are answered within 8 hours.",
            "We answer every ticket within eight hours.",
        ),
        (
            "We never discuss salaries in the open channel.",
            "Salaries are not discussed in the open channel.",
            "Don't discuss salaries in the open channel.",
        ),
        (
            "Pumps are inspected twice a year.",
            "We inspect the pumps two times a year.",
            "The pumps get inspected twice every year.",
        ),
        (
            "Photos need a caption.",
            "Every photo needs a caption.",
            "No photo without a caption.",
        ),
    ],
    ids=lambda wordings: wordings[0],
)
def test_what_three_people_say_in_their_own_words_rises(embedder: StaticEmbedder, wordings: tuple[str, ...]) -> None:
    claims = [claim for person, text in enumerate(wordings, 1) for claim in told_by(person, text)]
    names = count(1)

    decisions = decide(
        claims,
        (),
        Evidence(3),
        likeness(embedder, [claim.sense for claim in claims]),
        new_id=lambda: f"risen-{next(names)}",
    )

    assert [len(each.support) for each in decisions if isinstance(each, Rise)] == [3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Visitors sign in at the front desk.",
            "Visitors sign out at the front desk.",
        ),
        (
            "Gloves are worn in the lab at all times.",
            "Goggles are worn in the lab at all times.",
        ),
        (
            "Meeting rooms are booked for one hour at most.",
            "Meeting rooms are booked for two hours at most.",
        ),
        (
            "The warehouse gate closes at 6 pm.",
            "The warehouse gate opens at 6 pm.",
        ),
        (
            "Returns are accepted within 14 days.",
            "Returns are accepted within 30 days.",
        ),
        (
            "Overtime must be approved by the manager.",
            "Overtime must be approved by the director.",
        ),
        (
            "Samples are stored at minus twenty degrees.",
            "Samples are stored at plus twenty degrees.",
        ),
        (
            "Knives are sharpened every Monday.",
            "Knives are counted every Monday.",
        ),
        (
            "Travel is booked through the portal.",
            "Travel is cancelled through the portal.",
        ),
        (
            "The fire doors stay closed.",
            "The fire doors stay open.",
        ),
        (
            "Fragile goods go on the top shelf.",
            "Fragile goods go on the bottom shelf.",
        ),
        (
            "Trucks are washed before loading.",
            "Trucks are washed after loading.",
        ),
        (
            "Logs are kept for sixty days.",
            "Backups are kept for sixty days.",
        ),
        (
            "Interns may fly drones.",
            "Interns may not fly drones.",
        ),
        (
            "New hires get a laptop on the first day.",
            "New hires get a badge on the first day.",
        ),
        (
            "Tickets are answered within 8 hours.",
            "Tickets are closed within 8 hours.",
        ),
        (
            "Pumps are inspected twice a year.",
            "Pumps are replaced twice a year.",
        ),
        (
            "Contracts are signed by two directors.",
            "Contracts are read by two directors.",
        ),
        (
            "Suppliers are paid after thirty days.",
            "Suppliers are warned after thirty days.",
        ),
        (
            "Photos need a caption.",
            "Photos need a licence.",
        ),
        (
            "The oven is cleaned at the end of every shift.",
            "The oven is cleaned at the start of every shift.",
        ),
        (
            "Passwords are changed every 90 days.",
            "Certificates are changed every 90 days.",
        ),
        (
            "The newsletter goes out on Thursdays.",
            "The invoice goes out on Thursdays.",
        ),
        (
            "Exams are graded by two teachers.",
            "Exams are written by two teachers.",
        ),
        (
            "Customer data never leaves the building.",
            "Customer data often leaves the building.",
        ),
        (
            "Support works from home on Fridays.",
            "Sales works from home on Fridays.",
        ),
        (
            "Heavy parcels go by rail.",
            "Light parcels go by rail.",
        ),
        (
            "Refunds are paid in cash.",
            "Refunds are paid in vouchers.",
        ),
        (
            "Red labels mark urgent orders.",
            "Red labels mark cancelled orders.",
        ),
        (
            "The north entrance is for staff.",
            "The south entrance is for staff.",
        ),
    ],
)
def test_one_other_word_makes_another_statement(embedder: StaticEmbedder, one: str, other: str) -> None:
    senses = sense_of(one, stem), sense_of(other, stem)
    alike = likeness(embedder, senses)

    assert agreement(*senses, alike.vectors, alike.near) < AGREED
