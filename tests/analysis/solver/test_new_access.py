"""`new_access`: named pairs of policies, each with its answer and, where it is yes, with a request that two evaluators confirm."""

from typing import Any

import pytest

from sekisho.analysis.solver import Answer, PolicyType, Verdict, new_access, questions, witnesses
from sekisho.errors import MalformedPolicyDocument
from tests.analysis.solver import pairs
from tests.analysis.solver.documents import allow, assumed, deny, policy, to

NO, YES, UNKNOWN = Answer.NO, Answer.YES, Answer.UNKNOWN
HOME = "arn:aws:s3:::home/"
ACCOUNT = "111122223333"


def asked(old: str, new: str, kind: PolicyType = PolicyType.IDENTITY, milliseconds: int = 20_000) -> Verdict:
    """The verdict; a witness is confirmed by both evaluators."""
    verdict = new_access(old, new, kind, milliseconds=milliseconds)
    if verdict.answer is YES:
        assert verdict.witness is not None
        assert verdict.statements
        made = pairs.Pair(old, new, kind)
        assert pairs.grants_more(made, verdict.witness), verdict
        assert pairs.oracle_says_more(made, verdict.witness), verdict
    else:
        assert (verdict.witness, verdict.statements) == (None, ())
    assert (verdict.reason != "") is (verdict.answer is UNKNOWN)
    return verdict


def when(operator: str, key: str, *values: object) -> dict[str, Any]:
    return allow("s3:GetObject", "*", condition={operator: {key: list(values)}})


