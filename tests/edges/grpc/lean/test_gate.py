"""Whose place in the line a call takes."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sekisho.edges import doubts
from sekisho.edges.grpc.lean.asked import Asked, Method
from sekisho.edges.grpc.lean.counts import Counts
from sekisho.edges.grpc.lean.gate import Gate
from sekisho.edges.grpc.lean.heads import Head
from sekisho.edges.grpc.lean.line import FEWEST, Line
from sekisho.edges.lanes import Claim
from tests.edges.grpc.ways import BESIDE, told
from tests.edges.grpc.ways import POLLED as PATH

THEIRS, OTHER = "192.0.2.1", "198.51.100.7"


def asked(claim: Claim, address: str, path: str = PATH) -> Any:
    """A call with that claim, from there."""
    connection = SimpleNamespace(owner=SimpleNamespace(address=address))
    head = Head(path, (claim,), None, "", "")  # type: ignore[arg-type]  # `claimed` reads it
    return SimpleNamespace(connection=connection, stream=SimpleNamespace(head=head), account="", part="", entered=False)


def before(line: Line[Asked], counts: Counts | None = None) -> Gate:
    methods: Any = {PATH: Method(PATH, say, say, None), BESIDE: Method(BESIDE, None, say, None)}  # type: ignore[arg-type]
    return Gate(line, methods, lambda read: read[0], counts or Counts())


def say(body: bytes, _context: Any) -> bytes:
    return body


FULL = ("111122223333", "")


@pytest.mark.parametrize(
    ("waiting", "path", "account", "expected"),
    [
        pytest.param(2, PATH, "111122223333", True, id="an account with its share"),
        pytest.param(2, PATH, "444455556666", False, id="another account"),
        pytest.param(1, PATH, "111122223333", False, id="a free place"),
        pytest.param(2, "/nobody/Knows", "111122223333", False, id="a path that nobody has"),
        pytest.param(2, BESIDE, "111122223333", False, id="a call for other threads"),
    ],
)
def test_for_which_heads_there_is_no_place(monkeypatch: pytest.MonkeyPatch, waiting: int, path: str, account: str, expected: bool) -> None:
    monkeypatch.setattr(Line, "most", 2)
    line = Line[Asked]()
    read: list[Any] = []

    def claimed(metadata: Any) -> Claim:
        read.append(metadata)
        return cast(Claim, metadata[0])

    gate = before(line)
    gate._claimed = claimed
    for _ in range(waiting):
        line.enter(*FULL)
    call = asked(Claim(account), THEIRS, path)
    assert gate.refuses(call.connection, call.stream.head) is expected
    assert (gate.refused, line.waiting) == (0, waiting)
    assert len(read) == (waiting == 2 and path == PATH)  # what is claimed is not read where that changes nothing


def test_what_is_refused_is_counted() -> None:
    counts = Counts()
    gate = before(Line[Asked](), counts)
    assert (gate.refused, counts.ends["refused"]) == (0, 0)
    assert [told(block) for block in gate.refusals(3)] == ["8 Rate exceeded"] * 3
    assert (gate.refused, counts.ends["refused"]) == (3, 3)


def test_a_call_comes_in_as_long_as_there_is_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", 2)
    line, counts = Line[Asked](), Counts()
    gate = before(line, counts)
    calls = [asked(Claim(account), THEIRS) for account in ("111122223333", "111122223333", "111122223333", "")]
    assert [gate.admit(call) for call in calls] == [True, True, False, False]
    assert [(call.account, call.entered) for call in calls] == [(THEIRS, True), ("111122223333", True), ("", False), ("", False)]
    assert (gate.refused, counts.ends["refused"], line.waiting, line.ready) == (2, 2, 2, 2)
    assert [found and found[:2] for found in (line.take(), line.take())] == [(THEIRS, calls[0]), ("111122223333", calls[1])]


def test_who_claims_nothing_has_the_share_of_his_address() -> None:
    line = Line[Asked]()
    gate = before(line)
    line.enter("others")
    call = asked(Claim(), THEIRS)
    assert gate.admit(call)
    assert (call.account, call.part) == (THEIRS, "")


@pytest.mark.parametrize("address", [THEIRS, OTHER], ids=["of another address", "of the same address"])
def test_made_up_keys_take_no_place_of_the_account_that_they_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", FEWEST)
    line = Line[Asked]()
    gate = before(line)
    known, made_up = Claim("111122223333"), Claim("111122223333", stranger=True)
    taken = [gate.admit(asked(made_up, THEIRS)) for _ in range(3 * FEWEST)]
    assert taken.count(True) == FEWEST
    call = asked(known, address)
    assert not gate.refuses(call.connection, call.stream.head)
    assert gate.admit(call)
    assert call.account == "111122223333"


def test_what_was_claimed_in_vain_leaves_the_account_half_of_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", FEWEST)
    monkeypatch.setattr(doubts, "here", doubts.Doubts())
    line = Line[Asked]()
    gate, claim = before(line), Claim("111122223333")
    doubts.here.note("111122223333", THEIRS)
    line.enter("444455556666")  # who comes alone is not asked who it is
    taken = [gate.admit(asked(claim, THEIRS)) for _ in range(3 * FEWEST)]
    assert taken.count(True) == FEWEST - 1
    calls = [asked(claim, OTHER) for _ in range(FEWEST)]
    assert [gate.admit(one) for one in calls].count(True) == FEWEST // 2 // 2
    assert {(one.account, one.part) for one in calls if one.entered} == {("111122223333", "")}
    for _ in range(3):  # of those who wait, each part is answered in turn
        answered = [one[1] for _ in range(2) if (one := line.take()) is not None]
        assert {one.part for one in answered} == {"", doubts.here.part("111122223333", THEIRS)}


def test_parts_win_their_account_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses are doubted, an account has its share, and as much again at the most while they come in."""
    monkeypatch.setattr(Line, "most", FEWEST)
    monkeypatch.setattr(doubts, "here", doubts.Doubts())
    line = Line[Asked]()
    gate, claim = before(line), Claim("111122223333")
    others = [gate.admit(asked(Claim("444455556666"), OTHER)) for _ in range(FEWEST)]
    assert all(others)
    addresses = [f"192.0.2.{number}" for number in range(100)]
    for address in addresses:
        doubts.here.note("111122223333", address)
    admitted = [one for address in addresses for one in (asked(claim, address),) if gate.admit(one)]
    assert len(admitted) <= FEWEST // 2 + 1
    for one in admitted:
        line.leave(one.account, one.part)
    assert line._parts == {}
    assert line.waiting == FEWEST


def test_as_many_doubted_addresses_as_places_leave_the_account_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", FEWEST)
    line = Line[Asked]()
    for number in range(FEWEST):
        line.enter("111122223333", f"192.0.2.{number}")
    assert line.refuses("111122223333", "192.0.2.100")
    assert not line.refuses("111122223333")
    line.enter("111122223333")
    assert line.refuses("111122223333")


def test_parts_that_come_one_after_the_other_have_twice_the_share_at_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has taken what was its share when it came: half, a third, a fourth, which have no bound together."""
    monkeypatch.setattr(Line, "most", FEWEST)
    line = Line[Asked]()
    for address in ("", *(f"192.0.2.{number}" for number in range(100))):
        while not line.refuses("111122223333", address):
            line.enter("111122223333", address)
    assert line.waiting == 2 * FEWEST
