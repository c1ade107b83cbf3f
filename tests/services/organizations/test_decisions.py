"""SCPs and RCPs in real decisions: at once, on every worker, and with as little forgotten as possible."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.memory.cache import World
from sekisho.store import changes
from sekisho.store.tables import Account, Member
from sekisho.world import AccountRecord, Subject
from tests.harness import House
from tests.services.iam.documents import allow
from tests.services.organizations.tree import RCP, SCP, Organization, deny

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHIP: dict[str, Any] = {"action": "orders:Ship", "resource": "*"}
ANYBODY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'


def test_a_policy_takes_effect_on_every_node_with_the_revision_of_its_write(nodes: tuple[House, House]) -> None:
    here, there = nodes
    org = Organization(here, SCP)
    dev, ops = org.unit("dev"), org.unit("ops")
    member = org.account(parent=dev)
    keys = org.inside(member)
    noship = org.policy(deny("orders:Ship"))

    def asked() -> Any:
        return there.call("Authorize", _as=keys, at_least=here.revision, **SHIP)

    assert asked().outcome == pb.OUTCOME_ALLOWED
    org.attach(noship, dev)
    refused = asked()
    assert (refused.outcome, refused.layer) == (pb.OUTCOME_EXPLICITLY_DENIED, pb.LAYER_SCP)
    named = f"arn:aws:organizations::{here.account_id}:policy/{org.id}/service_control_policy/{noship}"
    assert [match.policy_arn for match in refused.matched] == [named]
    org("MoveAccount", account_id=member, source_parent_id=dev, destination_parent_id=ops)
    assert asked().outcome == pb.OUTCOME_ALLOWED
    org("MoveAccount", account_id=member, source_parent_id=ops, destination_parent_id=dev)
    assert asked().outcome == pb.OUTCOME_EXPLICITLY_DENIED
    org("UpdatePolicy", policy_id=noship, content=deny("orders:Cancel"))
    assert asked().outcome == pb.OUTCOME_ALLOWED
    org("UpdatePolicy", policy_id=noship, content=deny("orders:Ship"))
    assert asked().outcome == pb.OUTCOME_EXPLICITLY_DENIED
    org("DisablePolicyType", root_id=org.root_id, policy_type=SCP)
    assert asked().outcome == pb.OUTCOME_ALLOWED


def test_who_leaves_is_restricted_no_more(nodes: tuple[House, House]) -> None:
    here, there = nodes
    org = Organization(here, SCP)
    member = org.account()
    keys = org.inside(member)
    org.attach(org.policy(deny("orders:*")), org.root_id)
    assert there.call("Authorize", _as=keys, at_least=here.revision, **SHIP).outcome == pb.OUTCOME_EXPLICITLY_DENIED
    org("RemoveAccountFromOrganization", account_id=member)
    assert there.call("Authorize", _as=keys, at_least=here.revision, **SHIP).outcome == pb.OUTCOME_ALLOWED


def test_a_closed_account_is_let_in_nowhere(nodes: tuple[House, House]) -> None:
    here, there = nodes
    org = Organization(here)
    member = org.account()
    keys = org.inside(member)
    assert there.call("GetCallerIdentity", _as=keys).account == member
    org("CloseAccount", account_id=member)
    there.node.feed.wait_for(here.revision, time.monotonic() + 60)
    with pytest.raises(SekishoError) as caught:
        there.call("GetCallerIdentity", _as=keys)
    assert caught.value.code == "OptInRequired"


def test_our_own_operations_are_denied_by_an_scp_in_awss_sentence(nodes: tuple[House, House]) -> None:
    here, _ = nodes
    org = Organization(here, SCP)
    member = org.account()
    keys = org.inside(member)
    org.attach(org.policy(deny("iam:CreateUser")), member)
    with pytest.raises(SekishoError) as caught:
        here.call("CreateUser", _as=keys, user_name="u")
    assert caught.value.code == "AccessDenied"
    assert caught.value.message == (
        f"User: arn:aws:sts::{member}:assumed-role/OrganizationAccountAccessRole/session is not authorized to perform: iam:CreateUser "
        f"on resource: arn:aws:iam::{member}:user/u with an explicit deny in a service control policy"
    )
    here.call("CreateUser", user_name="u")  # the management account


def test_an_rcp_follows_the_owner_of_the_resource(nodes: tuple[House, House]) -> None:
    here, there = nodes
    org = Organization(here, RCP)
    member, sibling = org.account(), org.account()
    stranger = here.account()
    outside = deny("orders:*", Principal="*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": org.id}})
    org.attach(org.policy(outside, RCP), org.root_id)
    of_member = {**SHIP, "resource": f"arn:aws:orders::{member}:order/1", "resource_policy": ANYBODY, "at_least": here.revision}
    refused = there.call("Authorize", _as=stranger, **of_member)
    assert (refused.outcome, refused.layer) == (pb.OUTCOME_EXPLICITLY_DENIED, pb.LAYER_RCP)
    assert there.call("Authorize", _as=org.inside(sibling), **of_member).outcome == pb.OUTCOME_ALLOWED
    of_management = {**of_member, "resource": f"arn:aws:orders::{here.account_id}:order/1"}
    assert there.call("Authorize", _as=stranger, **of_management).outcome == pb.OUTCOME_ALLOWED


def test_the_keys_of_organizations_cannot_be_given(nodes: tuple[House, House]) -> None:
    here, _ = nodes
    for key in ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths"):
        with pytest.raises(SekishoError, match="cannot be given"):
            here.call("Authorize", context=[{"key": key, "values": ["o-a"]}], **SHIP)


def test_a_resource_policy_may_name_the_organization(nodes: tuple[House, House]) -> None:
    here, _ = nodes
    org = Organization(here)
    keys = org.inside(org.account(parent=org.unit("dev")))
    stranger = here.account()

    def shared(key: str, value: str) -> str:
        operator = "StringLike" if key.endswith("ID") else "ForAnyValue:StringLike"
        return ANYBODY.replace('"Resource":"*"', f'"Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}')

    asked = {**SHIP, "resource": f"arn:aws:orders::{here.account_id}:order/1"}
    for key, value in (("aws:PrincipalOrgID", org.id), ("aws:PrincipalOrgPaths", f"{org.id}/{org.root_id}/ou-*")):
        assert here.call("Authorize", _as=keys, resource_policy=shared(key, value), **asked).outcome == pb.OUTCOME_ALLOWED
        assert here.call("Authorize", _as=stranger, resource_policy=shared(key, value), **asked).outcome == pb.OUTCOME_IMPLICITLY_DENIED


@pytest.mark.parametrize("stranger_asks", [True, False])
def test_nobody_is_told_where_an_account_of_another_organization_is(nodes: tuple[House, House], stranger_asks: bool) -> None:
    """By the keys of the resource's owner and of the source account, which anybody can name."""
    here, _ = nodes
    org = Organization(here)
    unit = org.unit("dev")
    member = org.account(parent=unit)
    asker = here.account() if stranger_asks else None
    keys = ("aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:SourceOrgID", "aws:SourceOrgPaths")
    here.call("CreateUser", asker, user_name="bob")
    when = {"ForAnyValue:StringEquals": dict.fromkeys(keys, "x")}
    for name, document in (("all", allow("authorize:*")), ("some", allow("orders:*", when=when))):
        here.call("PutUserPolicy", asker, user_name="bob", policy_name=name, policy_document=document)
    arn = here.call("GetUser", asker, user_name="bob").user.arn
    asked = {
        **SHIP,
        "principal_arn": arn,
        "resource": f"arn:aws:orders::{member}:order/1",
        "context": [{"key": "aws:SourceAccount", "values": [member]}],
        "at_least": here.revision,
    }
    told = here.call("Explain", asker, request={**asked, "encode_authorization_message": True})
    sealed = told.decision.encoded_authorization_message
    said = str(told) + str(here.call("DecodeAuthorizationMessage", asker, encoded_message=sealed).decoded_message)
    assert (unit in said) is (org.id in said) is not stranger_asks
    assert ("(not shown)" in said) is stranger_asks