IDENTITY = {
    "a narrower action": (NO, [allow("s3:Get*")], [allow("s3:GetObject")]),
    "a wider action": (YES, [allow("s3:GetObject")], [allow("s3:Get*")]),
    "actions in another case": (NO, [allow("s3:GetObject")], [allow("S3:getobject")]),
    "two halves of a whole": (NO, [allow("s3:Get*"), allow("s3:Put*")], [allow(["s3:GetObject", "s3:PutObject"])]),
    "every action is a star": (NO, [allow("*")], [allow("*:*")]),
    "NotAction leaves the rest": (YES, [allow("s3:*")], [{**allow(None), "NotAction": "iam:*"}]),
    "NotAction leaves nothing new": (NO, [{**allow(None), "NotAction": "iam:*"}], [allow("s3:*")]),
    "a deny takes away": (NO, [allow()], [allow(), deny("iam:*")]),
    "a deny is lifted": (YES, [allow(), deny("iam:*")], [allow()]),
    "a deny is narrowed": (YES, [allow(), deny("iam:*")], [allow(), deny("iam:Pass*")]),
    "a deny of something else": (NO, [allow("s3:*"), deny("iam:*")], [allow("s3:*")]),
    "a resource within": (NO, [allow("s3:*", "arn:aws:s3:::b/*")], [allow("s3:*", "arn:aws:s3:::b/c/*")]),
    "a resource beyond": (YES, [allow("s3:*", "arn:aws:s3:::b/c/*")], [allow("s3:*", "arn:aws:s3:::b/*")]),
    "NotResource": (YES, [allow("s3:*", "arn:aws:s3:::b/*")], [{**allow("s3:*", None), "NotResource": "arn:aws:s3:::b/*"}]),
    "a variable and a wildcard": (NO, [allow("s3:*", HOME + "*")], [allow("s3:*", HOME + "${aws:username}/*")]),
    "a wildcard and a variable": (YES, [allow("s3:*", HOME + "${aws:username}/*")], [allow("s3:*", HOME + "*")]),
    "one variable, less": (NO, [allow("s3:*", HOME + "${aws:username}*")], [allow("s3:*", HOME + "${aws:username}/*")]),
    "one variable, more": (YES, [allow("s3:*", HOME + "${aws:username}/*")], [allow("s3:*", HOME + "${aws:username}*")]),
    "another variable": (YES, [allow("s3:*", HOME + "${aws:username}/*")], [allow("s3:*", HOME + "${aws:userid}/*")]),
    "a variable's default": (YES, [allow("s3:*", HOME + "${a:b}/*")], [allow("s3:*", HOME + "${a:b, 'all'}/*")]),
    "a default that was allowed": (
        NO,
        [allow("s3:*", HOME + "${a:b}/*"), allow("s3:*", HOME + "all/*")],
        [allow("s3:*", HOME + "${a:b, 'all'}/*")],
    ),
    "a star that is none": (NO, [allow("s3:*", HOME + "*")], [allow("s3:*", HOME + "a${*}b")]),
    "a name or a key, less": (NO, [when("StringEquals", "aws:username", "a", "${a:b}")], [when("StringEquals", "aws:username", "a")]),
    "a key or a name, more": (YES, [when("StringEquals", "aws:username", "${b:c}")], [when("StringEquals", "aws:username", "a", "${b:c}")]),
    "a condition goes": (YES, [when("StringEquals", "a:b", "c")], [allow("s3:GetObject")]),
    "a condition comes": (NO, [allow("s3:GetObject")], [when("StringEquals", "a:b", "c")]),
    "a value more": (YES, [when("StringEquals", "a:b", "c")], [when("StringEquals", "a:b", "c", "d")]),
    "a value less": (NO, [when("StringEquals", "a:b", "c", "d")], [when("StringEquals", "a:b", "d")]),
    "the key in another case": (NO, [when("StringEquals", "a:b", "c")], [when("StringEquals", "A:B", "c")]),
    "values have a case": (YES, [when("StringEquals", "a:b", "c")], [when("StringEquals", "a:b", "C")]),
    "in any case": (NO, [when("StringEqualsIgnoreCase", "a:b", "c")], [when("StringEquals", "a:b", "C", "c")]),
    "the Kelvin sign is a k": (YES, [when("StringEquals", "a:b", "k", "K")], [when("StringEqualsIgnoreCase", "a:b", "k")]),
    "a pattern over a text": (NO, [when("StringLike", "a:b", "c*")], [when("StringEquals", "a:b", "cde")]),
    "IfExists lets the missing in": (YES, [when("StringEquals", "a:b", "c")], [when("StringEqualsIfExists", "a:b", "c")]),
    "a negation lets the missing in": (YES, [when("Null", "a:b", "false")], [when("StringNotEquals", "a:b", "c")]),
    "a negation of more": (NO, [when("StringNotEquals", "a:b", "c")], [when("StringNotEquals", "a:b", "c", "d")]),
    "a contradiction grants nothing": (
        NO,
        [allow("x:y")],
        [allow(condition={"StringEquals": {"a:b": "c"}, "StringNotEquals": {"a:b": "c"}})],
    ),
    "an ARN's segments": (
        YES,
        [when("ArnLike", "aws:SourceArn", "arn:aws:sns:*:*:t")],
        [when("StringLike", "aws:SourceArn", "arn:aws:sns:*:t")],
    ),
    "an ARN's account": (
        NO,
        [when("StringLike", "aws:SourceArn", f"arn:aws:sns:*:{ACCOUNT}:*")],
        [when("ArnLike", "aws:SourceArn", f"arn:aws:sns:*:{ACCOUNT}:t?")],
    ),
    "a narrower range": (
        NO,
        [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")],
        [when("IpAddress", "aws:SourceIp", "10.1.0.0/16", "10.2.3.4")],
    ),
    "a wider range": (YES, [when("IpAddress", "aws:SourceIp", "10.0.0.0/9")], [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")]),
    "two halves of a range": (
        NO,
        [when("IpAddress", "aws:SourceIp", "10.0.0.0/9", "10.128.0.0/9")],
        [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")],
    ),
    "all of IPv4 is not all of IPv6": (YES, [when("IpAddress", "aws:SourceIp", "0.0.0.0/0")], [when("IpAddress", "aws:SourceIp", "::/0")]),
    "an address in disguise": (
        NO,
        [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")],
        [when("IpAddress", "aws:SourceIp", "::ffff:10.0.0.0/104")],
    ),
    "no address of IPv6 is one in disguise": (
        NO,
        [when("IpAddress", "aws:SourceIp", "::fffe:0:0/96")],
        [when("IpAddress", "aws:SourceIp", "::ffff:0:0/95")],
    ),
    "what is no address is outside": (
        YES,
        [when("IpAddress", "aws:SourceIp", "::/0", "0.0.0.0/0")],
        [when("Null", "aws:SourceIp", "false")],
    ),
    "one less than": (YES, [when("NumericLessThan", "a:n", "10")], [when("NumericLessThanEquals", "a:n", "10.0")]),
    "numbers are decimals": (NO, [when("NumericEquals", "a:n", "10")], [when("NumericEquals", "a:n", "10.00", "1e1")]),
    "between two numbers there is one": (YES, [when("NumericEquals", "a:n", "1", "2")], [when("NumericLessThanEquals", "a:n", "2")]),
    "large numbers are exact": (
        YES,
        [when("NumericEquals", "a:n", "9007199254740992")],
        [when("NumericEquals", "a:n", "9007199254740993")],
    ),
    "no number is between": (
        NO,
        [allow("x:y")],
        [allow(condition={"NumericLessThan": {"a:n": "5"}, "NumericGreaterThanEquals": {"a:n": "5"}})],
    ),
    "one date in two zones": (
        NO,
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z")],
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01T01:00:00+01:00")],
    ),
    "a second later": (
        YES,
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z")],
        [when("DateLessThanEquals", "aws:CurrentTime", "2026-01-01T00:00:00Z")],
    ),
    "the clock is always there": (
        NO,
        [when("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z")],
        [when("DateLessThanIfExists", "aws:CurrentTime", "2026-01-01T00:00:00Z")],
    ),
    "true or false is not all": (YES, [when("Bool", "a:b", "true", "false")], [allow("s3:GetObject")]),
    "true in another spelling": (NO, [when("Bool", "a:b", "true")], [when("Bool", "a:b", "True")]),
    "bytes, however they are written": (YES, [when("BinaryEquals", "a:b", "QQ==")], [when("BinaryEquals", "a:b", "QUI=")]),
    "the same bytes": (NO, [when("BinaryEquals", "a:b", "QQ==", "QUI=")], [when("BinaryEquals", "a:b", "QQ==")]),
    "no bytes are bytes, and nothing": (
        YES,
        [allow("x:y")],
        [allow(condition={"BinaryEquals": {"a:b": ""}, "Null": {"a:b": "true"}})],
    ),
    "nothing is no number": (
        NO,
        [allow("x:y")],
        [allow(condition={"NumericLessThan": {"a:n": "5"}, "Null": {"a:n": "true"}})],
    ),
    "bytes are not two at once": (
        NO,
        [allow("x:y")],
        [allow(condition={"BinaryEquals": {"a:b": "QQ=="}, "BinaryEqualsIfExists": {"a:b": "QUI="}})],
    ),
    "all of some is some": (
        NO,
        [when("ForAllValues:StringEquals", "aws:TagKeys", "a", "b")],
        [when("ForAllValues:StringEquals", "aws:TagKeys", "a")],
    ),
    "some is not all": (
        YES,
        [when("ForAllValues:StringEquals", "aws:TagKeys", "a", "b")],
        [when("ForAnyValue:StringEquals", "aws:TagKeys", "a")],
    ),
    "all is true of none": (
        YES,
        [when("ForAnyValue:StringLike", "aws:TagKeys", "*")],
        [when("ForAllValues:StringEquals", "aws:TagKeys", "a")],
    ),
    "all, and some": (
        NO,
        [when("ForAnyValue:StringEquals", "aws:TagKeys", "a", "b")],
        [
            allow(
                "s3:GetObject",
                condition={
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]},
                    "Null": {"aws:TagKeys": "false"},
                },
            )
        ],
    ),
    "roles of an account": (
        NO,
        [when("StringEquals", "aws:PrincipalAccount", ACCOUNT)],
        [when("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*")],
    ),
    "an account of roles": (
        YES,
        [when("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/*")],
        [when("StringEquals", "aws:PrincipalAccount", ACCOUNT)],
    ),
    "a user's name is the end of its ARN": (
        NO,
        [when("StringEquals", "aws:username", "alice")],
        [when("ArnEquals", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/staff/alice")],
    ),
    "a user is no role": (
        NO,
        [allow("x:y")],
        [allow(condition={"StringEquals": {"aws:PrincipalType": "AssumedRole"}, "Null": {"aws:username": "false"}})],
    ),
    "the principal's own account": (
        YES,
        [when("StringEquals", "aws:ResourceAccount", ACCOUNT)],
        [when("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}")],
    ),
    "the same, from the other side": (
        NO,
        [when("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}")],
        [when("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}")],
    ),
    "what needs no permission is never new": (NO, [allow("s3:GetObject")], [allow(["s3:GetObject", "sts:GetCallerIdentity"])]),
}


@pytest.mark.parametrize("name", IDENTITY)
def test_identity(name: str) -> None:
    answer, old, new = IDENTITY[name]
    assert asked(policy(*old), policy(*new)).answer is answer


USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:role/team/app"
ROOT, SESSION = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/night"
RESOURCE = {
    "a user of the account": (NO, [to({"AWS": ROOT})], [to({"AWS": USER})]),
    "the account of a user": (YES, [to({"AWS": USER})], [to({"AWS": ROOT})]),
    "an account in both forms": (NO, [to({"AWS": ROOT})], [to({"AWS": ACCOUNT})]),
    # The account may have another role of this name by then, with another path.
    "a session of a role with a path": (YES, [to({"AWS": ROLE})], [to({"AWS": ROLE}), to({"AWS": SESSION})]),
    "a session of everybody": (NO, [to({"AWS": ROOT})], [to({"AWS": SESSION})]),
    "a role of a session": (YES, [to({"AWS": SESSION})], [to({"AWS": ROLE})]),
    "everybody": (YES, [to({"AWS": [ROOT, "444455556666"]})], [to("*")]),
    "a service": (YES, [to({"AWS": ROOT})], [to({"Service": "sns.amazonaws.com"})]),
    "an account is no service": (NO, [to("*")], [to({"Service": "sns.amazonaws.com"})]),
    "a unique id": (YES, [to({"AWS": USER})], [to({"AWS": "AIDAEXAMPLEEXAMPLE234"})]),
    "everybody of an account": (NO, [to({"AWS": ROOT})], [to("*", condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})]),
    "everybody but a user": (
        YES,
        [to("*"), {**deny("s3:*", "*"), "NotPrincipal": {"AWS": [USER, ROOT]}}],
        [to("*"), {**deny("s3:*", "*"), "NotPrincipal": {"AWS": [USER, f"arn:aws:iam::{ACCOUNT}:user/bob", ROOT]}}],
    ),
    "a user without its account is not spared": (
        NO,
        [to("*"), {**deny("s3:*", "*"), "Principal": "*"}],
        [to("*"), {**deny("s3:*", "*"), "NotPrincipal": {"AWS": [USER]}}],
    ),
    "a canonical user": (
        YES,
        [to({"AWS": USER})],
        [to({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})],
    ),
    "a role's trust": (YES, [assumed({"AWS": ROLE})], [assumed({"AWS": ROOT})]),
    "root assumes no role": (NO, [assumed({"AWS": USER})], [assumed({"AWS": USER}, ["sts:AssumeRole"])]),
    "a provider": (
        YES,
        [assumed({"AWS": ROOT})],
        [assumed({"AWS": ROOT}), assumed({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity")],
    ),
    "an external id": (
        YES,
        [assumed({"AWS": ROOT}, condition={"StringEquals": {"sts:ExternalId": "1"}})],
        [assumed({"AWS": ROOT}, condition={"StringEquals": {"sts:ExternalId": ["1", "2"]}})],
    ),
    "nobody unsigned has a user id": (
        NO,
        [to({"AWS": [ROOT]}), to("*", condition={"Null": {"aws:PrincipalType": "false"}})],
        [to("*", condition={"Null": {"aws:userid": "false"}})],
    ),
    "every user has a user id": (
        NO,
        [to("*", condition={"StringLike": {"aws:userid": "*"}}), to({"Service": "sns.amazonaws.com"})],
        [to({"AWS": USER})],
    ),
    "nobody unsigned is in an organization": (
        NO,
        [to("*", condition={"StringLike": {"aws:userid": "*"}})],
        [to("*", condition={"Null": {"aws:PrincipalOrgID": "false"}}), to("*", condition={"Null": {"aws:PrincipalOrgPaths": "false"}})],
    ),
    "nobody unsigned has tags": (
        NO,
        [to({"AWS": [ROOT]}), to("*", condition={"Null": {"aws:PrincipalAccount": "false"}})],
        [to("*", condition={"StringEquals": {"aws:PrincipalTag/a": "b"}})],
    ),
}


@pytest.mark.parametrize("name", RESOURCE)
def test_resource(name: str) -> None:
    answer, old, new = RESOURCE[name]
    assert asked(policy(*old), policy(*new), PolicyType.RESOURCE).answer is answer


def test_a_witness_is_one_whole_request() -> None:
    new = policy(
        allow("s3:GetObject", "arn:aws:s3:::a/*", condition={"StringEquals": {"a:b": "c"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    )
    verdict = asked(policy(allow("s3:GetObject", "arn:aws:s3:::b/*")), new)
    assert verdict.witness is not None
    assert (verdict.witness.action, verdict.witness.resource) == ("s3:GetObject", "arn:aws:s3:::a/example")
    assert verdict.witness.principal.kind in ("user", "role", "assumed-role")
    assert verdict.witness.context == {"a:b": "c", "aws:sourceip": "10.0.0.0"}
    assert verdict.statements == (0,)


def test_statements_are_those_that_grant_the_witness() -> None:
    new = policy(allow("s3:Get*"), deny("iam:*"), allow("sqs:*"), allow("*", "arn:aws:sqs:*"), allow("sns:*"))
    assert asked(policy(allow("s3:*"), allow("sns:*")), new).statements in ((2,), (3,), (2, 3))


def test_a_witness_says_no_more_than_it_needs() -> None:
    block = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}, "StringNotEquals": {"a:b": "c"}}
    verdict = asked(policy(allow("x:y")), policy(allow("s3:GetObject", condition=block)))
    assert verdict.witness is not None
    assert verdict.witness.context in ({"aws:tagkeys": ("a",)}, {"aws:tagkeys": ("b",)})


def test_of_an_action_the_spelling_is_the_policys() -> None:
    verdict = asked(policy(allow("s3:GetObject")), policy(allow("shop:CancelOrder")))
    assert verdict.witness is not None
    assert verdict.witness.action == "shop:CancelOrder"


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"NumericEquals": {"a:n": "1e400"}}, "the number 1E\\+400 is too large"),
        ({"StringEqualsIgnoreCase": {"a:b": "ΣΑΣ"}}, "what is lower case of it depends on its neighbours"),
        ({"StringLike": {"aws:username": "${aws:PrincipalTag/name}"}}, "is compared with a variable in a way that is not translated"),
        ({"StringEquals": {"aws:username": "${aws:PrincipalTag/name}x"}}, "is compared with a variable in a way that is not translated"),
        (
            {"StringEquals": {"aws:username": "${aws:PrincipalTag/name, 'x'}"}},
            "is compared with a variable in a way that is not translated",
        ),
        ({"StringEquals": {"aws:username": "${aws:PrincipalAccount}"}}, "which the principal determines, too"),
        ({"NumericEquals": {"aws:PrincipalAccount": "1"}}, "asked with an operator that is not one for text or ARNs"),
    ],
)
def test_what_cannot_be_translated_is_unknown(condition: dict[str, Any], reason: str) -> None:
    import re

    verdict = asked(policy(allow("s3:GetObject", "arn:aws:s3:::b/*")), policy(allow(condition=condition)))
    assert verdict.answer is UNKNOWN
    assert re.search(reason, verdict.reason), verdict.reason


def test_a_value_with_a_colon_is_not_taken_by_a_star_within_a_segment() -> None:
    old, new = (policy(allow("s3:*", f"arn:aws:s3:::x/{middle}/y/${{c:d}}")) for middle in ("*", "${a:b}"))
    assert asked(old, new).answer is not NO
    assert asked(policy(allow("s3:*", "arn:aws:s3:::x/${a:b}*")), policy(allow("s3:*", "arn:aws:s3:::x/${a:b}/y"))).answer is NO
    assert asked(policy(allow("s3:*", "arn:aws:s3:::x/?/y/${c:d}")), new).answer is not NO


def test_too_little_time_is_unknown() -> None:
    mixed = [f"arn:aws:s3:::*{letter}{'?' * 60}*" for letter in "abab"]
    verdict = asked(policy(allow("s3:*", mixed)), policy(allow("s3:*", f"arn:aws:s3:::*{'a?' * 200}*")), milliseconds=50)
    assert verdict.answer is UNKNOWN
    assert verdict.reason == "the question takes more than 50 ms"


def test_more_conditions_than_values_are_kept_apart_is_unknown() -> None:
    block = {"ForAnyValue:StringEquals": {"a:b": "c"}}
    statements = [allow("s3:GetObject", f"arn:aws:s3:::b{i}", condition=block) for i in range(9)]
    assert asked(policy(*statements), policy(*statements)).reason == "a key with several values is asked by too many conditions"
    assert asked(policy(*statements[:3]), policy(*statements[:3])).answer is NO


@pytest.mark.parametrize(
    "document", ["{", '{"Statement": []}', policy({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})]
)
def test_a_document_that_is_not_valid_is_refused(document: str) -> None:
    for old, new in ((document, policy(allow())), (policy(allow()), document)):
        with pytest.raises(MalformedPolicyDocument):
            new_access(old, new, PolicyType.IDENTITY, milliseconds=1000)


def test_an_answer_that_the_evaluator_does_not_confirm_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "is_granted", lambda *_args, **_named: None)
    verdict = questions.new_access(policy(allow("s3:*")), policy(allow("*")), PolicyType.IDENTITY, milliseconds=5000)
    assert verdict.answer is UNKNOWN
    assert verdict.reason in ("a request was found that the evaluator does not confirm", "some cases could not be told")
