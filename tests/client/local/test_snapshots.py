"""The snapshot of a copy, and what it never holds."""

import pytest

from sekisho import client
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.api.authorize.v1 import records_pb2
from sekisho.client.local import LocalAuthorizer
from sekisho.memory import pages
from sekisho.world import PrincipalRecord, Record, messages
from tests.client.local.account import Account
from tests.client.local.asking import SHIP, local, question, until
from tests.inside import Inside


def test_it_holds_no_secret(place: Inside) -> None:
    """Neither the keys of others nor anything of another account is in what the server sends."""
    house = place.house
    bob = house.user("bob", SHIP)
    other = house.account()
    house.call("CreateUser", _as=other, user_name="stranger")
    content = b"".join(answer.page.content for answer in _snapshot(place))
    assert b":user/bob" in content
    for hidden in (bob.secret_access_key, house.root.secret_access_key, bob.access_key_id, "stranger", other.secret_access_key):
        assert hidden.encode() not in content


def _snapshot(place: Inside) -> list[pb.GetSnapshotResponse]:
    with place.client() as made:
        return list(made._authorize.get_snapshot(nonce=b"n" * 16))


def test_a_snapshot_is_what_memory_loads_record_by_record(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pages of three, of a random account: each record as `loaders` have it, and its message back again."""
    monkeypatch.setattr(pages.load_page, "__defaults__", (3,))
    Account(place.house, seed=5)
    world, said = place.house.node.world, dict[str, records_pb2.Record]()
    for answer in _snapshot(place):
        page = pb.SnapshotPage.FromString(answer.page.content)
        assert len(page.records) <= 4
        said.update((record.id, record) for record in page.records)
    assert len([one for one in said.values() if one.WhichOneof("record") == "principal"]) == 10
    call = place.house.call
    groups = {one.group_id for one in call("ListGroups").groups}
    policies = {one.policy_id for one in call("ListPolicies", scope="Local").policies}
    assert groups
    assert policies
    assert groups | policies <= said.keys()  # what were left out would deny nothing
    for id_, one in said.items():
        record = world.get_record(id_)
        if isinstance(record, PrincipalRecord) and record.kind == "role":
            assert messages.record(one) != record
            one.principal.trust_policy = record.trust.program.text if record.trust is not None else ""
        assert _same(messages.record(one), record), id_
        assert messages.message(id_, record, world.get_record) == one


def _same(one: Record | None, other: Record | None) -> bool:
    return repr(one) == repr(other) or one == other


def test_an_account_that_is_too_large_is_not_followed(place: Inside) -> None:
    with place.client() as made, LocalAuthorizer(made, max_bytes=100) as authorizer:
        until(lambda: authorizer.error is not None)
        assert isinstance(authorizer.error, client.ResourceExhausted)
        assert not local(authorizer.authorize(**question(place)))