def test_a_simulation_counts_the_scps_of_the_account(nodes: tuple[House, House]) -> None:
    here, _ = nodes
    org = Organization(here, SCP)
    member = org.account()
    keys = org.inside(member)
    user = here.call("CreateUser", _as=keys, user_name="ann").user.arn
    here.call("PutUserPolicy", _as=keys, user_name="ann", policy_name="p", policy_document=allow("orders:*"))

    def simulated(_as: Any = keys, source: str = user) -> tuple[str, bool | None]:
        (result,) = here.call("SimulatePrincipalPolicy", _as=_as, policy_source_arn=source, action_names=["orders:Ship"]).evaluation_results
        detail = result.organizations_decision_detail
        return result.eval_decision, detail.allowed_by_organizations if result.HasField("organizations_decision_detail") else None

    assert simulated() == ("allowed", True)
    org.attach(org.policy(deny("orders:Ship")), org.root_id)
    assert simulated() == ("explicitDeny", False)
    here.call("CreateUser", user_name="bob")
    assert simulated(None, f"arn:aws:iam::{here.account_id}:user/bob") == ("implicitDeny", None)


ACCOUNTS = 10_000


def _fill(house: House, organization_id: str, unit_id: str) -> list[str]:
    """Ten thousand accounts in a unit; their ids."""
    ids = [f"7{number:011}" for number in range(ACCOUNTS)]
    with house.node.database.write(()) as session:
        session.bulk_insert_mappings(Account, [{"id": id_, "name": id_, "status": "ACTIVE", "created_at": NOW} for id_ in ids])
        place = {"organization_id": organization_id, "unit_id": unit_id, "joined_method": "CREATED", "joined_at": NOW}
        session.bulk_insert_mappings(Member, [{"account_id": id_, **place} for id_ in ids])
    return ids


