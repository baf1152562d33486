"""What becomes of a closed memory when the one that closed it is gone."""

from memcairn.domain.supersession import Belief, contradictory, next_rival
from tests.build import at

LISBON = Belief("1", at(1), "lisbon")
PORTO = Belief("2", at(2), "porto")
FARO = Belief("3", at(3), "faro")


class TestContradictory:
    def test_another_value_contradicts(self) -> None:
        assert contradictory("porto", "lisbon")
        assert not contradictory("lisbon", "lisbon")

    def test_a_denial_contradicts_what_it_denies_and_nothing_else(self) -> None:
        assert contradictory("not lisbon", "lisbon")
        assert contradictory("lisbon", "not lisbon")
        assert not contradictory("not lisbon", "porto")


class TestNextRival:
    def test_with_nothing_left_it_holds_again(self) -> None:
        assert next_rival(LISBON, [], []) is None

    def test_the_earliest_later_value_closes_it_now(self) -> None:
        assert next_rival(LISBON, [FARO, PORTO], []) == PORTO

    def test_what_was_said_before_does_not_close_it(self) -> None:
        assert next_rival(PORTO, [LISBON], []) is None

    def test_the_same_value_said_later_does_not_close_it(self) -> None:
        assert next_rival(LISBON, [Belief("9", at(5), "lisbon")], []) is None

    def test_of_one_moment_the_order_of_storing_counts(self) -> None:
        earlier, later = Belief("1", at(1), "lisbon"), Belief("2", at(1), "porto")

        assert next_rival(earlier, [later], []) == later
        assert next_rival(later, [earlier], []) is None

    def test_a_correction_closes_it_though_it_fills_no_slot(self) -> None:
        assert next_rival(Belief("1", at(1)), [], [Belief("2", at(2))]) == Belief("2", at(2))
