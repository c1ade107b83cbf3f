"""Fixed values that somebody owns, and what comes from beyond a zone: each key and operator, read with small requests."""

import pytest

from sekisho import policy as decisions
from sekisho.analysis.solver import documents as translated
from sekisho.analysis.solver import exposure
from sekisho.analysis.solver.contexts import Context
from sekisho.analysis.solver.exposure import Zone
from sekisho.policy import Program
from sekisho.policy.document import Condition
from tests.analysis.solver.documents import deny, policy, to
from tests.analysis.solver.requests_read import Asked

OWNER, FRIEND, STRANGER = "111122223333", "444455556666", "777788889999"
ARN, ARNS, TOPICS = f"arn:aws:sns:eu-west-1:{OWNER}:topic", f"arn:aws:sns:*:{OWNER}:*", "arn:aws:sns:*:*:topic"
OF_TEXT = f"arn:aws:sns:eu-west-1:{OWNER}:*"
PATH = "o-1/r-1/*"

OWNED = {
    "aws:sourcevpc": ["vpc-1"],
    "aws:sourcevpce": ["vpce-1"],
    "aws:sourceaccount": [OWNER],
    "aws:sourceowner": [OWNER],
    "aws:sourceorgid": ["o-1"],
    "aws:principalorgid": ["o-1"],
    "aws:vpceorgid": ["o-1"],
    "aws:vpceaccount": [OWNER],
    "kms:calleraccount": [OWNER],
    "s3:dataaccesspointaccount": [OWNER],
    "aws:principalaccount": [OWNER, "111122223333x", "nobody"],
    "aws:userid": ["AIDAONE", "AROAONE:ann", "AROA1:*"],
    "aws:sourcearn": [ARN, OF_TEXT, "no-arn"],
    "aws:principalarn": [ARN, OF_TEXT],
    "aws:sourcevpcarn": [ARN, OF_TEXT],
    "s3:dataaccesspointarn": [ARN, OF_TEXT],
    "aws:principalorgpaths": [PATH, "o-1/*", "o-1/r-1/ou-?/"],
    "aws:sourceorgpaths": [PATH],
    "aws:vpceorgpaths": [PATH],
}
UNOWNED = {
    "aws:sourcevpc": ["vpc-*", "vpc-?", "${aws:username}", "arn:aws:sns:*:111122223333:*"],
    "aws:sourceaccount": ["11112222333?", "*"],
    "aws:principalorgid": ["o-*", PATH],
    "aws:principalaccount": ["anonymous", "Anonymous", "${aws:ResourceAccount}", "*"],
    "aws:userid": ["*", "*:ann", "AIDAON*", "AROAONE:a*", "AROA*:*", "AROA:*x", "aroaone:*", "ARO:*", "AIDAON?"],
    "aws:sourcearn": [
        TOPICS,
        "arn:*",
        "*",
        f"arn:aws:*:eu-west-1:{OWNER}:topic",
        f"arn:aw?:sns::{OWNER}:*",
        "arn:aws:sns:*:11112222333*:topic",
        f"arn:aws:sns:*:{OWNER}",
    ],
    "aws:principalarn": ["arn:aws:iam::*:role/reader", "${aws:SourceArn}"],
    "aws:principalorgpaths": ["o-*/r-1/*", "*", "o-?/r-1/", "o-1*", "r-1/*", "o-/*"],
    "aws:referer": ["https://example.com/"],
    "sts:externalid": ["1"],
    "aws:username": ["ann"],
}


@pytest.mark.parametrize("key", OWNED)
def test_values_that_somebody_owns(key: str) -> None:
    for value in OWNED[key]:
        assert exposure.is_owned(key, Condition("StringLike", key, (value,))), value
        assert exposure.is_owned(key, Condition("StringEquals", key, (value,))), value
        assert exposure.is_owned(key, Condition("StringEquals", key, (value, value)))
        assert not exposure.is_owned(key, Condition("StringEquals", key, (value, "${aws:a}")))
        assert not exposure.is_owned(key, Condition("StringLike", key, ("*", value)))