def test_of_ten_thousand_accounts_a_move_makes_one_stale(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = nodes
    org = Organization(here, SCP)
    dev, ops = org.unit("dev"), org.unit("ops")
    policy_id = org.policy(deny("orders:Ship"))
    org.attach(policy_id, dev)
    ids = _fill(here, org.id, dev)
    world = there.node.world
    there.node.feed.stop()
    world.poll()
    with there.node.database.read(first=changes.LATEST) as session:
        for id_ in (ids[0], dev, ops, org.root_id, policy_id):
            world.load_record(id_, session)
    one = world.cached_record(ids[0])
    assert isinstance(one, AccountRecord)
    for id_ in ids:  # which the database would give one by one, a millisecond each
        world._records.keep(id_, replace(one, id=id_))
    evicted: list[str] = []
    forget = World._evict

    def noted(self: World, id_: str) -> None:
        if self is world:
            evicted.append(id_)
        forget(self, id_)

    monkeypatch.setattr(World, "_evict", noted)
    org("MoveAccount", account_id=ids[77], source_parent_id=dev, destination_parent_id=ops)
    world.poll()
    assert evicted == [ids[77]]
    evicted.clear()
    org("UpdatePolicy", policy_id=policy_id, content=deny("orders:Cancel"))
    world.poll()
    assert evicted == [policy_id]
    evicted.clear()
    org.detach(policy_id, dev)
    world.poll()
    assert evicted == [dev]
    assert sum(world.cached_record(id_) is not None for id_ in ids) == ACCOUNTS - 1
    moved, _ = world.acting(Subject(ids[77], ids[77]), NOW)
    assert moved.placement is not None
    assert moved.placement.path == f"{org.id}/{org.root_id}/{ops}/"


def test_an_account_joins_with_what_is_attached_to_everything(nodes: tuple[House, House]) -> None:
    here, there = nodes
    org = Organization(here, SCP)
    _, keys = org.invited()
    assert there.call("Authorize", _as=keys, at_least=here.revision, **SHIP).outcome == pb.OUTCOME_ALLOWED
    ann = org.inside(org.account())
    here.call("CreateUser", _as=ann, user_name="ann")
    here.call("PutUserPolicy", _as=ann, user_name="ann", policy_name="p", policy_document=allow("orders:*"))
