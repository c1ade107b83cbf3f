"""An account's place in its organization, and what it does to decisions about its principals and its resources."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import policy, world
from sekisho.errors import Unavailable
from sekisho.world import (
    AccountRecord,
    Asked,
    ControlPolicyRecord,
    PrincipalRecord,
    SessionFacts,
    Subject,
    UnitRecord,
    placement,
)
from sekisho.world.control_policies import FULL_ACCESS, FULL_ACCESS_RECORD

NOW = datetime(2026, 2, 3, tzinfo=UTC)
BOSS, MEMBER, SIBLING, OUTSIDER = "100000000001", "200000000002", "300000000003", "400000000004"
ROOT, DEV, TEAM = "r-ab12", "ou-ab12-11111111", "ou-ab12-22222222"
ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def control(id_: str, effect: str, action: str, **more: Any) -> ControlPolicyRecord:
    """A control policy about one action."""
    statement = {"Effect": effect, "Action": action, "Resource": "*", **more}
    program = policy.compiled(policy_text(statement))
    return ControlPolicyRecord(id_, policy.Attached(program, arn=f"arn:aws:organizations::{BOSS}:policy/o-a/{id_}", name=id_))


def policy_text(statement: dict[str, Any]) -> str:
    """A document of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(account: str) -> PrincipalRecord:
    """An administrator of an account."""
    own = policy.Attached(policy.compiled(ALL), name="own")
    return PrincipalRecord(f"AIDA{account}", account, "user", "ann", f"arn:aws:iam::{account}:user/ann", inline=(own,))


FULL = (FULL_ACCESS,)
RECORDS: dict[str, world.Record] = {
    FULL_ACCESS: FULL_ACCESS_RECORD,
    ROOT: UnitRecord(ROOT, "o-a", None, FULL, (), BOSS, frozenset({world.SCP, world.RCP})),
    DEV: UnitRecord(DEV, "o-a", ROOT, FULL),
    TEAM: UnitRecord(TEAM, "o-a", DEV, FULL),
    BOSS: AccountRecord(BOSS, "ACTIVE", ROOT, FULL),
    MEMBER: AccountRecord(MEMBER, "ACTIVE", TEAM, FULL),
    SIBLING: AccountRecord(SIBLING, "ACTIVE", DEV, FULL),
    OUTSIDER: AccountRecord(OUTSIDER, "ACTIVE"),
    "p-noship": control("p-noship", "Deny", "orders:Ship"),
    "p-onlylist": control("p-onlylist", "Allow", "orders:List"),
    "p-rcp": control("p-rcp", "Deny", "orders:*", Principal="*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a"}}),
    **{f"AIDA{account}": user(account) for account in (BOSS, MEMBER, SIBLING, OUTSIDER)},
}
SHARED = policy.Attached(
    policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'), name="r"
)


def decide(account: str, owner: str = "", action: str = "orders:Ship", **changed: world.Record) -> policy.Decision:
    """The decision about an account's administrator, on a resource of its own or of an owner that shares it with everybody."""
    records = RECORDS | changed
    asked = Asked(action, "*", account, resource_account=owner or account, resource_policy=SHARED if owner else None)
    return policy.decide(*world.question(Subject(f"AIDA{account}", account), asked, records.get, NOW))


def attached(*ids: str, at: str, kind: str = "scp_ids") -> dict[str, Any]:
    """The record with other control policies, to be used in place of the one of the same id."""
    record: Any = RECORDS[at]
    return {at: replace(record, **{kind: ids})}


def test_the_place_of_an_account_is_its_path_and_each_level_of_policies() -> None:
    place = placement(RECORDS[MEMBER], RECORDS.get)  # type: ignore[arg-type]  # it is an account
    assert place is not None
    assert place.organization_id == "o-a"
    assert place.path == "o-a/r-ab12/ou-ab12-11111111/ou-ab12-22222222/"
    assert place.scps == ((FULL_ACCESS_RECORD.attached,),) * 4
    assert place.rcps is None


def test_an_account_outside_has_no_place() -> None:
    assert placement(AccountRecord(OUTSIDER, "ACTIVE"), RECORDS.get) is None


@pytest.mark.parametrize("level", [ROOT, DEV, TEAM, MEMBER])
def test_a_deny_at_any_level_denies_and_names_its_policy_and_level(level: str) -> None:
    decision = decide(MEMBER, **attached(FULL_ACCESS, "p-noship", at=level))
    assert decision.outcome is policy.Outcome.EXPLICITLY_DENIED
    (match,) = decision.matched
    assert (match.layer, match.level, match.attached.name) == (policy.Layer.SCP, [ROOT, DEV, TEAM, MEMBER].index(level), "p-noship")
    assert decide(MEMBER, action="orders:List", **attached(FULL_ACCESS, "p-noship", at=level)).allowed


@pytest.mark.parametrize("level", [ROOT, DEV, TEAM, MEMBER])
def test_every_level_must_allow(level: str) -> None:
    changed = attached("p-onlylist", at=level)
    assert decide(MEMBER, **changed).layer is policy.Layer.SCP
    assert not decide(MEMBER, **changed).allowed
    assert decide(MEMBER, action="orders:List", **changed).allowed
    assert not decide(MEMBER, action="orders:List", **attached(at=level)).allowed


def test_a_unit_beside_does_not_restrict() -> None:
    assert decide(SIBLING, **attached(FULL_ACCESS, "p-noship", at=TEAM)).allowed
    assert not decide(SIBLING, **attached(FULL_ACCESS, "p-noship", at=DEV)).allowed


