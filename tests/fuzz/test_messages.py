"""Some thousands of the messages of `tests.fuzz.messages`, the same ones on every run."""

from pathlib import Path

import pytest

from tests import harness
from tests.fuzz.messages import Hammer

COUNT = 2000


@pytest.mark.parametrize(("database_url", "seed"), [("sqlite", 1), ("postgresql", 2)], indirect=["database_url"])
def test_no_message_breaks_anything(database_url: str, tmp_path: Path, seed: int) -> None:
    with harness.house(database_url, tmp_path) as house:
        outcome = Hammer(house, seed).strike(COUNT)
    assert not outcome.broken, "\n".join(outcome.broken[:5])
    assert outcome.codes.total() == COUNT
    assert outcome.codes["OK"] > COUNT // 100
    assert outcome.codes["ValidationError"] > COUNT // 20
    assert not {"InvalidClientTokenId", "SignatureDoesNotMatch", "RequestExpired"} & set(outcome.codes)