@pytest.mark.parametrize("key", UNOWNED)
def test_values_that_nobody_owns(key: str) -> None:
    for value in UNOWNED[key]:
        assert not exposure.is_owned(key, Condition("StringLike", key, (value,))), value


def test_the_keys_with_owners() -> None:
    assert {*OWNED, "aws:sourceip", "aws:vpcsourceip"} == exposure.TRUSTED


@pytest.mark.parametrize(
    ("operator", "owned"),
    [
        ("StringEquals", True),
        ("StringLike", True),
        ("StringEqualsIgnoreCase", False),
        ("StringNotEquals", False),
        ("StringEqualsIfExists", False),
        ("ForAnyValue:StringEquals", False),
        ("ForAllValues:StringEquals", False),
        ("ArnEquals", True),
        ("ArnLike", True),
        ("NumericEquals", False),
        ("Bool", False),
        ("BinaryEquals", False),
        ("Null", False),
        ("NoSuch", False),
    ],
)
def test_operators_with_owners(operator: str, owned: bool) -> None:
    assert exposure.is_owned("aws:sourcearn", Condition(operator, "aws:SourceArn", (ARN,))) is owned
    assert not exposure.is_owned("aws:sourcearn", Condition(operator, "aws:SourceArn", ()))


@pytest.mark.parametrize(
    ("value", "owned"),
    [
        (f"arn:aws:sns:*:{OWNER}:*", True),
        (f"arn:aws:sns:eu-?:{OWNER}:*", True),
        (f"arn:aws:s?s::{OWNER}:*", False),
        (f"arn::sns::{OWNER}:*", True),
    ],
)
def test_wildcards_in_the_region_of_an_arn(value: str, owned: bool) -> None:
    """To an operator of ARNs a wildcard is never a colon."""
    assert exposure.is_owned("aws:sourcearn", Condition("ArnLike", "aws:SourceArn", (value,))) is owned
    of_text = exposure.is_owned("aws:sourcearn", Condition("StringLike", "aws:SourceArn", (value,)))
    assert of_text is (owned and "eu-?" not in value and "sns:*" not in value)


RANGES = {
    "10.0.0.0/8": True,
    "10.0.0.0/7": False,
    "10.0.0.1": True,
    "0.0.0.0/0": False,
    "2001:db8::/32": True,
    "2001:db8::/31": False,
    "2001:db8::1": True,
    "::/0": False,
    "::ffff:0:0/96": False,
    "::ffff:10.0.0.0/104": True,
    "::ffff:10.0.0.0/103": False,
    "home": False,
}


@pytest.mark.parametrize("text", RANGES)
@pytest.mark.parametrize("key", ["aws:sourceip", "aws:vpcsourceip"])
def test_ranges_of_addresses(key: str, text: str) -> None:
    owned = RANGES[text]
    assert exposure.is_owned(key, Condition("IpAddress", key, (text,))) is owned
    assert exposure.is_owned(key, Condition("IpAddress", key, ("10.0.0.1", text))) is owned
    assert not exposure.is_owned("aws:sourcevpc2", Condition("IpAddress", "aws:sourcevpc2", (text,)))
    assert not exposure.is_owned(key, Condition("NotIpAddress", key, (text,)))


def program(*statements: dict[str, object]) -> Program:
    return decisions.compiled(policy(*statements))


def public(asked: Asked, *statements: dict[str, object]) -> bool:
    """What comes after `_public`: the request is of somebody whom nothing in the policy means, with no value that it trusts."""
    read = program(*statements)
    context = Context([read])
    return all(map(asked.meets, exposure._public(read, context)))


def when(operator: str, key: str, *values: str) -> dict[str, object]:
    return to("*", condition={operator: {key: list(values)}})


def user(account: str = STRANGER, name: str = "ann", **more: object) -> Asked:
    return Asked("user", f"arn:aws:iam::{account}:user/{name}", "AIDAONE", **more)  # type: ignore[arg-type]


