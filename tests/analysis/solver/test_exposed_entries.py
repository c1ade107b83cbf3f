"""Whom a statement lets in, as findings show it, and which of its values count: cases of several conditions and of old documents."""

from typing import Any

import pytest

from sekisho import policy as decisions
from sekisho.analysis.solver import Control, Grant, Zone, exposure, external
from sekisho.analysis.solver.contexts import Context
from sekisho.policy.document import Condition
from tests.analysis.solver.documents import allow, deny, policy, to
from tests.analysis.solver.requests_read import Asked

OWNER, FRIEND, STRANGER = "111122223333", "444455556666", "777788889999"
ANN = f"arn:aws:iam::{STRANGER}:user/ann"


def at(*keys: str, user_id: str = "AIDAONE") -> Asked:
    """A user whose request has these keys, each beside its value."""
    return Asked("user", ANN, user_id, keys=dict(zip(keys[::2], keys[1::2], strict=True)))


def public(asked: Asked, document: str) -> bool:
    read = decisions.compiled(document)
    return all(map(asked.meets, exposure._public(read, Context([read]))))


def when(condition: dict[str, Any], version: str = "2012-10-17") -> str:
    return policy(to("*", condition=condition), version=version)


VPC, ENDPOINT = "aws:sourcevpc", "aws:sourcevpce"
TOPIC = f"arn:aws:sns:eu-west-1:{OWNER}:topic"
NO_SUCH = {"NoSuch": {"aws:SourceVpc": "x", "aws:SourceIp": "10.0.0.1"}}
SEVERAL = {"Bool": {"a:a": "true"}, "Null": {"zz:z": "true"}}
AMONG = {"a:a": "b", "aws:SourceVpc": "vpc-1", "zz:z": "b"}
NETWORKS = {"a:a": "10.0.0.0/8", "aws:SourceIp": "10.0.0.0/8", "zz:z": "10.0.0.0/8"}
PUBLIC = {
    "a value of another key": (at(VPC, "vpce-1"), when({"StringEquals": {"aws:SourceVpc": "vpc-1", "aws:SourceVpce": "vpce-1"}}), True),
    "its own value": (at(VPC, "vpc-1"), when({"StringEquals": {"aws:SourceVpc": "vpc-1", "aws:SourceVpce": "vpce-1"}}), False),
    "a value among others": (at(VPC, "vpc-1"), when({"StringEquals": AMONG}), False),
    "a value among other operators": (at(VPC, "vpc-1"), when({**SEVERAL, "StringEquals": AMONG}), False),
    "a range among others": (at("aws:sourceip", "10.1.2.3"), when({"IpAddress": NETWORKS}), False),
    "a value beside an operator that there is not": (at(VPC, "vpc-1"), when(NO_SUCH), True),
    "an ARN as a number": (at("aws:sourcearn", TOPIC), when({"NumericEquals": {"aws:SourceArn": TOPIC}}), True),
    "a presence": (at(VPC, "true"), when({"Null": {"aws:SourceVpc": "true"}}), True),
    "an address as bytes": (at("aws:sourceip", "10.1.2.3"), when({"BinaryEquals": {"aws:SourceIp": "10.1.2.3"}}), True),
    "an address that is none": (at("aws:sourceip", "10.1.2.3"), when({"IpAddress": {"aws:SourceIp": "home"}}), True),
    "an ARN with too many segments": (
        at("aws:sourcearn", f"arn:aws:sns:x:y:{OWNER}:z"), when({"ArnLike": {"aws:SourceArn": f"arn:aws:sns:*:{OWNER}:*"}}), True,
    ),
    "a variable": (at(VPC, "${a:b}"), when({"StringLike": {"aws:SourceVpc": "${a:b}"}}), True),
    "what is no variable in an old document": (at(VPC, "${a:b}"), when({"StringLike": {"aws:SourceVpc": "${a:b}"}}, "2008-10-17"), False),
    "an identity's statement beside": (at(), policy(to("*"), allow()), True),
    "somebody called by a star": (at(user_id="*"), policy(to({"AWS": ["*", OWNER]})), True),
    "a name that only looks like an ARN": (at(), policy(to({"AWS": ["*", f"x:y:z:w:{STRANGER}"]})), True),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_trusted(name: str) -> None:
    asked, document, expected = PUBLIC[name]
    assert public(asked, document) is expected


@pytest.mark.parametrize(
    ("key", "value", "owned"),
    [
        ("aws:sourcevpc", "anonymous", True),
        ("aws:principalaccount", "anonymous", False),
        ("aws:sourcevpc", "AROAONE:*", False),
        ("aws:userid", "AROAONE:*", True),
    ],
)
def test_values_of_one_key_alone(key: str, value: str, owned: bool) -> None:
    assert exposure.is_owned(key, Condition("StringLike", key, (value,))) is owned


def test_ranges_of_the_upper_half() -> None:
    assert exposure.is_owned("aws:sourceip", Condition("IpAddress", "aws:SourceIp", ("fd00::/32",)))
    assert not exposure.is_owned("aws:sourceip", Condition("IpAddress", "aws:SourceIp", ("fd00::/31",)))


ROLE = Asked("assumed-role", f"arn:aws:iam::{STRANGER}:role/app", "AROAONE:ann")
WHO = {
    "user": Asked("user", ANN, "AIDAONE", "c" * 64),
    "role": ROLE,
    "root": Asked("root", f"arn:aws:iam::{STRANGER}:root"),
    "provider": Asked("federated", "accounts.google.com"),
    "service": Asked("service", "sns.amazonaws.com"),
    "nobody": Asked("anonymous"),
}
ENTRIES: dict[str, tuple[dict[str, Any], list[tuple[dict[str, str], set[str]]]]] = {
    "everybody": (to("*"), [({"AWS": "*"}, set(WHO))]),
    "all but one": ({**to(None), "NotPrincipal": {"AWS": OWNER}}, [({"AWS": "*"}, set(WHO))]),
    "everybody beside": (to({"AWS": ["*", STRANGER]}), [({"AWS": "*"}, set(WHO))]),
    "an account": (to({"AWS": STRANGER}), [({"AWS": STRANGER}, {"user", "role", "root"})]),
    "a user": (to({"AWS": ANN}), [({"AWS": ANN}, {"user"})]),
    "two": (to({"AWS": [ANN, "AROAONE"]}), [({"AWS": ANN}, {"user"}), ({"AWS": "AROAONE"}, {"role"})]),
    "a provider": (to({"Federated": "accounts.google.com"}), [({"Federated": "accounts.google.com"}, {"provider"})]),
    "a service as a provider": (to({"Federated": "sns.amazonaws.com"}), [({"Federated": "sns.amazonaws.com"}, set())]),
    "a canonical user": (to({"CanonicalUser": "c" * 64}), [({"CanonicalUser": "c" * 64}, {"user"})]),
    "a service": (to({"Service": "sns.amazonaws.com"}), []),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_entries(name: str) -> None:
    statement, expected = ENTRIES[name]
    (rule,) = decisions.compiled(policy(statement)).rules
    found = [(dict(shown), {who for who, one in WHO.items() if one.meets(means)}) for shown, means in exposure._entries(rule)]
    assert found == expected


def test_actions_of_a_control_policy_in_another_case() -> None:
    control = decisions.compiled(policy({**deny(["s3:PutObject"]), "Principal": "*"}))
    (rule,) = decisions.compiled(policy(to("*", "S3:GetObject"))).rules
    assert exposure._concerns(control, rule)


def test_beyond_a_zone_without_an_organization() -> None:
    zone = Zone(frozenset((OWNER,)))
    for key, value in (("aws:principalorgid", ""), ("aws:principalorgpaths", "/x"), ("aws:sourcearn", f"arn:aws~sns:eu:{OWNER}:t")):
        read = decisions.compiled(when({"StringEquals": {key: "x"}}))
        asked = Asked("user", ANN, keys={key: (value,) if key.endswith("paths") else value})
        assert all(map(asked.meets, exposure._beyond(zone, Context([read])))), key


def test_a_deny_that_is_too_hard_is_no_grant() -> None:
    odd = {**deny("s3:*", "*", condition={"NumericEquals": {"a:n": "1e400"}}), "Principal": "*"}
    found = external(policy(odd, to({"AWS": STRANGER})), "arn:aws:s3:::bucket", OWNER, Zone(frozenset()), milliseconds=5_000)
    assert [(one.statement, dict(one.principal), one.witness) for one in found] == [(1, {"AWS": STRANGER}, None)]


def test_what_findings_say() -> None:
    """Of a grant that control policies do not touch."""
    statement = to({"AWS": STRANGER}, None, NotAction="s3:Get*")
    (grant,) = external(policy(statement), "arn:aws:s3:::bucket", OWNER, Zone(frozenset()), milliseconds=5_000)
    assert (grant.actions, grant.restriction, dict(grant.operators), dict(grant.condition)) == (("*",), "NOT_APPLICABLE", {}, {})


def test_in_a_bucket_is_not_beside_it() -> None:
    assert not Asked(resource="arn:aws:s3:::b~x").meets(exposure._at("arn:aws:s3:::b"))


def controlled(document: str, organization_id: str = "", **condition: dict[str, str]) -> list[Grant]:
    """What is left where a control policy denies all under a condition."""
    control = {**deny("*", condition=condition), "Principal": "*"}
    zone = Zone(frozenset())
    return list(external(document, "arn:aws:s3:::bucket", OWNER, zone, Control((policy(control),), organization_id), milliseconds=5_000))


def test_control_policies_keep_the_public_out() -> None:
    document = policy(to("*"), to({"AWS": FRIEND}, "s3:PutObject"))
    found = controlled(document, StringNotEquals={"aws:PrincipalAccount": FRIEND})
    assert [(dict(one.principal), one.is_public, one.restriction) for one in found] == [
        ({"AWS": "*"}, False, "APPLIED"),
        ({"AWS": FRIEND}, False, "APPLIED"),
    ]


def test_an_organization_that_is_not_known_may_be_any() -> None:
    (grant,) = controlled(policy(to({"AWS": FRIEND})), StringNotEquals={"aws:ResourceOrgID": "o-1"})
    assert grant.restriction == "APPLIED"
    (grant,) = controlled(policy(to({"AWS": FRIEND})), "o-1", StringNotEquals={"aws:ResourceOrgID": "o-1"})
    assert grant.witness is not None
    assert set(grant.witness.context) == {"aws:resourceorgid"}  # nobody asks for the account of the owner
    assert controlled(policy(to({"AWS": FRIEND})), "o-2", StringNotEquals={"aws:ResourceOrgID": "o-1"}) == []


@pytest.mark.parametrize(
    ("number", "told"), [(2, 1), (exposure.MOST_ACTIONS, exposure.MOST_ACTIONS - 1), (exposure.MOST_ACTIONS + 1, exposure.MOST_ACTIONS + 1)]
)
def test_actions_that_control_policies_leave(number: int, told: int) -> None:
    """Of more actions than are asked about one by one, all are told."""
    actions = [f"s3:Get{chr(97 + i)}" for i in range(number)]
    control = Control((policy({**deny(actions[0]), "Principal": "*"}),), "")
    document = policy(to({"AWS": FRIEND}, actions))
    (grant,) = external(document, "arn:aws:s3:::bucket", OWNER, Zone(frozenset()), control, milliseconds=20_000)
    assert list(grant.actions) == actions[number - told :]
