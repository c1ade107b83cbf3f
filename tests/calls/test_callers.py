"""The caller, on a node of fakes: whom the proof proves, composed from what the world says of it now."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.calls import callers
from sekisho.sigv4 import InvalidClientTokenId, MissingAuthenticationToken, OptInRequired
from sekisho.world import AccountRecord, KeyRecord, Subject
from tests.calls.fakes import ACCOUNT, ANN, KEY, ROLE, USER, FakeNode, deploying


class Proved:
    """A proof of ann."""

    def prove(self, _call: Any) -> Subject:
        return ANN


def test_who_signs_nothing_is_nobody() -> None:
    node = FakeNode()
    unsigned, signed = node.call("AssumeRoleWithWebIdentity", None), node.call("GetUser", None)
    assert callers.subject(unsigned, Proved()) is None
    assert callers.subject(unsigned, None) is None
    assert callers.subject(signed, Proved()) is ANN
    with pytest.raises(MissingAuthenticationToken):
        callers.subject(signed, None)


def test_a_caller_is_composed_from_the_world_of_now() -> None:
    node = FakeNode()
    call = node.call(subject=None)
    found, point = callers.acting(call, ANN)
    assert (found.subject, point) == (ANN, node.world.point)


@pytest.mark.parametrize(
    "record", [None, KeyRecord(KEY, ACCOUNT, USER, "Inactive", "secret"), SimpleNamespace(id=KEY, status="Active", account_id=ACCOUNT)]
)
def test_a_key_that_was_taken_away_since_the_proof_composes_nobody(record: Any) -> None:
    node = FakeNode()
    del node.world.records[KEY]
    if record is not None:
        node.world.put(record)
    with pytest.raises(InvalidClientTokenId):
        callers.acting(node.call(subject=None), ANN)
    assert callers.acting(node.call(subject=None), Subject(USER, ACCOUNT))[0].subject.id == USER  # of a certificate
    assert callers.acting(node.call(subject=None), deploying())[0].subject.id == ROLE  # its key is in its token


def test_a_principal_that_is_gone_composes_nobody() -> None:
    node = FakeNode()
    del node.world.records[USER]
    with pytest.raises(InvalidClientTokenId) as caught:
        callers.acting(node.call(subject=None), ANN)
    assert caught.value.__suppress_context__


def test_an_account_that_is_suspended_is_told_so() -> None:
    node = FakeNode()
    node.world.put(AccountRecord(ACCOUNT, "SUSPENDED"))
    with pytest.raises(OptInRequired) as caught:
        callers.acting(node.call(subject=None), ANN)
    assert caught.value.__suppress_context__
