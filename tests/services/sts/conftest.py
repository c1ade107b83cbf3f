"""A house for each module, an account for each test, and a role in it; and credentials that are told instead of made."""

from datetime import timedelta
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from tests.calls.fakes import NOW, FakeNode
from tests.services.conftest import house, refused, shared  # noqa: F401  # fixtures, found by their names here


@pytest.fixture
def issued(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The sessions that credentials would be made of by a node whose ring is `ring`; their tokens take 17 percent of what one may."""
    made: list[Session] = []

    def issue(session: Session, ring: object) -> sigv4.Credentials:
        assert ring == "ring"
        made.append(session)
        return sigv4.Credentials("ASIA1", "secret", "token")

    monkeypatch.setattr(session_tokens, "issue", issue)
    monkeypatch.setattr(session_tokens, "packed_size_percent", {"token": 17}.__getitem__)
    return made


@pytest.fixture
def late(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of the module's node come a part of a second after the whole one."""
    make = node.call

    def called(*given: Any) -> Any:
        made = make(*given)
        made.now = NOW + timedelta(microseconds=999_999)
        return made

    monkeypatch.setattr(node, "call", called)
