"""Markers of lists are good for the same list, asked for by the same account in the same words, at whatever place and size."""

from pathlib import Path
from typing import Any

import pytest

from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.credentials.key_ring import KeyRing
from sekisho.store.paging import Cursor, InvalidMarker
from sekisho.world import Subject
from tests.calls.fakes import ANN, OTHER, FakeNode


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(Path(tmp_path_factory.mktemp("ring")) / "keyring.json")


def cursor(call: Call, size: str = "max_items", **fields: Any) -> Cursor:
    return pages.cursor(call, call.operation.request(**fields), place="marker", size=size)


def test_a_marker_opens_the_same_list(ring: KeyRing) -> None:
    call = FakeNode(ring=ring).call("ListUsers")
    request = call.operation.request(path_prefix="/x/", marker="m", max_items=7)
    made = pages.cursor(call, request, place="marker", size="max_items").marker(["a", 7])
    assert request == call.operation.request(path_prefix="/x/", marker="m", max_items=7)
    again = FakeNode(ring=ring).call("ListUsers")
    for fields in ({}, {"marker": made}, {"max_items": 9}):
        assert cursor(again, path_prefix="/x/", **fields).open(made) == ["a", 7]
    assert cursor(again, "no_field", path_prefix="/x/").open(made) == ["a", 7]


@pytest.mark.parametrize(
    ("name", "subject", "size", "fields"),
    [
        ("ListUsers", ANN, "max_items", {}),
        ("ListUsers", ANN, "max_items", {"path_prefix": "/y/"}),
        ("ListUsers", ANN, "no_field", {"path_prefix": "/x/", "max_items": 7}),
        ("ListGroups", ANN, "max_items", {"path_prefix": "/x/"}),
        ("ListUsers", Subject(OTHER, OTHER), "max_items", {"path_prefix": "/x/"}),
    ],
)
def test_a_marker_of_another_list_opens_none(ring: KeyRing, name: str, subject: Subject, size: str, fields: dict[str, Any]) -> None:
    made = cursor(FakeNode(ring=ring).call("ListUsers"), path_prefix="/x/").marker(["a"])
    call = FakeNode(ring=ring).call(name)
    call.acting, _ = call.node.world.acting(subject, call.now)
    with pytest.raises(InvalidMarker):
        cursor(call, size, **fields).open(made)


def test_a_marker_of_another_ring_opens_none(ring: KeyRing, tmp_path: Path) -> None:
    made = cursor(FakeNode(ring=ring).call("ListUsers")).marker(["a"])
    other = KeyRing.create(tmp_path / "keyring.json")
    with pytest.raises(InvalidMarker):
        cursor(FakeNode(ring=other).call("ListUsers")).open(made)


def test_the_order_of_a_map_is_no_filter(ring: KeyRing) -> None:
    call = FakeNode(ring=ring).call("ListFindings")
    keys = [f"key-{number}" for number in range(100)]
    filters = [{key: {"eq": [key]} for key in order} for order in (keys, keys[::-1])]
    requests = [call.operation.request(analyzer_arn="a", filter=one) for one in filters]
    assert len({pages.cursor(call, request, place="next_token", size="max_results").scope for request in requests}) == 1
