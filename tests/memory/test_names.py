"""Names in memory: whose they are, which are nobody's, and what forgets them."""

from datetime import UTC, datetime

import pytest

from sekisho import arn
from sekisho.memory import names
from sekisho.memory.names import Name, Names
from sekisho.world import EntityRecord

ACCOUNT, OTHER = "111122223333", "444455556666"


def named(name: str, kind: str = "user", account: str = ACCOUNT) -> names.Key:
    """The key of a name."""
    return names.key(arn.Entity(account, kind, "/", name))


def bearer(number: int) -> Name:
    """The holder of a name."""
    return Name(f"AIDA{number}", "/", f"N{number}")


def test_a_name_is_known_by_account_and_kind_in_any_case_and_path() -> None:
    assert named("Ann") == (ACCOUNT, "user", "ann") == names.key(arn.Entity(ACCOUNT, "user", "/sales/", "ANN"))
    record = EntityRecord("AIDA1", OTHER, "role", "Clerk", "/r/", "arn", datetime(2026, 1, 1, tzinfo=UTC))
    assert names.key_of(record) == (OTHER, "role", "clerk")


def test_a_name_of_one_account_and_kind_says_nothing_of_others() -> None:
    made = Names()
    made.keep(named("ann"), bearer(1))
    made.keep(named("bob"), None)
    for other in (named("ann", "role"), named("ann", account=OTHER), named("bob", "role"), named("bob", account=OTHER)):
        assert (made.get_name(other), made.is_absent(other)) == (None, False)
    assert (made.get_name(named("ann")), made.is_absent(named("ann"))) == (bearer(1), False)
    assert (made.get_name(named("bob")), made.is_absent(named("bob"))) == (None, True)


def test_a_name_that_somebody_gets_is_not_nobodys() -> None:
    made = Names()
    made.keep(named("ann"), None)
    made.keep(named("ann"), bearer(1))
    assert (made.get_name(named("ann")), made.is_absent(named("ann"))) == (bearer(1), False)
    assert made.all() == ({named("ann"): bearer(1)}, [])


def test_who_gets_another_name_loses_the_one_before_and_no_other() -> None:
    made = Names()
    made.keep(named("ann"), bearer(1))
    made.keep(named("bob"), bearer(2))
    made.keep(named("zoe"), bearer(1))
    assert made.all()[0] == {named("bob"): bearer(2), named("zoe"): bearer(1)}
    made.forget("AIDA1")
    made.forget("AIDA1")
    made.forget("AIDA9")
    assert made.all()[0] == {named("bob"): bearer(2)}


def test_a_change_of_an_id_forgets_its_name_and_what_nobody_had_of_its_kind() -> None:
    made = Names()
    made.keep(named("ann"), bearer(1))
    made.keep(named("bob"), bearer(2))
    made.keep(named("zoe"), None)
    made.keep(named("zoe", "role"), None)
    made.keep(named("phone", "mfa"), None)
    made.evict("AIDA1")
    assert made.all() == ({named("bob"): bearer(2)}, [named("zoe", "role"), named("phone", "mfa")])
    made.evict("0" * 32)
    assert made.all() == ({named("bob"): bearer(2)}, [named("zoe", "role")])
    made.evict("AGPA1")  # of whose kind nothing is remembered
    assert made.all() == ({named("bob"): bearer(2)}, [named("zoe", "role")])


def test_everything_is_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST", 3)
    made = Names()
    for number in range(3):
        made.keep(named(f"n{number}"), bearer(number))
    assert len(made.all()[0]) == 3
    made.keep(named("n3"), bearer(3))
    assert made.all()[0] == {named("n3"): bearer(3)}
    made.keep(named("n0"), bearer(9))
    made.forget("AIDA0")  # who had that name before
    assert made.get_name(named("n0")) == bearer(9)


def test_names_that_are_nobodys_are_bounded_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_ABSENT", 2)
    made = Names()
    for name in ("a", "b", "c"):
        made.keep(named(name), None)
        made.keep(named(name, "role"), None)
    assert made.all()[1] == [named("b"), named("c"), named("b", "role"), named("c", "role")]


@pytest.mark.parametrize(("length", "is_kept"), [(512, True), (513, False)])
def test_only_so_long_a_name_is_remembered(length: int, is_kept: bool) -> None:
    made = Names()
    made.keep(named("x" * length), bearer(1))
    made.keep(named("y" * length), None)
    assert (made.get_name(named("x" * length)) is not None, made.is_absent(named("y" * length))) == (is_kept, is_kept)


def test_what_is_handed_out_is_a_copy() -> None:
    made = Names()
    made.keep(named("ann"), bearer(1))
    handed, _ = made.all()
    made.forget("AIDA1")
    assert handed == {named("ann"): bearer(1)}


def test_nothing_is_left_when_all_is_forgotten() -> None:
    made = Names()
    made.keep(named("ann"), bearer(1))
    made.keep(named("bob"), None)
    made.clear()
    assert made.all() == ({}, [])
    assert (made.get_name(named("ann")), made.is_absent(named("bob"))) == (None, False)
    made.keep(named("ann"), bearer(2))
    made.forget("AIDA1")
    assert made.get_name(named("ann")) == bearer(2)
