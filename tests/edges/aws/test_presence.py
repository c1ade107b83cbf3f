"""Members in the table of answers."""

import pytest

from sekisho.edges.aws import presence
from sekisho.edges.aws.presence import Presence
from tests.wire import presence as lines

KNOWN = Presence(frozenset({(("A",), "empty"), (("B",), "absent"), (("C",), "never"), (("D", "A"), "empty"), (("D", "E", "C"), "never")}))


def test_rows_of_a_member() -> None:
    assert [KNOWN.never(name) for name in "ABCD"] == [False, False, True, False]
    assert [KNOWN.always(name, otherwise=True) for name in "ABCD"] == [True, False, True, True]
    assert [KNOWN.always(name, otherwise=False) for name in "ABCD"] == [True, False, False, False]


def test_rows_within_a_member() -> None:
    assert KNOWN.within("D") == Presence(frozenset({(("A",), "empty"), (("E", "C"), "never")}))
    assert KNOWN.within("D").within("E").never("C")
    assert KNOWN.within("A") == Presence()


def test_every_line_is_a_row() -> None:
    read, made = lines.rows(), presence.table.__wrapped__()  # what the process has was made before
    assert sum(len(known.rows) for known in made.values()) == len(read)
    for row in read:
        assert (tuple(row.member.split(".")), row.when) in made[row.service, row.operation].rows
        assert presence.of(row.service, row.operation) == made[row.service, row.operation]
    assert presence.of("iam", "Nothing") == Presence()
    with pytest.raises(TypeError):
        made["iam", "Nothing"] = Presence()  # type: ignore[index]
