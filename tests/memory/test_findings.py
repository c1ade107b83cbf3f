"""Findings by owner: what is kept, who loses what when all room is taken, and what is looked at again."""

from collections.abc import Hashable

from sekisho.memory.findings import ENTRY, Finding, Findings
from sekisho.world import AccountRecord

RECORD = AccountRecord("111122223333", "ACTIVE")


def full(*owners: str, room: int = 64) -> tuple[Findings, list[str]]:
    """Findings with room for so many that cost nothing beside themselves, one of each of these owners in this order, by number."""
    made = Findings(room * ENTRY)
    for number, owner in enumerate(owners):
        made.keep(number, owner, owner, (), 0)
    return made, list(owners)


def left(findings: Findings, keys: range) -> list[int]:
    """The keys that are there."""
    return [key for key in keys if findings.get(key) is not None]


def test_a_finding_has_what_it_was_made_of() -> None:
    findings = Findings()
    findings.keep("key", "value", "owner", [("id", RECORD)], 100)
    found = findings.get("key")
    assert found is not None
    assert (found.value, found.owner, found.origins, found.cost) == ("value", "owner", (("id", RECORD),), 100 + ENTRY)
    assert (found.turn, found.used) == (-1, False)
    assert findings.size == (1, 100 + ENTRY)
    assert (findings.hits, findings.misses) == (0, 0)


def test_what_was_made_of_something_absent_is_not_kept() -> None:
    findings = Findings()
    findings.keep("key", "value", "owner", [("id", RECORD), ("gone", None)], 1)
    assert findings.get("key") is None
    assert findings.size == (0, 0)


def test_a_finding_that_is_larger_than_the_room_that_is_freed_at_once_is_not_kept() -> None:
    findings = Findings(64 * 1_000)
    findings.keep("large", "value", "owner", (), 1_001 - ENTRY)
    assert findings.get("large") is None
    findings.keep("just", "value", "owner", (), 1_000 - ENTRY)
    assert findings.get("just") is not None


def test_a_finding_in_the_place_of_another() -> None:
    findings = Findings()
    findings.keep("key", "old", "one", (), 100)
    findings.keep("key", "new", "two", (), 10)
    found = findings.get("key")
    assert found is not None
    assert found.value == "new"
    assert findings.size == (1, 10 + ENTRY)
    assert findings._sizes == {"two": 10 + ENTRY}


def test_everything_is_forgotten() -> None:
    findings, _ = full("one", "two", "one")
    findings.clear()
    assert findings.size == (0, 0)
    findings.keep("key", "value", "one", (), 0)
    assert findings.size == (1, ENTRY)


def test_the_largest_owner_loses_its_oldest_and_a_part_of_the_room_is_freed_at_once() -> None:
    findings, owners = full(*["small"] * 10, *["large"] * 54)
    assert findings.size == (64, 64 * ENTRY)  # no more than may be
    findings.keep(64, "value", "small", (), 0)
    assert findings.size == (63, 63 * ENTRY)
    assert left(findings, range(65)) == [*range(10), *range(12, 65)]
    assert owners.count("small") == 10


def test_two_that_have_as_much_lose_as_much() -> None:
    findings, owners = full(*["a"] * 320, *["b"] * 320, room=640)
    findings.keep(640, "a", "a", (), 0)
    lost = [owner for number, owner in enumerate(owners) if findings.get(number) is None]
    assert (len(lost), abs(lost.count("a") - lost.count("b")) <= 3) == (11, True)


def test_the_largest_of_all_loses_whenever_it_came() -> None:
    findings, owners = full(*["b"] * 18, *["a"] * 5, *["d"] * 12, *["c"] * 24, *["e"] * 5)
    findings.keep(64, "e", "e", (), 0)
    assert [owner for number, owner in enumerate(owners) if findings.get(number) is None] == ["c", "c"]


def test_of_several_large_owners_none_falls_below_the_others() -> None:
    findings, _ = full(*["one"] * 32, *["two"] * 31, "three")
    findings.keep(64, "value", "three", (), 0)
    gone = [key for key in range(65) if findings.get(key) is None]
    assert gone == [0, 1]  # `one` to just below `two`
    for key in (65, 66):
        findings.keep(key, "value", "three", (), 0)
    assert [key for key in range(67) if findings.get(key) is None] == [0, 1, 32, 33]


def test_an_owner_that_has_lost_everything_is_no_owner_any_more() -> None:
    findings = Findings(64 * ENTRY)
    for number in range(65):
        findings.keep(number, "value", f"owner-{number}", (), 0)
    assert findings.size == (63, 63 * ENTRY)
    findings.clear()
    assert findings.size == (0, 0)
    for number in range(65):
        findings.keep(number, "value", "again", (), 0)
    assert left(findings, range(65)) == list(range(2, 65))


def test_what_was_used_has_a_second_chance() -> None:
    findings, _ = full(*["one"] * 64)
    for key in (0, 2):
        found = findings.get(key)
        assert found is not None
        found.used = True
    findings.keep(64, "value", "one", (), 0)
    assert [key for key in range(65) if findings.get(key) is None] == [1, 3]
    for key in range(65, 67):  # the chance was the only one: they have come again after all others
        findings.keep(key, "value", "one", (), 0)
    assert [key for key in range(67) if findings.get(key) is None] == [1, 3, 4, 5]
    for key in range(67, 140):
        findings.keep(key, "value", "one", (), 0)
    assert findings.get(0) is None
    assert findings.get(2) is None


def test_those_that_hold_no_more_are_forgotten_some_at_a_time() -> None:
    findings, _ = full(*["one"] * 5)
    seen: list[Hashable] = []

    def holds(found: Finding) -> bool:
        seen.append(found)
        return found is not findings.get(1)

    sizes = []
    for _ in range(3):
        findings.sweep(2, holds)
        sizes.append(findings.size[0])
    assert len(seen) == 5
    assert sizes == [5, 4, 4]
    assert left(findings, range(5)) == [0, 2, 3, 4]
    findings.sweep(64, holds)
    assert len(seen) == 9


def test_a_finding_that_has_gone_is_not_looked_at() -> None:
    """Between two looks something may be forgotten that the next would have come to."""
    findings, seen = Findings(1_000_000), list[object]()

    def holds(found: object) -> bool:
        seen.append(found)
        return True

    for number in range(3):
        findings.keep((number,), "value", "111122223333", (), 1)
    findings.sweep(1, holds)
    findings.clear()
    findings.sweep(2, holds)
    assert len(seen) == 1
