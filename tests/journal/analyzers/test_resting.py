"""Rests of analyzers of external access."""

import math
from datetime import timedelta

from sqlalchemy import select

from sekisho.analysis.solver import Grant
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.scanning import RETRIED, Scanning
from sekisho.journal.analyzers.slices import SLICE
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store.tables import AnalyzedResource, Analyzer
from tests.journal.analyzers.estate import NOW, OPEN, OWNER, Estate, exhausted


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


def test_what_waits_for_an_analyzer_that_rests_or_looks_no_more_is_before_nobodys(made: Estate) -> None:
    """More of it could not be analyzed than one slice looks at again; what others could not analyze is looked at all the same."""
    moment, looked = [NOW], list[str]()

    def ask(document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...] | None:
        looked.append(resource.rpartition("/")[2])
        return None

    scanning = Scanning(made.database, Looking(ask), now=lambda: moment[0])
    made.roles(0, SLICE + 1)
    exhausted(scanning)
    moment[0] += timedelta(seconds=1)
    made.analyzer("other")
    exhausted(scanning)
    for name in ("rests", "looks no more"):
        moment[0] += RETRIED + timedelta(seconds=1)
        if name == "rests":
            made.write(lambda session: setattr(session.get_one(Analyzer, "analyzer-main"), "type", "ORGANIZATION"))
            scanning._pace.took((OWNER, "ORGANIZATION"), moment[0] - timedelta(hours=10))
        else:
            made.write(lambda session: setattr(session.get_one(Analyzer, "analyzer-main"), "organization_id", "o-gone"))
        looked.clear()
        exhausted(scanning)
        assert len(looked) == SLICE, name
        with made.database.read() as session:
            again = select(AnalyzedResource.analyzer_id).where(AnalyzedResource.analyzed_at == moment[0]).distinct()
            assert session.scalars(again).all() == ["analyzer-other"], name


def test_an_analyzer_that_is_made_anew_rests_on(made: Estate) -> None:
    """A burst for each new one would be the whole scan for whoever deletes and makes one again and again."""
    moment, hard = [NOW], [0]

    def ask(document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...]:
        hard[0] += 1
        moment[0] += timedelta(seconds=5)
        return ()

    scanning = Scanning(made.database, Looking(ask), now=lambda: moment[0])
    made.roles(0, 10)
    for number in range(10):
        made.trust(number, OPEN.replace('"Version"', f'"Id": "hard-{number}", "Version"'))
    exhausted(scanning)
    assert (hard[0], scanning.rests) == (7, 20), "thirty-five seconds are five more than a burst"
    made.delete("analyzer-main")
    made.analyzer("again")
    scanning._looking = Looking(ask)  # which knows no answer
    exhausted(scanning)
    assert (hard[0], scanning.rests) == (7, 20)
    while scanning.rests < math.inf:
        moment[0] += timedelta(seconds=scanning.rests)
        exhausted(scanning)
    assert hard[0] == 17
