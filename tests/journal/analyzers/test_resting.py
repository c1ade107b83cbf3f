"""Rests of analyzers of external access."""

import math
from collections.abc import Iterator
from datetime import timedelta

import pytest

from sekisho.analysis.solver import Grant
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.scanning import Scanning
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store import db
from sekisho.store.tables import AnalyzedResource
from tests.journal.analyzers.estate import NOW, OPEN, Estate, estate, exhausted


@pytest.fixture
def made(database_url: str) -> Iterator[Estate]:
    """An account with an analyzer that has looked at nothing yet."""
    with db.Database(database_url) as database:
        found = estate(database)
        found.analyzer()
        yield found


def test_whose_policies_take_the_solver_long_rests_while_others_are_looked_at(made: Estate) -> None:
    """Of external access: whoever wrote many hard policies had the scan look at nothing else."""
    moment, hard = [NOW], [0]

    def ask(document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...]:
        if "hard" in document:
            hard[0] += 1
            moment[0] += timedelta(seconds=5)
        return ()

    scanning = Scanning(made.database, Looking(ask), now=lambda: moment[0])
    exhausted(scanning)
    for number in range(20):
        made.roles(number, 1, OPEN.replace('"Version"', f'"Id": "hard-{number}", "Version"'))
        exhausted(scanning)
    assert hard[0] == 7, "thirty seconds, and one look more"
    assert 0 < scanning.rests <= 20
    made.analyzer("other")
    while scanning.rests < math.inf:
        moment[0] += timedelta(seconds=scanning.rests)
        exhausted(scanning)
    assert made.count(AnalyzedResource) == [40], "of each analyzer: nothing that was put off is forgotten"
