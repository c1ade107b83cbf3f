"""Texts that are kept for their owners: bounded in characters, and nobody pushes out another's."""

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
