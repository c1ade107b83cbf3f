"""What is told of plain policies without a search is what the search tells; what is not plain is left to it."""

from random import Random

import pytest

from sekisho.analysis.solver import Grant, PolicyType, Zone, external, plain, process
from sekisho.errors import MalformedPolicyDocument
from tests.analysis.solver import odd_values, pairs, trusting
from tests.analysis.solver.documents import assumed, deny, policy, to

OWNER, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWNER}:role/reader"
ZONE = Zone(frozenset((OWNER,)), "o-1")
PROVIDER = f"arn:aws:iam::{OWNER}:oidc-provider/login.example.com"
SUBJECT = {"StringLike": {"login.example.com:sub": "repo:o/r:*"}, "StringEquals": {"login.example.com:aud": "sts.amazonaws.com"}}

PLAIN = {
    "a service": (assumed({"Service": "lambda.amazonaws.com"}), []),
    "a role of the zone": (assumed({"AWS": f"arn:aws:iam::{OWNER}:role/app"}), []),
    "the account itself": (assumed({"AWS": OWNER}), []),
    "another account": (assumed({"AWS": [OTHER]}), [({"AWS": OTHER}, {}, False)]),
    "the root of another account": (assumed({"AWS": f"arn:aws:iam::{OTHER}:root"}), [({"AWS": f"arn:aws:iam::{OTHER}:root"}, {}, False)]),
    "a session": (
        assumed({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app/sess"}),
        [({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app/sess"}, {}, False)],
    ),
    "a federated user": (
        assumed({"AWS": f"arn:aws:sts::{OTHER}:federated-user/bob"}),
        [({"AWS": f"arn:aws:sts::{OTHER}:federated-user/bob"}, {}, False)],
    ),
    "somebody by id": (assumed({"AWS": "AIDAEXAMPLEEXAMPLE234"}), [({"AWS": "AIDAEXAMPLEEXAMPLE234"}, {}, False)]),
    "two others, one of the zone": (
        assumed({"AWS": [f"arn:aws:iam::{OWNER}:role/app", f"arn:aws:iam::{OTHER}:user/bob"]}),
        [({"AWS": f"arn:aws:iam::{OTHER}:user/bob"}, {}, False)],
    ),
    "everybody": (assumed("*"), [({"AWS": "*"}, {}, True)]),
    "another account with an id": (
        assumed({"AWS": OTHER}, condition={"StringEquals": {"sts:ExternalId": "x"}}),
        [({"AWS": OTHER}, {"sts:ExternalId": "x"}, False)],
    ),
    "a provider": (
        assumed({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", condition=SUBJECT),
        [({"Federated": PROVIDER}, {"login.example.com:sub": "repo:o/r:*", "login.example.com:aud": "sts.amazonaws.com"}, False)],
    ),
    "everybody of another organization": (
        assumed("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-2"}}),
        [({"AWS": "*"}, {"aws:PrincipalOrgID": "o-2"}, False)],
    ),
    "everybody of the organization": (assumed("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), []),
    "a source in the zone": (to("*", resource="*", condition={"StringEquals": {"aws:SourceAccount": [OWNER]}}), []),
    "everybody at an address": (
        assumed("*", condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}}),
        [({"AWS": "*"}, {"aws:SourceIp": "203.0.113.0/24"}, False)],
    ),
    "everybody who knows a word": (
        assumed("*", condition={"StringEquals": {"sts:ExternalId": "x"}}),
        [({"AWS": "*"}, {"sts:ExternalId": "x"}, True)],
    ),
    "a bucket's": (to({"AWS": OTHER}, ["s3:Get*"], ["arn:aws:s3:::bucket/*"]), [({"AWS": OTHER}, {}, False)]),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain(name: str) -> None:
    statement, expected = PLAIN[name]
    resource = "arn:aws:s3:::bucket" if "Resource" in statement else ROLE
    found = plain.external(policy(statement), resource, OWNER, ZONE)
    assert found is not None
    assert [(grant.principal, grant.condition, grant.is_public) for grant in found] == expected
    assert all(grant.witness is not None for grant in found)
    assert _told(found) == _told(external(policy(statement), resource, OWNER, ZONE, milliseconds=10_000))


NOT_PLAIN = {
    "a session of a name that is too long": [assumed({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app/{'s' * 65}"})],
    "a Deny": [assumed({"AWS": OTHER}), {**assumed({"AWS": OTHER}), "Effect": "Deny"}],
    "everybody but some": [{"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "s3:GetObject", "Resource": "*"}],
    "an organization in any case": [assumed("*", condition={"StringEqualsIgnoreCase": {"aws:PrincipalOrgID": "o-2"}})],
    "everybody at any address": [assumed("*", condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}})],
    "a provider's organization": [
        assumed({"Federated": PROVIDER}, "sts:AssumeRoleWithWebIdentity", condition={"StringEquals": {"aws:PrincipalOrgID": "o-2"}})
    ],
    "everybody beside a condition": [assumed("*"), assumed({"AWS": OTHER}, condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}})],
    "who asks, by a condition": [assumed({"AWS": OTHER}, condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/*"}})],
    "a contrary": [assumed({"AWS": OTHER}, condition={"StringNotEquals": {"sts:ExternalId": "x"}})],
    "two ids at once": [
        assumed({"AWS": OTHER}, condition={"StringEquals": {"sts:ExternalId": "x"}, "StringLike": {"sts:externalid": "y*"}}),
    ],
    "what nobody can do": [{"Effect": "Allow", "Principal": {"AWS": OTHER}, "NotAction": "sts:TagSession"}],
    "a session without a name": [assumed({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app"})],
    "a session of a name that none has": [assumed({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app/a/b"})],
    "a session of a name that is too short": [assumed({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/app/s"})],
    "another bucket": [to({"AWS": OTHER}, "s3:GetObject", "arn:aws:s3:::else/*")],
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_not_plain(name: str) -> None:
    assert plain.external(policy(*NOT_PLAIN[name]), ROLE, OWNER, ZONE) is None


def test_what_is_long_is_read_elsewhere() -> None:
    document = policy(assumed("*"))
    assert plain.external(document + " " * plain.LONGEST, ROLE, OWNER, ZONE) is None
    assert plain.external(document, ROLE, OWNER, ZONE) is not None
    assert plain.external(document, "", OWNER, ZONE) is None


def test_a_stranger_is_somebody_whom_nothing_names() -> None:
    strangers = ["999988887777", "999988886666", "999988885555"]
    (grant,) = plain.external(policy(assumed("*", Sid="s999988887777")), ROLE, OWNER, ZONE) or ()
    assert grant.witness is not None
    assert grant.witness.principal.account == "999988886666"
    assert plain.external(policy(assumed("*"), assumed({"AWS": strangers})), ROLE, OWNER, ZONE) is None


def test_no_document_is_refused_as_elsewhere() -> None:
    with pytest.raises(MalformedPolicyDocument):
        plain.external(policy(deny()), ROLE, OWNER, ZONE)


def test_the_search_says_the_same() -> None:
    """Over trust policies and resources' policies by chance: what plainly shows is what is found, whichever account is trusted."""
    told = 0
    for seed in range(120):
        rng = Random(seed)
        statements = [_statement(rng) for _ in range(rng.choice((1, 1, 2)))]
        document = policy(*statements)
        if not pairs.is_valid(pairs.Pair(document, document, PolicyType.RESOURCE)):
            continue
        zone = Zone(frozenset((rng.choice((OWNER, OTHER)),)), rng.choice(("", "o-1")))
        found = plain.external(document, ROLE, OWNER, zone)
        if found is not None:
            told += 1
            assert _told(found) == _told(external(document, ROLE, OWNER, zone, milliseconds=10_000)), document
    assert told > 40


def _statement(rng: Random) -> dict[str, object]:
    kind = rng.choices(list(odd_values.PRINCIPALS), (8, 1, 1, 1))[0]
    principals = {kind: rng.sample(odd_values.PRINCIPALS[kind], min(len(odd_values.PRINCIPALS[kind]), rng.choice((1, 2, 3))))}
    if rng.random() < 0.3:
        principals = {"AWS": ["*"]}
    made = assumed(principals, rng.choice(("sts:AssumeRole", "sts:*", "sts:TagSession", ["sts:Assume*", "sts:TagSession"])))
    if rng.random() < 0.6:
        operator, key, value = rng.choice(CONDITIONS)
        made["Condition"] = {operator: {key: value}}
    return made


CONDITIONS: tuple[tuple[str, str, object], ...] = (
    *((operator, "sts:ExternalId", "x") for operator in ("StringEquals", "StringLike", "StringEqualsIfExists")),
    *(
        (operator, "aws:PrincipalOrgID", value)
        for operator in ("StringEquals", "StringEqualsIgnoreCase")
        for value in ("o-1", ["o-1", "o-2"])
    ),
    *(("StringEquals", "aws:SourceAccount", value) for value in (OWNER, OTHER, [OWNER, OTHER])),
    *(("IpAddress", "aws:SourceIp", value) for value in ("203.0.113.0/24", ["203.0.113.0/24", "0.0.0.0/1"], "::ffff:0:0/96")),
    *(("StringLike", "aws:SourceVpc", value) for value in ("vpc-1", "vpc-*")),
    ("Bool", "aws:SecureTransport", "true"),
    ("StringLike", "a:b", "a*"),
)


def _told(found: tuple[Grant, ...]) -> list[tuple[object, ...]]:
    return [(grant.principal, grant.actions, grant.condition, grant.is_public, grant.statement) for grant in found]


def test_what_is_plain_starts_no_process() -> None:
    solver = process.Solver()
    call = process.Call("external", (policy(assumed({"AWS": OTHER})), ROLE, OWNER, ZONE))
    (grant,) = solver.ask(call, 0.0)
    assert grant.principal == {"AWS": OTHER}
    assert solver.process_id is None


def test_nobody_from_beyond_the_zone_is_missed() -> None:
    """What is told plainly is what the search tells, and of each statement that lets an outsider in something is told."""
    told = met = 0
    for seed in range(150):
        document, zone, resource = trusting.document(seed)
        found = plain.external(document, resource, OWNER, zone)
        searched = external(document, resource, OWNER, zone, milliseconds=10_000)
        if found is not None:
            told += 1
            assert _told(found) == _told(searched), (seed, document)
        missed = trusting.missed(document, zone, resource, {grant.statement for grant in searched})
        assert missed == "", f"trusting {seed}: {missed}\n{document}"
        met += bool(searched)
    assert told > 25
    assert met > 60


BEYOND: tuple[tuple[str, str, object], ...] = (
    *(("StringEquals", "aws:SourceAccount", value) for value in ([OWNER, OTHER], [OTHER, OWNER])),
    *(("StringLike", "aws:SourceAccount", value) for value in ("1111*", f"{OWNER}*", [OWNER, "4*"])),
    *((operator, "aws:SourceAccount", OWNER) for operator in ("StringEqualsIfExists", "ForAllValues:StringEquals", "StringNotEquals")),
    *(("StringEquals", "aws:PrincipalOrgID", value) for value in (["o-1", "o-2"], "O-1", "o-${*}")),
    *((operator, "aws:PrincipalOrgID", "o-1") for operator in ("StringEqualsIfExists", "StringEqualsIgnoreCase", "StringNotEquals")),
    *((operator, "kms:CallerAccount", [OWNER]) for operator in ("ForAllValues:StringLike", "StringNotLike", "StringLikeIfExists")),
    ("IpAddress", "aws:SourceIp", ["203.0.113.0/24", "::ffff:0:0/96"]),
)


@pytest.mark.parametrize(("operator", "key", "value"), BEYOND)
def test_a_condition_that_outsiders_can_meet_hides_nothing(operator: str, key: str, value: object) -> None:
    document = policy(to("*", resource="*", condition={operator: {key: value}}))
    found = plain.external(document, "arn:aws:s3:::bucket", OWNER, ZONE)
    searched = _told(external(document, "arn:aws:s3:::bucket", OWNER, ZONE, milliseconds=10_000))
    assert searched != []
    assert found is None or _told(found) == searched
