"""The two databases in turn: `--databases=turn` runs a test that would run on SQLite and on PostgreSQL on one of them.

A digest of the test's name says on which, so that it is the same at every run and on every machine, and half of a file's tests are on
each. What is about the database itself stays on both: the folders of `BOTH`. CI asks for `--databases=both`, as pytest without it has it.
"""

import hashlib
from pathlib import Path

import pytest

KINDS = ("sqlite", "postgresql")
BOTH = ("store", "migrations", "concurrency", "faults", "filters")
"""Folders of tests."""
_TESTS = Path(__file__).parent


def add_option(parser: pytest.Parser) -> None:
    """`--databases`."""
    parser.addoption(
        "--databases", choices=("both", "turn"), default="both", help="run a test on both kinds of database, or on one in turn"
    )


def leave(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose turn it is not."""
    if config.getoption("databases") == "turn":
        names = {item.nodeid for item in items}
        out = {item for item in items if is_left_out(item.nodeid, names) and item.path.relative_to(_TESTS).parts[0] not in BOTH}
        config.hook.pytest_deselected(items=list(out))
        items[:] = [item for item in items if item not in out]


def is_left_out(test: str, tests: set[str]) -> bool:
    """True of a test, by its node id, when the same test is there on the other kind of database and it is that one's turn."""
    head, _, parameters = test.partition("[")
    parts = parameters.removesuffix("]").split("-")
    found = [place for place, part in enumerate(parts) if part in KINDS]
    if len(found) != 1:
        return False
    kind = KINDS.index(parts[found[0]])
    twin, both = ("-".join([*parts[: found[0]], name, *parts[found[0] + 1 :]]) for name in (KINDS[1 - kind], "*"))
    return f"{head}[{twin}]" in tests and hashlib.sha256(f"{head}[{both}]".encode()).digest()[0] % 2 != kind
