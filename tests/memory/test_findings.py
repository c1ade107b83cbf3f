"""What calls found out: counted, and looked at again for as long as it is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.memory.findings import Findings
from tests import harness
from tests.harness import House


@pytest.fixture
def made(tmp_path: Path) -> Iterator[House]:
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        yield house


def test_those_that_hold_and_those_that_are_missed_are_counted(made: House) -> None:
    made.node.feed.stop()
    world = made.node.world
    hits, misses = world.findings.hits, world.findings.misses
    world.keep_finding("key", "value", "owner", [], 1)
    assert [world.get_finding(key) for key in ("key", "key", "other")] == ["value", "value", None]
    assert (world.findings.hits - hits, world.findings.misses - misses) == (2, 1)


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
