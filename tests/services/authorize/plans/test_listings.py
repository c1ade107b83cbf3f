"""What is listed as allowed is what Authorize allows: seeded worlds. `make campaign` has 100,000 (`listings`)."""

from pathlib import Path

from tests.services.authorize.plans import listings

WORLDS = 60


def test_lists_are_what_authorize_allows(database_url: str, tmp_path: Path) -> None:
    counts, found = listings.run(database_url, tmp_path, 1, WORLDS)
    assert found == []
    assert counts["worlds"] == WORLDS
    assert counts["PlanNotExpressible"] < WORLDS / 10
    assert all(counts[entries] >= WORLDS for entries in ("resources", "actions", "principals")), counts
