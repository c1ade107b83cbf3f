"""What is told of plain policies without a search is what the search tells; what is not plain is left to it."""

from random import Random

import pytest

from sekisho.analysis.solver import Grant, PolicyType, Zone, external, plain, process
from sekisho.errors import MalformedPolicyDocument
from tests.analysis.solver import odd_values, pairs
from tests.analysis.solver.documents import assumed, deny, policy, to

OWNER, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{OWNER}:role/reader"
ZONE = Zone(frozenset((OWNER,)))
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
    "a Deny": [assumed({"AWS": OTHER}), {**assumed({"AWS": OTHER}), "Effect": "Deny"}],
    "everybody but some": [{"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "s3:GetObject", "Resource": "*"}],
    "everybody of an organization": [assumed("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})],
    "everybody beside a condition": [assumed("*"), assumed({"AWS": OTHER}, condition={"StringEquals": {"sts:ExternalId": "x"}})],
    "who asks, by a condition": [assumed({"AWS": OTHER}, condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/*"}})],
    "a contrary": [assumed({"AWS": OTHER}, condition={"StringNotEquals": {"sts:ExternalId": "x"}})],
    "two ids at once": [
        assumed({"AWS": OTHER}, condition={"StringEquals": {"sts:ExternalId": "x"}, "StringLike": {"sts:externalid": "y*"}}),
    ],
    "what nobody can do": [{"Effect": "Allow", "Principal": {"AWS": OTHER}, "NotAction": "sts:TagSession"}],
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
    for seed in range(150):
        rng = Random(seed)
        statements = [_statement(rng) for _ in range(rng.choice((1, 1, 2)))]
        document = policy(*statements)
        if not pairs.is_valid(pairs.Pair(document, document, PolicyType.RESOURCE)):
            continue
        zone = Zone(frozenset((rng.choice((OWNER, OTHER)),)))
        found = plain.external(document, ROLE, OWNER, zone)
        if found is not None:
            told += 1
            assert _told(found) == _told(external(document, ROLE, OWNER, zone, milliseconds=10_000)), document
    assert told > 50


def _statement(rng: Random) -> dict[str, object]:
    kind = rng.choices(list(odd_values.PRINCIPALS), (8, 1, 1, 1))[0]
    principals = {kind: rng.sample(odd_values.PRINCIPALS[kind], min(len(odd_values.PRINCIPALS[kind]), rng.choice((1, 2, 3))))}
    made = assumed(principals, rng.choice(("sts:AssumeRole", "sts:*", "sts:TagSession", ["sts:Assume*", "sts:TagSession"])))
    key, value = rng.choice((("sts:ExternalId", "x"), ("aws:SourceAccount", OTHER), ("aws:SecureTransport", "true"), ("a:b", "a*")))
    if rng.random() < 0.3:
        made["Condition"] = {"Bool" if value == "true" else rng.choice(("StringEquals", "StringLike")): {key: value}}
    return made


def _told(found: tuple[Grant, ...]) -> list[tuple[object, ...]]:
    return [(grant.principal, grant.actions, grant.condition, grant.is_public, grant.statement) for grant in found]


def test_what_is_plain_starts_no_process() -> None:
    solver = process.Solver()
    call = process.Call("external", (policy(assumed({"AWS": OTHER})), ROLE, OWNER, ZONE))
    (grant,) = solver.ask(call, 0.0)
    assert grant.principal == {"AWS": OTHER}
    assert solver.process_id is None
