"""`public`, `granted` and `external`: who is let in, by name, with the requests that show it."""

import json
from typing import Any

import pytest

from sekisho import policy as decisions
from sekisho.analysis.solver import Access, Answer, Control, PolicyType, Verdict, Zone, external, granted, public, questions, witnesses
from sekisho.analysis.solver.effort import Effort
from sekisho.analysis.solver.questions import Question
from sekisho.errors import MalformedPolicyDocument
from tests.analysis.solver.documents import allow, assumed, deny, policy, to

NO, YES = Answer.NO, Answer.YES
OWNER, FRIEND, STRANGER = "111122223333", "444455556666", "777788889999"
BUCKET = "arn:aws:s3:::bucket"


def when(operator: str, key: str, *values: str) -> dict[str, Any]:
    return to("*", condition={operator: {key: list(values)}})


def denied(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {**deny("s3:*", "*", condition={operator: {key: list(values)}}), "Principal": "*"}


PUBLIC = {
    "everybody": (YES, [to("*")]),
    "everybody, as an AWS principal": (YES, [to({"AWS": "*"})]),
    "everybody assumes a role": (YES, [assumed("*")]),
    "an account": (NO, [to({"AWS": OWNER})]),
    "a role": (NO, [to({"AWS": f"arn:aws:iam::{OWNER}:role/reader"})]),
    "a service": (NO, [to({"Service": "sns.amazonaws.com"})]),
    "a provider": (NO, [assumed({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity")]),
    "a canonical user": (NO, [to({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})]),
    "everybody but one": (YES, [{**to(None), "NotPrincipal": {"AWS": OWNER}}]),
    "a VPC": (NO, [when("StringEquals", "aws:SourceVpc", "vpc-1")]),
    "a VPC, by a pattern without wildcards": (NO, [when("StringLike", "aws:SourceVpc", "vpc-1")]),
    "VPCs": (YES, [when("StringLike", "aws:SourceVpc", "vpc-*")]),
    "a VPC, if there is one": (YES, [when("StringEqualsIfExists", "aws:SourceVpc", "vpc-1")]),
    "every VPC but one": (YES, [when("StringNotEquals", "aws:SourceVpc", "vpc-1")]),
    "not without a VPC": (NO, [to("*"), denied("StringNotEquals", "aws:SourceVpc", "vpc-1")]),
    "not from one VPC": (YES, [to("*"), denied("StringEquals", "aws:SourceVpc", "vpc-1")]),
    "a VPC endpoint": (NO, [when("StringEquals", "aws:SourceVpce", "vpce-1")]),
    "an organization": (NO, [when("StringEquals", "aws:PrincipalOrgID", "o-1")]),
    "organizations": (YES, [when("StringLike", "aws:PrincipalOrgID", "o-*")]),
    "a unit": (NO, [when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-1/r-1/*")]),
    "any path": (YES, [when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-*/r-1/*")]),
    "all paths, even none": (YES, [when("ForAllValues:StringLike", "aws:PrincipalOrgPaths", "o-1/r-1/*")]),
    "an account, by condition": (NO, [when("StringEquals", "aws:PrincipalAccount", OWNER)]),
    "roles of an account": (NO, [when("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWNER}:role/*")]),
    "roles of every account": (YES, [when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/reader")]),
    "the owner's account, whoever that is": (YES, [when("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}")]),
    "a source account": (NO, [when("StringEquals", "aws:SourceAccount", OWNER)]),
    "a source": (NO, [when("ArnEquals", "aws:SourceArn", "arn:aws:s3:::other")]),
    "sources of an account": (NO, [when("ArnLike", "aws:SourceArn", f"arn:aws:sns:*:{OWNER}:*")]),
    "sources of anybody": (YES, [when("ArnLike", "aws:SourceArn", "arn:aws:sns:*:*:topic")]),
    "a range": (NO, [when("IpAddress", "aws:SourceIp", "203.0.113.0/24", "10.0.0.0/8")]),
    "half of all addresses": (YES, [when("IpAddress", "aws:SourceIp", "0.0.0.0/1")]),
    "a range of IPv6": (NO, [when("IpAddress", "aws:SourceIp", "2001:db8::/32")]),
    "a wide range of IPv6": (YES, [when("IpAddress", "aws:SourceIp", "2001::/16")]),
    "all but a range": (YES, [when("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")]),
    "not from beyond a range": (NO, [to("*"), denied("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")]),
    "a user id": (NO, [when("StringEquals", "aws:userid", "AIDAEXAMPLE")]),
    "sessions of a role, by its id": (NO, [when("StringLike", "aws:userid", "AROAEXAMPLE:*")]),
    "any user id": (YES, [when("StringLike", "aws:userid", "*:admin")]),
    "TLS is nobody": (YES, [when("Bool", "aws:SecureTransport", "true")]),
    "a referer is nobody": (YES, [when("StringLike", "aws:Referer", "https://example.com/*")]),
    "an external id is nobody": (YES, [assumed("*", condition={"StringEquals": {"sts:ExternalId": "1"}})]),
    "nothing is granted": (NO, [to("*"), {**deny("*", "*"), "Principal": "*"}]),
    "a contradiction": (NO, [to("*", condition={"StringEquals": {"a:b": "c"}, "StringNotEquals": {"a:b": "c"}})]),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public(name: str) -> None:
    answer, statements = PUBLIC[name]
    document = policy(*statements)
    verdict = public(document, milliseconds=20_000)
    assert verdict.answer is answer, verdict
    if verdict.witness is not None:
        assert witnesses.is_granted(questions.read(document, PolicyType.RESOURCE), verdict.witness, of_resource=True)
        assert verdict.statements == (0,)


def test_a_public_witness_is_a_stranger() -> None:
    verdict = public(policy(to("*"), to({"AWS": OWNER}, "s3:PutObject")), milliseconds=20_000)
    assert verdict.witness is not None
    assert verdict.witness.principal.account != OWNER
    assert verdict.witness.action == "s3:GetObject"


def test_only_a_resources_policy_can_be_public() -> None:
    with pytest.raises(MalformedPolicyDocument):
        public(policy(allow()), milliseconds=1000)


def grants(document: str, *actions: str, resources: tuple[str, ...] = (), kind: PolicyType = PolicyType.IDENTITY) -> Verdict:
    return granted(document, [Access(actions, resources)], kind, milliseconds=20_000)


GRANTED = {
    "the action": (YES, allow("iam:PassRole"), ("iam:PassRole",), ()),
    "in another case": (YES, allow("iam:passrole"), ("IAM:PassRole",), ()),
    "within a pattern": (YES, allow("iam:*"), ("iam:PassRole",), ()),
    "a pattern over it": (YES, allow("iam:PassRole"), ("iam:Pass*",), ()),
    "another action": (NO, allow("iam:GetRole"), ("iam:PassRole",), ()),
    "one of two": (YES, allow("iam:GetRole"), ("iam:PassRole", "iam:GetRole"), ()),
    "on its resource": (YES, allow("s3:*", "arn:aws:s3:::a/*"), ("s3:GetObject",), ("arn:aws:s3:::a/b",)),
    "on another": (NO, allow("s3:*", "arn:aws:s3:::a/*"), ("s3:GetObject",), ("arn:aws:s3:::b/*",)),
    "any action on a resource": (YES, allow("s3:Get*", "arn:aws:s3:::a/*"), (), ("arn:aws:s3:::a/b",)),
    "under a condition": (YES, allow("s3:*", condition={"StringEquals": {"a:b": "c"}}), ("s3:GetObject",), ()),
    "under none": (
        NO,
        allow("s3:*", condition={"NumericLessThan": {"a:n": "1"}, "NumericGreaterThan": {"a:n": "1"}}),
        ("s3:GetObject",),
        (),
    ),
    "all but it": (NO, {**allow(None), "NotAction": "iam:*"}, ("iam:PassRole",), ()),
}


@pytest.mark.parametrize("name", GRANTED)
def test_granted(name: str) -> None:
    answer, statement, actions, resources = GRANTED[name]
    verdict = grants(policy(statement), *actions, resources=resources)
    assert verdict.answer is answer, verdict
    if verdict.witness is not None:
        assert witnesses.is_granted(questions.read(policy(statement), PolicyType.IDENTITY), verdict.witness, of_resource=False)


def test_a_deny_undoes_a_grant() -> None:
    document = policy(allow(), deny("iam:PassRole"))
    assert grants(document, "iam:PassRole").answer is NO
    assert grants(document, "iam:*").answer is YES


def test_a_denied_condition_can_be_evaded() -> None:
    document = policy(allow("iam:*"), deny("iam:PassRole", condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}))
    assert grants(document, "iam:PassRole").answer is YES


def test_several_accesses_are_each_a_reason() -> None:
    accesses = [Access(("iam:PassRole",)), Access(("s3:GetObject",), ("arn:aws:s3:::a",))]
    found = granted(policy(allow("s3:*", "arn:aws:s3:::a")), accesses, PolicyType.IDENTITY, milliseconds=20_000)
    assert found.witness is not None
    assert (found.answer, found.witness.action, found.witness.resource) == (YES, "s3:GetObject", "arn:aws:s3:::a")


def test_a_resources_policy_grants_to_those_it_names() -> None:
    document = policy(to({"AWS": f"arn:aws:iam::{OWNER}:user/alice"}))
    verdict = grants(document, "s3:GetObject", kind=PolicyType.RESOURCE)
    assert verdict.witness is not None
    assert verdict.witness.principal.arn == f"arn:aws:iam::{OWNER}:user/alice"


def reached(*statements: dict[str, Any], resource: str = BUCKET, zone: Zone | None = None) -> list[tuple[dict[str, str], bool]]:
    """The principals from outside, and whether they are the public."""
    zone = zone or Zone(frozenset([FRIEND]), "o-home")
    found = external(policy(*statements), resource, OWNER, zone, milliseconds=20_000)
    return [(dict(grant.principal), grant.is_public) for grant in found]


def test_external_names_each_principal() -> None:
    statement = to({"AWS": [FRIEND, f"arn:aws:iam::{OWNER}:root", f"arn:aws:iam::{STRANGER}:role/x"], "Service": "sns.amazonaws.com"})
    assert reached(statement) == [({"AWS": f"arn:aws:iam::{STRANGER}:role/x"}, False)]


def test_external_everybody() -> None:
    assert reached(to("*")) == [({"AWS": "*"}, True)]
    assert reached({**to(None), "NotPrincipal": {"AWS": OWNER}}) == [({"AWS": "*"}, True)]


def test_external_conditions_keep_strangers_out() -> None:
    for key, value in (
        ("aws:PrincipalOrgID", "o-home"),
        ("aws:PrincipalAccount", FRIEND),
        ("aws:SourceAccount", OWNER),
        ("aws:SourceArn", f"arn:aws:sns:us-east-1:{OWNER}:topic"),
        ("aws:SourceOrgID", "o-home"),
        ("aws:PrincipalArn", f"arn:aws:iam::{FRIEND}:role/x"),
    ):
        assert reached(when("StringEquals", key, value)) == [], key
    assert reached(when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-home/*")) == []
    assert reached(when("StringEquals", "aws:PrincipalOrgID", "o-other")) == [({"AWS": "*"}, False)]
    assert reached(when("StringEquals", "aws:SourceVpc", "vpc-1")) == [({"AWS": "*"}, False)]


def test_external_is_about_the_resource_and_what_is_in_it() -> None:
    assert reached(to({"AWS": STRANGER}, "s3:*", f"{BUCKET}/*")) == [({"AWS": STRANGER}, False)]
    assert reached(to({"AWS": STRANGER}, "s3:*", "arn:aws:s3:::another/*")) == []


def test_external_denies_count() -> None:
    assert reached(to("*"), denied("StringNotEquals", "aws:PrincipalOrgID", "o-home")) == []


def test_external_tells_action_condition_and_statement() -> None:
    statement = to({"AWS": STRANGER}, ["s3:Get*", "s3:PutObject"], condition={"StringEquals": {"AWS:sourcevpc": ["vpc-1", "vpc-2"]}})
    (grant,) = external(policy(to({"AWS": FRIEND}), statement), BUCKET, OWNER, Zone(frozenset([FRIEND])), milliseconds=20_000)
    assert (grant.actions, dict(grant.condition), grant.statement) == (("s3:Get*", "s3:PutObject"), {"aws:SourceVpc": "vpc-1,vpc-2"}, 1)
    assert grant.witness is not None
    assert grant.witness.principal.account == STRANGER
    assert grant.witness.resource.startswith(BUCKET)


def test_external_trusts_of_a_role() -> None:
    role = f"arn:aws:iam::{OWNER}:role/ci"
    provider = assumed({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity")
    assert reached(provider, assumed({"AWS": STRANGER}), resource=role) == [
        ({"Federated": "accounts.google.com"}, False),
        ({"AWS": STRANGER}, False),
    ]


def test_external_what_cannot_be_ruled_out_is_told() -> None:
    odd = to("*", condition={"NumericEquals": {"a:n": "1e400"}})
    (grant,) = external(policy(odd), BUCKET, OWNER, Zone(frozenset()), milliseconds=20_000)
    assert (grant.witness, grant.is_public) == (None, True)


OTHERS = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["shop:Read","shop:Ship"],"Resource":"*"}]}'
)


def controlled(action: str, **more: object) -> Control:
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*", **more}
    return Control((json.dumps({"Version": "2012-10-17", "Statement": [statement]}),), "o-abcdefghij")


BOTH = ("shop:Read", "shop:Ship")
CONTROLLED: dict[str, tuple[Control | None, list[tuple[tuple[str, ...], str]]]] = {
    "none": (None, [(BOTH, "NOT_APPLICABLE")]),
    "of_another_service": (controlled("cart:*"), [(BOTH, "NOT_APPLICABLE")]),
    "of_one_action": (controlled("shop:Ship"), [(("shop:Read",), "APPLIED")]),
    "of_everything": (controlled("*"), []),
    "a_perimeter": (controlled("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}), []),
    "a_perimeter_of_others": (
        controlled("*", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-zzzzzzzzzz"}}),
        [(BOTH, "APPLIED")],
    ),
    "of_other_owners": (controlled("*", Condition={"StringNotEquals": {"aws:ResourceAccount": OWNER}}), [(BOTH, "APPLIED")]),
    "of_the_organization": (controlled("*", Condition={"StringEquals": {"aws:ResourceOrgID": "o-abcdefghij"}}), []),
    "of_the_owner": (controlled("*", Condition={"StringEquals": {"aws:ResourceAccount": OWNER}}), []),
}


def test_a_control_policy_is_about_all_that_a_statement_does_not_spare() -> None:
    """Whatever services the actions are of that it names: it grants all others."""
    spared = OTHERS.replace('"Action":["shop:Read","shop:Ship"]', '"NotAction":["shop:Ship"]')
    zone = Zone(frozenset((OWNER,)), "o-abcdefghij", ("o-abcdefghij/r-root/",))
    for denied, restriction in (("cart:Fill", "APPLIED"), ("shop:Ship", "APPLIED")):
        found = external(spared, f"arn:aws:shop:us-east-1:{OWNER}:order/7", OWNER, zone, controlled(denied), milliseconds=20_000)
        assert [one.restriction for one in found] == [restriction]


@pytest.mark.parametrize("name", CONTROLLED)
def test_what_control_policies_deny_is_no_grant(name: str) -> None:
    control, expected = CONTROLLED[name]
    zone = Zone(frozenset((OWNER,)), "o-abcdefghij", ("o-abcdefghij/r-root/",))
    found = external(OTHERS, f"arn:aws:shop:us-east-1:{OWNER}:order/7", OWNER, zone, control, milliseconds=20_000)
    assert [(one.actions, one.restriction) for one in found] == expected


LINKED = f"arn:aws:iam::{STRANGER}:role/aws-service-role/shop.amazonaws.com/AWSServiceRoleForShop"
NAMED = {
    "a_service_linked_role": (LINKED, "service-linked-role", [(BOTH, "NOT_APPLICABLE")]),
    "a_role_that_is_called_so": (f"arn:aws:iam::{STRANGER}:role/AWSServiceRoleForShop", "assumed-role", []),
    "a_role_of_a_like_path": (f"arn:aws:iam::{STRANGER}:role/x/aws-service-role/shop", "assumed-role", []),
}


@pytest.mark.parametrize("name", NAMED)
def test_control_policies_spare_service_linked_roles_of_others_too(name: str) -> None:
    """As `decide` has it: docs of RCPs say so of service-linked roles, of whichever account."""
    role, kind, expected = NAMED[name]
    document, control = OTHERS.replace('{"AWS":"*"}', json.dumps({"AWS": role})), controlled("*")
    order, zone = f"arn:aws:shop:us-east-1:{OWNER}:order/7", Zone(frozenset((OWNER,)), "o-abcdefghij", ("o-abcdefghij/r-root/",))
    found = external(document, order, OWNER, zone, control, milliseconds=20_000)
    assert [(one.actions, one.restriction) for one in found] == expected
    session = f"arn:aws:sts::{STRANGER}:assumed-role/{role.rpartition('/')[2]}/session"
    principal = decisions.Principal(kind, session, STRANGER, role_arn=role)
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    own, resource, *rcps = (decisions.Attached(decisions.compiled(text)) for text in (everything, document, *control.documents))
    layers = decisions.Layers((own,), resource, rcps=(tuple(rcps),))
    request = decisions.Request(principal, "shop:Read", order, OWNER, decisions.context({}))
    assert decisions.decide(request, layers).allowed is bool(expected)


@pytest.mark.parametrize("wide", ["*", STRANGER])
def test_that_service_linked_roles_of_others_are_let_in_by_no_name_of_theirs_is_not_told(wide: str) -> None:
    """Control policies do not deny it to them, and keep all others of everybody out, or of an account (docs/aws-differences.md)."""
    document, control = OTHERS.replace('{"AWS":"*"}', json.dumps({"AWS": wide})), controlled("*")
    order, zone = f"arn:aws:shop:us-east-1:{OWNER}:order/7", Zone(frozenset((OWNER,)), "o-abcdefghij", ("o-abcdefghij/r-root/",))
    assert external(document, order, OWNER, zone, control, milliseconds=20_000) == ()
    session = f"arn:aws:sts::{STRANGER}:assumed-role/AWSServiceRoleForShop/session"
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    own, resource, *rcps = (decisions.Attached(decisions.compiled(text)) for text in (everything, document, *control.documents))
    layers = decisions.Layers((own,), resource, rcps=(tuple(rcps),))
    for kind, role in (("service-linked-role", LINKED), ("assumed-role", f"arn:aws:iam::{STRANGER}:role/AWSServiceRoleForShop")):
        principal = decisions.Principal(kind, session, STRANGER, role_arn=role)
        request = decisions.Request(principal, "shop:Read", order, OWNER, decisions.context({}))
        assert decisions.decide(request, layers).allowed is (kind == "service-linked-role")


def test_control_policies_that_take_too_long_take_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Question.asked

    def hard(question: Question, effort: Effort | None = None) -> Verdict:
        return Verdict(Answer.UNKNOWN) if question.restricting else asked(question, effort)

    monkeypatch.setattr(Question, "asked", hard)
    zone = Zone(frozenset(("111122223333",)))
    found = external(OTHERS, "arn:aws:shop:us-east-1:111122223333:order/7", "111122223333", zone, controlled("*"), milliseconds=20_000)
    assert [(one.actions, one.restriction, one.is_public) for one in found] == [
        (("shop:Read", "shop:Ship"), "FAILED_TO_EVALUATE_RCP", True)
    ]
    assert found[0].witness is not None
    one = OTHERS.replace('{"AWS":"*"}', json.dumps({"AWS": STRANGER}))
    found = external(one, "arn:aws:shop:us-east-1:111122223333:order/7", "111122223333", zone, controlled("*"), milliseconds=20_000)
    assert [(one.restriction, one.is_public) for one in found] == [("FAILED_TO_EVALUATE_RCP", False)]