def test_the_management_account_is_not_restricted() -> None:
    assert decide(BOSS, **attached(FULL_ACCESS, "p-noship", at=ROOT)).allowed
    assert decide(BOSS, **attached(FULL_ACCESS, "p-noship", at=BOSS)).allowed


def test_a_members_root_user_is_restricted() -> None:
    records = RECORDS | attached(FULL_ACCESS, "p-noship", at=ROOT)
    asked = Asked("orders:Ship", "*")
    decisions = [policy.decide(*world.question(Subject(who, who), asked, records.get, NOW)) for who in (MEMBER, BOSS, OUTSIDER)]
    assert [one.allowed for one in decisions] == [False, True, True]


@pytest.mark.parametrize(("path", "allowed"), [("aws-service-role/rds.amazonaws.com/", True), ("team/", False)])
def test_service_linked_roles_are_exempt(path: str, allowed: bool) -> None:
    named = f"arn:aws:iam::{MEMBER}:role/{path}worker"
    role = PrincipalRecord("AROA1", MEMBER, "role", "worker", named, inline=user(MEMBER).inline)
    records = RECORDS | {"AROA1": role} | attached(FULL_ACCESS, "p-noship", at=ROOT)
    subject = Subject("AROA1", MEMBER, session=SessionFacts("assumed-role", "s"))
    assert policy.decide(*world.question(subject, Asked("orders:Ship", "*"), records.get, NOW)).allowed is allowed


def test_a_type_that_is_not_enabled_restricts_nobody() -> None:
    changed: dict[str, Any] = {ROOT: UnitRecord(ROOT, "o-a", None, ("p-noship",), ("p-rcp",), BOSS, frozenset())}
    assert decide(MEMBER, **changed).allowed
    assert decide(OUTSIDER, MEMBER, **changed).allowed


@pytest.mark.parametrize("level", [ROOT, DEV, TEAM, MEMBER])
def test_an_rcp_denies_whoever_comes_from_outside(level: str) -> None:
    changed = attached("p-rcp", at=level, kind="rcp_ids")
    decision = decide(OUTSIDER, MEMBER, **changed)
    assert (decision.outcome, decision.layer) == (policy.Outcome.EXPLICITLY_DENIED, policy.Layer.RCP)
    assert decide(SIBLING, MEMBER, **changed).allowed
    assert decide(MEMBER, OUTSIDER, **changed).allowed  # the owner's organization counts, not the principal's


def test_resources_of_the_management_account_are_exempt_from_rcps() -> None:
    assert decide(OUTSIDER, BOSS, **attached("p-rcp", at=ROOT, kind="rcp_ids")).allowed


def context(account: str, owner: str, **given: Any) -> dict[str, Any]:
    """The keys about organizations in a question."""
    asked = Asked("orders:Ship", "*", account, resource_account=owner, given=given.get("given", {}))
    made, _ = world.question(Subject(f"AIDA{account}", account), asked, RECORDS.get, NOW)
    return {name: value for name, value in made.context.items() if "org" in name}


def test_the_keys_of_organizations_come_from_records() -> None:
    assert context(MEMBER, SIBLING) == {
        "aws:principalorgid": "o-a",
        "aws:principalorgpaths": ("o-a/r-ab12/ou-ab12-11111111/ou-ab12-22222222/",),
        "aws:resourceorgid": "o-a",
        "aws:resourceorgpaths": ("o-a/r-ab12/ou-ab12-11111111/",),
    }
    assert context(OUTSIDER, OUTSIDER) == {}
    assert context(BOSS, OUTSIDER) == {"aws:principalorgid": "o-a", "aws:principalorgpaths": ("o-a/r-ab12/",)}
    assert context(OUTSIDER, BOSS) == {"aws:resourceorgid": "o-a", "aws:resourceorgpaths": ("o-a/r-ab12/",)}


def test_the_organization_of_a_source_account_is_looked_up_unless_it_is_said() -> None:
    assert context(OUTSIDER, OUTSIDER, given={"aws:sourceaccount": SIBLING}) == {
        "aws:sourceorgid": "o-a",
        "aws:sourceorgpaths": ("o-a/r-ab12/ou-ab12-11111111/",),
    }
    assert context(OUTSIDER, OUTSIDER, given={"aws:sourceaccount": SIBLING, "aws:sourceorgid": "o-b"}) == {"aws:sourceorgid": "o-b"}
    assert context(OUTSIDER, OUTSIDER, given={"aws:sourceaccount": OUTSIDER}) == {}


@pytest.mark.parametrize("gone", [ROOT, DEV, TEAM, FULL_ACCESS])
def test_nothing_is_decided_while_a_record_on_the_way_is_missing(gone: str) -> None:
    records = {id_: record for id_, record in RECORDS.items() if id_ != gone}
    with pytest.raises(Unavailable, match="of the organization could not be loaded"):
        world.question(Subject(f"AIDA{MEMBER}", MEMBER), Asked("orders:Ship", "*"), records.get, NOW)


def test_a_circle_of_units_is_no_way_to_a_root() -> None:
    records = RECORDS | {DEV: UnitRecord(DEV, "o-a", TEAM, FULL)}
    with pytest.raises(Unavailable):
        world.question(Subject(f"AIDA{MEMBER}", MEMBER), Asked("orders:Ship", "*"), records.get, NOW)
