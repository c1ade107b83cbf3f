"""The bytes that a worker holds for callers whom it does not know: bounded in all, and for each address."""

import pytest

from sekisho.edges import budgets
from sekisho.edges.budgets import MIB, Budget


def test_an_address_has_its_share_and_all_together_have_no_more_than_there_is() -> None:
    budget = Budget(10, 6)
    assert [budget.take("a", size) for size in (7, 5, 2, 1, 1)] == [False, True, False, True, False]
    assert [budget.take("b", size) for size in (5, 4, 1)] == [False, True, False]
    assert (budget.taken, dict(budget._taken)) == (10, {"a": 6, "b": 4})


def test_what_is_given_back_can_be_taken_again() -> None:
    budget = Budget(10, 6)
    assert budget.take("a", 6)
    budget.give("a", 2)
    assert (budget.taken, budget.take("a", 3), budget.take("a", 2)) == (4, False, True)
    budget.give("a", 6)
    assert (budget.taken, budget._taken) == (0, {})  # nothing is kept of who is gone
    assert not budget.take("c", 7)
    assert budget._taken == {}


@pytest.mark.parametrize(
    ("address", "size", "full"),
    [
        ("a", 1, False),  # it has its share: others are not to give way to it
        ("b", 3, False),  # more than its share
        ("b", 2, True),
        ("b", 1, False),  # there is room
        ("c", 6, True),
        ("c", 7, False),
    ],
)
def test_room_is_lacking_for_the_sake_of_all(address: str, size: int, full: bool) -> None:
    budget = Budget(11, 6)
    assert budget.take("a", 6)
    assert budget.take("b", 4)
    assert budget.full(address, size) is full
    assert budget.taken == 10


def test_it_takes_two_addresses_to_fill_an_edge() -> None:
    budget = Budget()
    assert budget.take("a", 32 * MIB)
    assert not budget.take("a", 1)
    assert budget.take("b", 32 * MIB)
    assert not budget.take("c", 1)
    assert budget.full("c", 1)
    assert MIB == 1 << 20


@pytest.mark.parametrize(
    ("host", "holder"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0%1", "fe80::/64"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_who_is_charged(host: str, holder: str) -> None:
    assert budgets.holder(host) == holder
