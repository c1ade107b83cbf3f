"""Paths that begin with freeing an account of control policies: each method told, gone call by call, and gone with a permission too few.

In the member, `boss` is permitted everything but for an SCP of its unit, which denies it to change IAM, and to leave.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.analysis.escalation import across, freeing
from sekisho.errors import AccessDenied, SekishoError
from sekisho.services.insight import estates
from tests.harness import House
from tests.services.iam.documents import allow, trust
from tests.services.organizations.tree import RCP, SCP, Organization, deny

BOSS = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/boss"}}
EVERYTHING = allow("*")
FULL = "p-FullAWSAccess"


class Held:
    """An organization with a member in a unit whose SCP holds `boss` back, whom the management account may assume."""

    def __init__(self, house: House) -> None:
        self.house, self.org = house, Organization(house, SCP)
        self.unit = self.org.unit("held")
        self.member = self.org.account(parent=self.unit)
        self.other = self.org.account()
        self.inside = self.org.inside(self.member)
        self.policy = self.org.policy(deny("iam:*", "organizations:LeaveOrganization", Condition=BOSS))
        self.org.attach(self.policy, self.unit)
        self.role(self.inside, "boss", house.account_id, EVERYTHING)
        self.boss = f"arn:aws:iam::{self.member}:role/boss"
        self.hops: Any = ()
        self.assuming = allow("sts:AssumeRole", on=self.boss)

    def role(self, keys: sigv4.Credentials | None, name: str, trusted: str, document: str) -> None:
        self.house.call("CreateRole", _as=keys, role_name=name, assume_role_policy_document=trust(trusted))
        self.house.call("PutRolePolicy", _as=keys, role_name=name, policy_name="own", policy_document=document)

    def arn(self, kind: str, id_: str) -> str:
        last = f"service_control_policy/{id_}" if kind == "policy" else id_
        return f"arn:aws:organizations::{self.org.management}:{kind}/{self.org.id}/{last}"

    def path(self, name: str, account: str = "") -> list[tuple[str, str, str]] | None:
        """The method of each hop of a user, with what it becomes and what it says; None without a path into the member."""
        source = f"arn:aws:iam::{account or self.house.account_id}:user/{name}"
        found = self.house.call("FindEscalationPaths", organization=True).paths
        self.hops = next(
            (one.hops for one in found if one.source_arn == source and _account(one.hops[-1].becomes_arn) == self.member), None
        )
        return [(hop.method, hop.becomes_arn, hop.change) for hop in self.hops] if self.hops is not None else None

    def can(self, keys: sigv4.Credentials) -> bool:
        """Whether somebody in the member can do what only an administrator can."""
        try:
            self.house.call("CreateUser", _as=keys, user_name="proof")
            self.house.call("PutUserPolicy", _as=keys, user_name="proof", policy_name="p", policy_document=EVERYTHING)
            self.house.call("CreateAccessKey", _as=keys, user_name="proof")
        except AccessDenied:
            return False
        return True


def on_each(name: str, things: list[str]) -> str:
    """A policy for an operation of Organizations on some things."""
    return allow(f"organizations:{name}", on="?").replace('"?"', json.dumps(things))


def _account(arn: str) -> str:
    return arn.split(":")[4]


@pytest.fixture
def held(house: House) -> Held:
    return Held(house)


def _move(held: Held, who: sigv4.Credentials, change: str) -> None:
    found = re.fullmatch(r"has moved (\d{12}) to (\S+)", change)
    assert found is not None
    account, unit = found.groups()
    held.org("MoveAccount", who, account_id=account, source_parent_id=held.unit, destination_parent_id=unit)


def _detach(held: Held, who: sigv4.Credentials, change: str) -> None:
    for policy, target in re.findall(r"has taken (\S+) off (\S+)", change):
        held.org("DetachPolicy", who, policy_id=policy, target_id=target)


def _rewrite(held: Held, who: sigv4.Credentials, change: str) -> None:
    for policy in re.findall(r"has rewritten (\S+)", change):
        held.org("UpdatePolicy", who, policy_id=policy, content=EVERYTHING)


def _disable(held: Held, who: sigv4.Credentials, change: str) -> None:
    for type_ in re.findall(r"has disabled (\S+)", change):
        held.org("DisablePolicyType", who, root_id=held.org.root_id, policy_type=type_)


def _remove(held: Held, who: sigv4.Credentials, change: str) -> None:
    assert change == f"has removed {held.member} from its organization"
    held.org("RemoveAccountFromOrganization", who, account_id=held.member)


METHODS: dict[str, tuple[Callable[[Held, sigv4.Credentials, str], None], Callable[[Held], list[str]], Callable[[Held], str]]] = {
    "MoveAccount": (
        _move,
        lambda held: [held.arn("account", held.member), held.arn("ou", held.unit), held.arn("root", held.org.root_id)],
        lambda held: f"has moved {held.member} to {held.org.root_id}",
    ),
    "DetachPolicy": (
        _detach,
        lambda held: [held.arn("policy", held.policy), held.arn("ou", held.unit)],
        lambda held: f"has taken {held.policy} off {held.unit}",
    ),
    "UpdatePolicy": (_rewrite, lambda held: [held.arn("policy", held.policy)], lambda held: f"has rewritten {held.policy}"),
    "DisablePolicyType": (_disable, lambda held: [held.arn("root", held.org.root_id)], lambda held: f"has disabled {SCP}"),
    "RemoveAccountFromOrganization": (
        _remove,
        lambda held: [held.arn("account", held.member)],
        lambda held: f"has removed {held.member} from its organization",
    ),
}


@pytest.mark.parametrize("name", METHODS)
def test_whoever_frees_an_account_gets_into_it(held: Held, house: House, name: str) -> None:
    done, things, said = METHODS[name]
    mallory = house.user("mallory", on_each(name, things(held)), held.assuming)
    me = f"arn:aws:iam::{house.account_id}:user/mallory"
    assert held.path("mallory") == [(f"organizations:{name}", me, said(held)), ("sts:AssumeRole", held.boss, "")]
    assert [(grant.action, grant.resource) for grant in held.hops[0].grants] == [(f"organizations:{name}", one) for one in things(held)]
    assert not held.can(house.assume(held.boss, _as=mallory))
    done(held, mallory, held.hops[0].change)
    assert held.can(house.assume(held.boss, _as=mallory))


@pytest.mark.parametrize("name", METHODS)
def test_one_permission_too_few_frees_nothing(held: Held, house: House, name: str) -> None:
    done, things, said = METHODS[name]
    every = things(held)
    for index, missing in enumerate(every):
        document = on_each(name, [one for one in every if one != missing] + [held.arn("account", held.other)])
        eve = house.user(f"eve{index}", document, held.assuming)
        assert held.path(f"eve{index}") is None, missing
        with pytest.raises(AccessDenied):
            done(held, eve, said(held))
        assert not held.can(house.assume(held.boss, _as=eve))
    house.user("stays", allow(f"organizations:{name}"))  # who may not get in afterwards
    assert held.path("stays") is None


def test_a_member_leaves_by_itself(held: Held, house: House) -> None:
    inside = held.inside
    document = allow("organizations:LeaveOrganization", "iam:PutUserPolicy")
    keys = {}
    for name, said in (("leaver", document), ("stayer", allow("iam:PutUserPolicy"))):
        house.call("CreateUser", _as=inside, user_name=name)
        house.call("PutUserPolicy", _as=inside, user_name=name, policy_name="own", policy_document=said)
        key = house.call("CreateAccessKey", _as=inside, user_name=name).access_key
        keys[name] = sigv4.Credentials(key.access_key_id, key.secret_access_key)
    held.org.attach(held.org.policy(deny("iam:PutUserPolicy", Condition={"ArnLike": {"aws:PrincipalArn": "*:user/*"}})), held.member)
    me = f"arn:aws:iam::{held.member}:user/leaver"
    assert held.path("leaver", held.member) == [
        ("organizations:LeaveOrganization", me, "has left its organization"),
        ("iam:PutUserPolicy", me, "has a new inline policy"),
    ]
    assert held.path("stayer", held.member) is None
    inline: dict[str, Any] = {"user_name": "leaver", "policy_name": "more", "policy_document": EVERYTHING}
    with pytest.raises(AccessDenied):
        house.call("PutUserPolicy", _as=keys["leaver"], **inline)
    staying = held.org.policy(deny("organizations:LeaveOrganization"))
    held.org.attach(staying, held.member)
    assert held.path("leaver", held.member) is None
    with pytest.raises(AccessDenied):
        held.org("LeaveOrganization", keys["leaver"])
    held.org.detach(staying, held.member)
    held.org("LeaveOrganization", keys["leaver"])
    house.call("PutUserPolicy", _as=keys["leaver"], **inline)
    assert held.can(keys["leaver"])


def test_a_delegated_administrator_neither_leaves_nor_is_removed(held: Held, house: House) -> None:
    mallory = house.user("mallory", allow("organizations:RemoveAccountFromOrganization"), held.assuming)
    assert held.path("mallory") is not None
    held.org("EnableAWSServiceAccess", service_principal="config.amazonaws.com")
    held.org("RegisterDelegatedAdministrator", account_id=held.member, service_principal="config.amazonaws.com")
    assert held.path("mallory") is None
    with pytest.raises(SekishoError) as caught:
        held.org("RemoveAccountFromOrganization", mallory, account_id=held.member)
    assert caught.value.code == "ConstraintViolation"


def test_what_two_policies_deny_takes_two_to_take_away(held: Held, house: House) -> None:
    again = held.org.policy(deny("iam:*", "organizations:LeaveOrganization", Condition=BOSS))
    held.org.attach(again, held.member)
    mallory = house.user("mallory", allow("organizations:DetachPolicy"), held.assuming)
    assert held.path("mallory") == [
        (
            "organizations:DetachPolicy",
            f"arn:aws:iam::{house.account_id}:user/mallory",
            f"has taken {again} off {held.member} and has taken {held.policy} off {held.unit}",
        ),
        ("sts:AssumeRole", held.boss, ""),
    ]
    _detach(held, mallory, held.hops[0].change)
    assert held.can(house.assume(held.boss, _as=mallory))


def test_an_account_keeps_its_last_policy(held: Held, house: House) -> None:
    text = {
        "Version": "2012-10-17",
        "Statement": [
            json.loads(EVERYTHING)["Statement"][0],
            json.loads(deny("iam:*", "organizations:LeaveOrganization", Condition=BOSS))["Statement"][0],
        ],
    }
    held.org("UpdatePolicy", policy_id=held.policy, content=json.dumps(text))
    held.org.detach(FULL, held.unit)
    mallory = house.user("mallory", allow("organizations:DetachPolicy"), held.assuming)
    assert held.path("mallory") is None
    with pytest.raises(SekishoError) as caught:
        _detach(held, mallory, f"has taken {held.policy} off {held.unit}")
    assert caught.value.code == "ConstraintViolation"


def test_a_resource_control_policy_lets_nobody_in_until_it_is_rewritten(held: Held, house: House) -> None:
    held.org("EnablePolicyType", root_id=held.org.root_id, policy_type=RCP)
    held.org.detach(held.policy, held.unit)
    mallory = house.user("mallory", allow("organizations:UpdatePolicy"), held.assuming)
    assert held.path("mallory") == [("sts:AssumeRole", held.boss, "")]
    closed = held.org.policy(deny("sts:AssumeRole", Principal="*"), RCP)
    held.org.attach(closed, held.member)
    me = f"arn:aws:iam::{house.account_id}:user/mallory"
    assert held.path("mallory") == [("organizations:UpdatePolicy", me, f"has rewritten {closed}"), ("sts:AssumeRole", held.boss, "")]
    with pytest.raises(AccessDenied):
        house.assume(held.boss, _as=mallory)
    held.org("UpdatePolicy", mallory, policy_id=closed, content=deny("sts:AssumeNobody", Principal="*"))
    assert held.can(house.assume(held.boss, _as=mallory))


def test_of_six_resource_control_policies_all_are_rewritten(held: Held, house: House) -> None:
    """What is written instead holds nothing back, and is not counted among what does."""
    held.org("EnablePolicyType", root_id=held.org.root_id, policy_type=RCP)
    held.org.detach(held.policy, held.unit)
    mallory = house.user("mallory", allow("organizations:UpdatePolicy"), held.assuming)
    ids = [held.org.policy(deny("sts:AssumeRole", Principal="*"), RCP, name=f"closed-{number}") for number in range(2)]
    ids += [held.org.policy(deny("s3:PutObject", Principal="*"), RCP, name=f"other-{number}") for number in range(4)]
    for number, id_ in enumerate(ids):
        held.org.attach(id_, held.member if number < 2 else held.unit)
    hops = held.path("mallory") or []
    assert [hop[0] for hop in hops] == ["organizations:UpdatePolicy", "sts:AssumeRole"]
    assert sorted(re.findall(r"has rewritten (\S+)", hops[0][2])) == sorted(ids)
    for id_ in ids:
        held.org("UpdatePolicy", mallory, policy_id=id_, content=deny("sts:AssumeNobody", Principal="*"))
    assert held.can(house.assume(held.boss, _as=mallory))


def test_ways_that_nobody_is_permitted_take_no_place(held: Held, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held.org.detach(held.policy, held.unit)
    held.org.attach(held.policy, held.org.root_id)
    for number in range(8):
        harmless = held.org.policy(deny("s3:PutObject"), name=f"harmless-{number}")
        held.org.attach(harmless, held.member if number < 4 else held.unit)
    house.user("mallory", on_each("DetachPolicy", [held.arn("policy", held.policy), held.arn("root", held.org.root_id)]), held.assuming)
    me = f"arn:aws:iam::{house.account_id}:user/mallory"
    said = f"has taken {held.policy} off {held.org.root_id}"
    assert held.path("mallory") == [("organizations:DetachPolicy", me, said), ("sts:AssumeRole", held.boss, "")]
    assert list(house.call("FindEscalationPaths", organization=True).left_out) == []
    monkeypatch.setattr(freeing, "MOST", 0)
    house.call("CreateUser", user_name="another")  # another revision, so that it is searched again
    assert held.path("mallory") is None
    bound = sorted((held.member, held.other))  # by a policy of the root
    left_out = [f"organizations:DetachPolicy frees {one} of control policies in more than 0 ways" for one in bound]
    assert list(house.call("FindEscalationPaths", organization=True).left_out) == left_out


def test_units_that_are_too_many_to_be_moved_to_are_told(held: Held, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("mallory", on_each("MoveAccount", [held.arn("account", held.member), held.arn("ou", held.unit)]), held.assuming)
    monkeypatch.setattr(estates, "MOST_UNITS", 1)  # one beneath the root
    assert list(house.call("FindEscalationPaths", organization=True).left_out) == ["the organization has more than 1 units"]


def test_a_member_to_which_policies_are_delegated_frees_another(held: Held, house: House) -> None:
    there = held.org.inside(held.other)
    house.call("CreateUser", _as=there, user_name="mallory")
    document = allow("organizations:DetachPolicy", "sts:AssumeRole")
    house.call("PutUserPolicy", _as=there, user_name="mallory", policy_name="own", policy_document=document)
    key = house.call("CreateAccessKey", _as=there, user_name="mallory").access_key
    mallory = sigv4.Credentials(key.access_key_id, key.secret_access_key)
    document = trust(held.other)
    house.call("UpdateAssumeRolePolicy", _as=held.inside, role_name="boss", policy_document=document)
    assert held.path("mallory", held.other) is None
    with pytest.raises(SekishoError) as caught:
        _detach(held, mallory, f"has taken {held.policy} off {held.unit}")
    assert caught.value.code == "AccessDenied"
    statement = {"Effect": "Allow", "Principal": {"AWS": held.other}, "Action": "organizations:DetachPolicy", "Resource": "*"}
    held.org("PutResourcePolicy", content=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    me = f"arn:aws:iam::{held.other}:user/mallory"
    assert held.path("mallory", held.other) == [
        ("organizations:DetachPolicy", me, f"has taken {held.policy} off {held.unit}"),
        ("sts:AssumeRole", held.boss, ""),
    ]
    _detach(held, mallory, held.hops[0].change)
    assert held.can(house.assume(held.boss, _as=mallory))


def test_tags_of_what_is_moved_count(held: Held, house: House) -> None:
    condition = {"StringEquals": {"aws:ResourceTag/team": "ops"}}
    house.user("mallory", allow("organizations:RemoveAccountFromOrganization", when=condition), held.assuming)
    assert held.path("mallory") is None
    held.org("TagResource", resource_id=held.member, tags=[{"key": "team", "value": "ops"}])
    assert held.path("mallory") is not None


def test_who_becomes_whoever_frees_has_the_path_too(held: Held, house: House) -> None:
    house.user("mallory", allow("organizations:MoveAccount"), held.assuming)
    house.user("ann", allow("iam:CreateAccessKey", on=f"arn:aws:iam::{house.account_id}:user/mallory"))
    assert [hop[0] for hop in held.path("ann") or ()] == ["iam:CreateAccessKey", "organizations:MoveAccount", "sts:AssumeRole"]


def test_what_is_followed_is_bounded_and_said(held: Held, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("mallory", allow("organizations:*"), held.assuming)
    assert held.path("mallory") is not None
    assert list(house.call("FindEscalationPaths", organization=True).left_out) == []
    monkeypatch.setattr(across, "MOST_FREED", 1)
    house.call("CreateUser", user_name="another")  # another revision, so that it is searched again
    assert held.path("mallory") is None
    said = [f"control policies can be taken off {held.member} in more ways than one analysis follows"]
    assert list(house.call("FindEscalationPaths", organization=True).left_out) == said
