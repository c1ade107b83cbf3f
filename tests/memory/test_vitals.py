"""Look-ups are counted by what was looked for."""

import pytest

from sekisho.memory import vitals
from tests import scraped

COUNTED = {
    "records": (vitals.RECORD_HITS, vitals.RECORD_MISSES),
    "names": (vitals.NAME_HITS, vitals.NAME_MISSES),
    "findings": (vitals.FINDING_HITS, vitals.FINDING_MISSES),
}


@pytest.mark.parametrize("cache", COUNTED)
def test_hits_and_misses_of_each_cache_are_its_own(cache: str) -> None:
    hits, misses = COUNTED[cache]
    for counter, name in ((hits, "sekisho_cache_hits_total"), (misses, "sekisho_cache_misses_total")):
        before = {other: scraped.value(name, cache=other) for other in COUNTED}
        counter.inc()
        assert {other: scraped.value(name, cache=other) for other in COUNTED} == before | {cache: before[cache] + 1}