def at(key: str, value: str | tuple[str, ...]) -> Asked:
    """A user whose request has a key."""
    return user(keys={key: value})


SERVICE, PROVIDER = Asked("service", "sns.amazonaws.com"), Asked("federated", "accounts.google.com")
ROLE = Asked("assumed-role", f"arn:aws:iam::{STRANGER}:role/app", "AROAONE:ann")
STRANGERS = {
    "everybody": (user(), [to("*")], True),
    "of an account that is named": (user(), [to({"AWS": STRANGER})], False),
    "of the account of a root user that is named": (user(), [to({"AWS": f"arn:aws:iam::{STRANGER}:root"})], False),
    "of the account of somebody who is named": (user(), [to({"AWS": f"arn:aws:iam::{STRANGER}:role/other"})], False),
    "of an account that another statement names": (user(), [to("*"), to({"AWS": STRANGER}, "s3:PutObject")], False),
    "of an account that is denied": (user(), [to("*"), {**deny(), "Principal": {"AWS": STRANGER}}], False),
    "of another account": (user(), [to({"AWS": OWNER})], True),
    "somebody by id": (user(), [to({"AWS": "AIDAONE"})], False),
    "somebody by another id": (user(), [to({"AWS": "AIDATWO"})], True),
    "a session by its role's id": (ROLE, [to({"AWS": "AROAONE"})], False),
    "a session by ARN": (ROLE, [to({"AWS": f"arn:aws:sts::{OWNER}:assumed-role/app/ann"})], True),
    "a service": (SERVICE, [to({"Service": "sns.amazonaws.com"})], False),
    "another service": (SERVICE, [to({"Service": "sqs.amazonaws.com"})], True),
    "a provider": (PROVIDER, [to({"Federated": "accounts.google.com"})], False),
    "another provider": (PROVIDER, [to({"Federated": "login.example.com"})], True),
    "a service by the name of a provider": (SERVICE, [to({"Federated": "sns.amazonaws.com"})], False),
    "a canonical user": (user(canonical="c" * 64), [to({"CanonicalUser": "c" * 64})], False),
    "another canonical user": (user(canonical="d" * 64), [to({"CanonicalUser": "c" * 64})], True),
    "anonymous": (Asked("anonymous"), [to({"AWS": OWNER})], True),
    "in a VPC that is trusted": (at("aws:sourcevpc", "vpc-1"), [when("StringEquals", "aws:SourceVpc", "vpc-1")], False),
    "in another VPC": (at("aws:sourcevpc", "vpc-2"), [when("StringEquals", "aws:SourceVpc", "vpc-1")], True),
    "in no VPC": (user(), [when("StringEquals", "aws:SourceVpc", "vpc-1")], True),
    "in a VPC that is denied": (
        at("aws:sourcevpc", "vpc-1"),
        [to("*"), {**deny(condition={"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}), "Principal": "*"}],
        False,
    ),
    "in one of two VPCs": (at("aws:sourcevpc", "vpc-2"), [when("StringEquals", "aws:SourceVpc", "vpc-1", "vpc-2")], False),
    "in VPCs that a pattern names": (at("aws:sourcevpc", "vpc-1"), [when("StringLike", "aws:SourceVpc", "vpc-*")], True),
    "in a VPC that is a number": (at("aws:sourcevpc", "1"), [when("NumericEquals", "aws:SourceVpc", "1")], True),
    "with a tag that is named": (at("aws:requesttag/a", "b"), [when("StringEquals", "aws:RequestTag/a", "b")], True),
    "with a word in another's place": (at("aws:sourcevpc", "vpce-1"), [when("StringEquals", "aws:SourceVpce", "vpce-1")], True),
    "with a variable's value": (at("aws:sourcevpc", "${a:b}"), [when("StringEquals", "aws:SourceVpc", "${a:b}")], True),
    "with a pattern as it is written": (at("aws:sourcevpc", "vpc-*"), [when("StringEquals", "aws:SourceVpc", "vpc-*")], False),
    "that a pattern without wildcards names": (at("aws:sourcevpc", "vpc-1"), [when("StringLike", "aws:SourceVpc", "vpc-1")], False),
    "from a source of an account": (user(keys={"aws:sourcearn": ARN}), [when("ArnLike", "aws:SourceArn", ARNS)], False),
    "from a source of an account, by text": (
        user(keys={"aws:sourcearn": ARN}),
        [when("StringLike", "aws:SourceArn", f"arn:aws:sns:eu-west-1:{OWNER}:*")],
        False,
    ),
    "from a source of anybody": (user(keys={"aws:sourcearn": ARN}), [when("ArnLike", "aws:SourceArn", TOPICS)], True),
    "at an address": (at("aws:sourceip", "10.1.2.3"), [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")], False),
    "at another address": (at("aws:sourceip", "11.1.2.3"), [when("IpAddress", "aws:SourceIp", "10.0.0.0/8")], True),
    "at an address of many": (at("aws:sourceip", "10.1.2.3"), [when("IpAddress", "aws:SourceIp", "10.0.0.0/7")], True),
    "at one of two ranges": (at("aws:sourceip", "10.1.2.3"), [when("IpAddress", "aws:SourceIp", "10.0.0.0/7", "10.0.0.0/9")], False),
    "at an address of another key": (
        at("aws:sourceip", "10.1.2.3"),
        [when("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"), when("IpAddress", "aws:SourceIp", "10.0.0.0/7")],
        True,
    ),
    "at an address as a text": (at("aws:sourceip", "10.1.2.3"), [when("StringEquals", "aws:SourceIp", "10.1.2.3")], False),
    "on paths that are trusted": (
        at("aws:principalorgpaths", ("o-2/", "o-1/r-1/")),
        [when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", PATH)],
        False,
    ),
    "on other paths": (
        at("aws:principalorgpaths", ("o-2/", "o-3/")),
        [when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", PATH)],
        True,
    ),
    "on no paths": (at("aws:principalorgpaths", ()), [when("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", PATH)], True),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_who_is_the_public(name: str) -> None:
    asked, statements, expected = STRANGERS[name]
    assert public(asked, *statements) is expected


ZONE = Zone(frozenset((OWNER,)), "o-1", ("o-2/r-1/ou-1/",))
INSIDE = {
    **dict.fromkeys(("aws:sourceaccount", "aws:sourceowner", "aws:vpceaccount", "kms:calleraccount"), (OWNER, FRIEND)),
    **dict.fromkeys(("aws:principalorgid", "aws:sourceorgid", "aws:vpceorgid"), ("o-1", "o-2")),
    **{key: (ARN, ARN.replace(OWNER, FRIEND)) for key in ("aws:sourcearn", "aws:sourcevpcarn")},
}
PATHS = ("aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths")


def beyond(zone: Zone, asked: Asked, *keys: str) -> bool:
    context = Context([program(*(when("StringEquals", key, "x") for key in (*keys, "a:b")))])
    return all(map(asked.meets, exposure._beyond(zone, context)))


@pytest.mark.parametrize("key", INSIDE)
def test_keys_that_say_what_is_within(key: str) -> None:
    inside, outside = INSIDE[key]
    assert not beyond(ZONE, user(keys={key: inside}), key)
    assert beyond(ZONE, user(keys={key: outside}), key)
    assert beyond(ZONE, user(), key)
    assert beyond(ZONE, user(keys={key: inside}))  # nobody asks for it
    assert beyond(Zone(frozenset((FRIEND,))), user(keys={key: inside}), key)


@pytest.mark.parametrize("key", PATHS)
def test_paths_within(key: str) -> None:
    for path, expected in (("o-1/r-1/", False), ("o-1/", False), ("o-2/r-1/ou-1/a/", False), ("o-2/r-1/", True), ("o-11/", True)):
        assert beyond(ZONE, user(keys={key: (path,)}), key) is expected, path
        assert beyond(ZONE, user(keys={key: ("o-3/", path)}), key) is expected
    assert beyond(Zone(frozenset((OWNER,)), "", ()), user(keys={key: ("o-1/",)}), key)


def test_what_says_nothing_of_a_zone() -> None:
    assert beyond(ZONE, user(keys={"aws:sourcevpc": OWNER}), "aws:SourceVpc")
    assert beyond(ZONE, user(keys={"aws:sourcearn": f"arn:aws:sns:{OWNER}:{FRIEND}:topic"}), "aws:SourceArn")
    assert beyond(ZONE, user(keys={"aws:sourcearn": f"arn:aws:sns:{FRIEND}:{OWNER}0:topic"}), "aws:SourceArn")


def test_principals_beyond_a_zone() -> None:
    assert not beyond(ZONE, user(OWNER))
    assert not beyond(ZONE, SERVICE)
    assert [beyond(ZONE, one) for one in (user(FRIEND), PROVIDER, Asked("anonymous"))] == [True] * 3


@pytest.mark.parametrize(
    ("resource", "met"),
    [
        ("arn:aws:s3:::b", True),
        ("arn:aws:s3:::b/x", True),
        ("arn:aws:s3:::b:x", True),
        ("arn:aws:s3:::bx", False),
        ("arn:aws:s3:::b/", True),
        ("", False),
    ],
)
def test_at_a_resource(resource: str, met: bool) -> None:
    assert Asked(resource=resource).meets(exposure._at("arn:aws:s3:::b")) is met
    assert Asked(resource=resource).meets(exposure._at(""))


CONTROL = exposure.Control((), "o-1")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${aws:ResourceAccount}", OWNER),
        ("x${AWS:resourceaccount}y", f"x{OWNER}y"),
        ("${aws:ResourceOrgID}", "o-1"),
        ("${aws:ResourceOrgID}/${aws:ResourceAccount}", f"o-1/{OWNER}"),
        ("${aws:ResourceOrgPaths}", "${aws:ResourceOrgPaths}"),
        ("${aws:SourceAccount}", "${aws:SourceAccount}"),
    ],
)
def test_the_owner_in_the_place_of_variables(written: str, expected: str) -> None:
    assert exposure._owned(written, OWNER, CONTROL) == expected


def test_an_owner_without_an_organization() -> None:
    assert exposure._owned("${aws:ResourceOrgID}", OWNER, exposure.Control((), "")) == "${aws:ResourceOrgID}"


def test_only_allows_of_a_resources_policy_are_of_its_kind() -> None:
    (rule,) = program(to("*")).rules
    assert translated.is_of_kind(rule.statement, of_resource=True)
    assert not translated.is_of_kind(rule.statement, of_resource=False)


CONCERNS = {
    "the same service": (["s3:Get*"], ["s3:GetObject"], True),
    "another service": (["sqs:*"], ["s3:GetObject"], False),
    "another case": (["S3:*"], ["s3:GetObject"], True),
    "one of two": (["sqs:*", "s3:Put*"], ["s3:GetObject"], True),
    "all": (["*"], ["s3:GetObject"], True),
    "a pattern of services": (["s?:*"], ["sqs:A"], True),
    "of all": (["s3:*"], ["*"], True),
    "of a pattern of services": (["s3:*"], ["sq?:A"], True),
}


@pytest.mark.parametrize("name", CONCERNS)
def test_what_a_control_policy_concerns(name: str) -> None:
    denied, named, expected = CONCERNS[name]
    control = {**deny(denied), "Principal": "*"}
    (rule,) = program(to("*", named)).rules
    assert exposure._concerns(program(control), rule) is expected
    assert exposure._concerns(program({**deny(["iot:*"]), "Principal": "*"}, control), rule) is expected
    assert not exposure._concerns(program({**control, "Effect": "Allow"}), rule)
    assert exposure._concerns(program({**deny(None, NotAction=["iot:*"]), "Principal": "*"}), rule)
    (rule,) = program(to("*", None, NotAction=named)).rules
    assert exposure._concerns(program(control), rule)
