"""A node that remembers answers as one that does not; `make campaign` asks a million pairs."""

from pathlib import Path

from tests.calls.near_collisions import compare

PAIRS = 3_000


def test_what_is_remembered_changes_no_answer(tmp_path: Path) -> None:
    found = compare(tmp_path, PAIRS, seed=20)
    assert found.differences == []
    assert found.pairs >= PAIRS
    assert found.kinds["answer"] > PAIRS // 10
    assert found.kinds["AccessDenied"] > PAIRS // 100
    assert found.kinds["InvalidClientTokenId"] > PAIRS // 100
    assert found.kinds["RequestExpired"] > PAIRS // 100
