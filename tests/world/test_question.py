"""What the one composition puts together: keys in their order of precedence, the owner of the resource, the layers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import policy, world
from sekisho.errors import Unavailable, ValidationError
from sekisho.world import AccountRecord, Acting, Asked, PolicyRecord, PrincipalRecord, SessionFacts, Subject

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
ACCOUNT, OTHER = "111122223333", "444455556666"
ANN = "arn:aws:iam::111122223333:user/staff/ann"


def attached(name: str) -> policy.Attached:
    """A policy of this name."""
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    return policy.Attached(policy.compiled(document), name=name)


OWN, MANAGED, LIMIT, BESIDE, OF_RESOURCE, SCP = map(attached, ("own", "managed", "limit", "beside", "of the resource", "scp"))
RECORDS: dict[str, world.Record] = {
    ACCOUNT: AccountRecord(ACCOUNT, "ACTIVE"),
    "AIDAANN": PrincipalRecord(
        "AIDAANN", ACCOUNT, "user", "ann", ANN, tags={"Team": "red"}, inline=(OWN,), policy_ids=("ANPA1",), boundary_id="ANPA2"
    ),
    "ANPA1": PolicyRecord("ANPA1", "arn:aws:iam::111122223333:policy/managed", MANAGED),
    "ANPA2": PolicyRecord("ANPA2", "arn:aws:iam::111122223333:policy/limit", LIMIT),
}
SUBJECT = Subject("AIDAANN", ACCOUNT)


def ask(subject: Subject | Acting = SUBJECT, /, **fields: Any) -> world.Question:
    """A question about Ann."""
    asked = Asked(**{"action": "orders:Ship", "resource": f"arn:aws:orders::{ACCOUNT}:order/1"} | fields)
    return world.question(subject, asked, RECORDS.get, NOW)


def context(**fields: Any) -> dict[str, Any]:
    """The keys of a question about Ann."""
    return dict(ask(**fields)[0].context)


def test_the_keys_of_a_bare_question_are_the_clocks_the_principals_and_the_owners() -> None:
    assert context() == {
        "aws:currenttime": "2026-02-03T04:05:06Z",
        "aws:epochtime": "1770091506",
        "aws:principalaccount": ACCOUNT,
        "aws:principalarn": ANN,
        "aws:principaltype": "User",
        "aws:userid": "AIDAANN",
        "aws:username": "ann",
        "aws:principaltag/team": "red",
        "aws:resourceaccount": ACCOUNT,
    }


@pytest.mark.parametrize(
    ("key", "fields", "value"),
    [
        ("aws:currenttime", {"environment": {"aws:currenttime": "x"}}, "x"),
        ("aws:sourceip", {"environment": {"aws:sourceip": "192.0.2.1"}, "given": {"aws:sourceip": "192.0.2.2"}}, "192.0.2.2"),
        ("aws:resourcetag/team", {"given": {"aws:resourcetag/team": "blue"}, "tags": {"TEAM": "red"}}, "red"),
        ("aws:username", {"environment": {"aws:username": "bob"}}, "ann"),
        ("aws:username", {"given": {"aws:username": "bob"}}, "ann"),
        ("aws:principaltag/team", {"given": {"aws:principaltag/team": "blue"}}, "red"),
        ("aws:resourceaccount", {"given": {"aws:resourceaccount": OTHER}}, ACCOUNT),
        ("aws:username", {"override": {"aws:username": "bob"}}, "bob"),
        ("aws:resourceaccount", {"override": {"aws:resourceaccount": OTHER}}, OTHER),
        ("aws:currenttime", {"override": {"aws:currenttime": "x"}, "given": {"aws:currenttime": "y"}}, "x"),
    ],
)
def test_each_source_wins_over_those_before_it(key: str, fields: dict[str, Any], value: str) -> None:
    assert context(**fields)[key] == value


def test_a_session_owns_its_keys_too() -> None:
    session = SessionFacts("session-token", mfa=False, issued_at=NOW)
    found, _ = ask(Subject("AIDAANN", ACCOUNT, session=session), given={"aws:multifactorauthpresent": "true"})
    assert found.context["aws:multifactorauthpresent"] == "false"
    assert found.context["aws:tokenissuetime"] == "2026-02-03T04:05:06Z"


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({"resource": f"arn:aws:orders::{OTHER}:order/1"}, OTHER),
        ({"resource": f"arn:aws:orders::{OTHER}:order/1", "resource_account": ACCOUNT}, ACCOUNT),
        ({"resource": "arn:aws:s3:::bucket", "resource_account": OTHER}, OTHER),
        ({"resource": "arn:aws:s3:::bucket"}, ACCOUNT),
        ({"resource": "*"}, ACCOUNT),
        ({"resource": "*", "account": OTHER}, OTHER),
        ({"resource": "arn:aws:iam::aws:policy/ReadOnly"}, ACCOUNT),
        ({"resource": "arn:aws:iam::aws:policy/ReadOnly", "account": OTHER}, OTHER),
    ],
)
def test_the_owner_is_given_or_named_or_the_account_that_asks(fields: dict[str, Any], owner: str) -> None:
    request, _ = ask(**fields)
    assert (request.resource_account, request.context["aws:resourceaccount"]) == (owner, owner)


def test_tags_are_keys_of_every_service_that_is_named() -> None:
    found = context(tags={"Team": "red"}, tag_prefixes=("aws", "iam"))
    assert {key: value for key, value in found.items() if "resourcetag" in key} == {
        "aws:resourcetag/team": "red",
        "iam:resourcetag/team": "red",
    }
    assert "iam:resourcetag/team" not in context(tags={"Team": "red"})


@pytest.mark.parametrize("place", ["given", "override"])
def test_a_key_that_has_several_values_is_a_list_however_it_was_given(place: str) -> None:
    found = context(**{place: {"aws:tagkeys": "team", "orders:kinds": ("book",), "orders:none": (), "orders:kind": "book"}})
    assert (found["aws:tagkeys"], found["orders:kinds"], found["orders:none"], found["orders:kind"]) == (("team",), ("book",), (), "book")


def test_a_context_too_large_is_refused() -> None:
    with pytest.raises(ValidationError, match="at most 512 are allowed"):
        ask(given={f"orders:{number}": "x" for number in range(512)})


def test_the_layers_are_the_subjects_and_the_resources() -> None:
    _, layers = ask(resource_policy=OF_RESOURCE, beside=(BESIDE,))
    assert layers == policy.Layers(identity=(OWN, MANAGED, BESIDE), resource=OF_RESOURCE, boundary=(LIMIT,))
    _, layers = ask()
    assert layers == policy.Layers(identity=(OWN, MANAGED), boundary=(LIMIT,))


def test_a_subject_that_is_composed_already_is_taken_as_it_is() -> None:
    supposed = Acting(
        Subject("", OTHER), policy.Principal("user", "", OTHER), {"aws:username": "x"}, (OWN,), session=(LIMIT,), scps=((SCP,), (OWN,))
    )
    request, layers = ask(supposed)
    assert (request.principal.account, request.context["aws:username"]) == (OTHER, "x")
    assert layers == policy.Layers(identity=(OWN,), session=(LIMIT,), scps=((SCP,), (OWN,)))
    assert ask(supposed, resource="*")[0].resource_account == OTHER


def test_records_that_are_not_there_are_no_guess() -> None:
    with pytest.raises(world.UnknownPrincipal):
        ask(Subject("AIDABOB", ACCOUNT))
    records = {id_: record for id_, record in RECORDS.items() if id_ != "ANPA2"}
    with pytest.raises(Unavailable):
        world.question(SUBJECT, Asked("orders:Ship", "*"), records.get, NOW)


@pytest.mark.parametrize(
    ("key", "reserved"),
    [
        ("aws:CurrentTime", True),
        ("aws:epochtime", True),
        ("aws:ResourceAccount", True),
        ("aws:ResourceOrgID", True),
        ("aws:ResourceOrgPaths", True),
        ("aws:PrincipalTag/team", True),
        ("AWS:TOKENISSUETIME", True),
        ("saml:sub", True),
        ("accounts.google.com:aud", True),
        ("ec2:SourceInstanceArn", True),
        ("lambda:SourceFunctionArn", True),
        ("aws:ResourceTag/team", False),
        ("aws:SourceIp", False),
        ("aws:ViaAWSService", False),
        ("aws:RequestTag/team", False),
        ("lambda:FunctionArn", False),
        ("orders:Amount", False),
    ],
)
def test_a_key_is_reserved_by_its_source(key: str, reserved: bool) -> None:
    assert world.is_reserved(key) is reserved
