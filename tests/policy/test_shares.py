"""Texts that are kept for their owners: bounded in characters, and nobody pushes out another's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sekisho.policy.shares import ENTRY, Shares


def made(text: str) -> list[str]:
    """A new value each time."""
    return [text]


def test_a_value_is_made_once_for_each_owner() -> None:
    shares: Shares[list[str]] = Shares(10_000)
    first = shares.get("a", "text", made)
    assert shares.get("a", "text", made) is first
    assert shares.get("b", "text", made) is not first
    assert (shares.characters("a"), shares.characters("b"), shares.characters("c")) == (4 + ENTRY, 4 + ENTRY, 0)


def test_a_flood_displaces_only_what_its_owner_has() -> None:
    shares: Shares[list[str]] = Shares(10 * (100 + ENTRY))
    others = [shares.get("bystander", f"{i}".ljust(100), made) for i in range(3)]
    for i in range(1000):
        shares.get("flood", f"{i}".ljust(100), made)
    assert shares.characters("flood") == 7 * (100 + ENTRY)
    assert [shares.get("bystander", f"{i}".ljust(100), made) for i in range(3)] == others
    assert all(shares.get("bystander", f"{i}".ljust(100), made) is one for i, one in enumerate(others))


def test_who_has_the_most_loses_the_oldest_of_it() -> None:
    shares: Shares[list[str]] = Shares(3 * (1 + ENTRY))
    a, b, c = (shares.get("owner", text, made) for text in "abc")
    assert shares.get("owner", "a", made) is a
    shares.get("owner", "d", made)
    assert shares.get("owner", "c", made) is c
    assert shares.get("owner", "a", made) is a
    assert shares.get("owner", "b", made) is not b


def test_what_is_larger_than_all_is_made_and_not_kept() -> None:
    shares: Shares[list[str]] = Shares(1000)
    assert shares.get("owner", "x" * 1001, made) == ["x" * 1001]
    assert shares.characters("owner") == 0


def test_what_cannot_be_made_is_not_kept() -> None:
    shares: Shares[list[str]] = Shares(1000)

    def refuse(text: str) -> list[str]:
        raise ValueError(text)

    with pytest.raises(ValueError, match="text"):
        shares.get("owner", "text", refuse)
    assert shares.characters("owner") == 0
    assert shares.get("owner", "text", made) == ["text"]


def test_one_value_is_made_at_a_time_and_each_once() -> None:
    shares: Shares[list[str]] = Shares(100_000)
    busy, together, counted = threading.Lock(), threading.Barrier(8), list[str]()

    def slow(text: str) -> list[str]:
        assert busy.acquire(blocking=False)
        counted.append(text)
        threading.Event().wait(0.001)  # lets the others run
        busy.release()
        return [text]

    def ask(number: int) -> list[list[str]]:
        together.wait(60)
        return [shares.get("owner", f"{(number + item) % 8}", slow) for item in range(8)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sorted(counted) == [str(number) for number in range(8)]
    assert all(len(one) == 8 for one in found)


def test_who_comes_after_a_flood_gets_room_from_it() -> None:
    shares: Shares[list[str]] = Shares(10 * (100 + ENTRY))
    for i in range(1000):
        shares.get("flood", f"{i}".ljust(100), made)
    late = [shares.get("late", f"{i}".ljust(100), made) for i in range(3)]
    assert (shares.characters("flood"), shares.characters("late")) == (7 * (100 + ENTRY), 3 * (100 + ENTRY))
    assert all(shares.get("late", f"{i}".ljust(100), made) is one for i, one in enumerate(late))
