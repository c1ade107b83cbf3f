"""Whose place in the line a call takes."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.edges.grpc.lean.asked import Asked, Method
from sekisho.edges.grpc.lean.counts import Counts
from sekisho.edges.grpc.lean.gate import Gate
from sekisho.edges.grpc.lean.heads import Head
from sekisho.edges.grpc.lean.line import FEWEST, Line
from sekisho.edges.lanes import Claim

PATH = "/test.Ways/Polled"
THEIRS, OTHER = "192.0.2.1", "198.51.100.7"


def asked(claim: Claim, address: str) -> Any:
    """A call with that claim, from there."""
    connection = SimpleNamespace(owner=SimpleNamespace(address=address))
    head = Head(PATH, (claim,), None, "", "")  # type: ignore[arg-type]  # `claimed` reads it
    return SimpleNamespace(connection=connection, stream=SimpleNamespace(head=head), account="", entered=False)


@pytest.mark.parametrize("address", [THEIRS, OTHER], ids=["of another address", "of the same address"])
def test_made_up_keys_take_no_place_of_the_account_that_they_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", FEWEST)
    line = Line[Asked]()
    gate = Gate(line, {PATH: Method(PATH, lambda *_: b"", lambda *_: b"", None)}, lambda read: read[0], Counts())  # type: ignore[arg-type]
    known, made_up = Claim("111122223333"), Claim("111122223333", stranger=True)
    taken = [gate.admit(asked(made_up, THEIRS)) for _ in range(3 * FEWEST)]
    assert taken.count(True) == FEWEST
    call = asked(known, address)
    assert not gate.refuses(call.connection, call.stream.head)
    assert gate.admit(call)
    assert call.account == "111122223333"
