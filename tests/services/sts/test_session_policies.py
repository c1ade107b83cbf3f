"""Limits of a session from its birth: read out of requests, of a world in a dictionary."""

from typing import Any

import pytest

from sekisho.api.sts.v1 import sessions_pb2 as pb
from sekisho.errors import InvalidArn, SekishoError, Unimplemented, ValidationError
from sekisho.services.sts import session_policies
from sekisho.services.sts.errors import InvalidParameterValue
from sekisho.world import AccountRecord, PolicyRecord
from tests.calls.fakes import ACCOUNT, OTHER, FakeNode, attached

SHIP, READ, FOREIGN = "ANPASHIP", "ANPAREAD", "ANPAFOREIGN"
ARNS = {SHIP: f"arn:aws:iam::{ACCOUNT}:policy/ship", READ: "arn:aws:iam::aws:policy/Read", FOREIGN: f"arn:aws:iam::{OTHER}:policy/far"}
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"orders:*","Resource":"*"}}'


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode()
    made.world.put(*(PolicyRecord(id_, arn, attached("a:B")) for id_, arn in ARNS.items()), AccountRecord("gone", "ACTIVE"))
    ids = {policy.arn: id_ for id_, policy in ((id_, made.world.records[id_]) for id_ in ARNS)}
    ids |= {f"arn:aws:iam::{ACCOUNT}:policy/gone": "gone", f"arn:aws:iam::{ACCOUNT}:policy/older": "ANPAOLDER"}
    made.world.get_id = lambda named: ids.get(f"arn:aws:iam::{named.account}:{named.kind}{named.path}{named.name}")
    made.world.records["ANPAOLDER"] = None
    made.world.get_record = made.world.records.__getitem__  # nobody asks for what has no id
    return made


def limited(node: FakeNode, *arns: str, text: str = "", account: str = ACCOUNT) -> tuple[str, tuple[str, ...]]:
    """The limits of a session of an account."""
    request = pb.AssumeRoleRequest(policy_arns=[pb.PolicyDescriptorType(arn=one) for one in arns], policy=text)
    return session_policies.policies(node.call(), request, account)


def test_a_session_without_limits(node: FakeNode) -> None:
    assert limited(node) == ("", ())


def test_policies_of_the_account_or_of_aws_limit_a_session_in_their_order_and_once(node: FakeNode) -> None:
    assert limited(node, ARNS[READ], ARNS[SHIP], ARNS[READ]) == ("", (READ, SHIP))
    assert limited(node, ARNS[FOREIGN], account=OTHER, text=DOCUMENT) == (DOCUMENT, (FOREIGN,))


@pytest.mark.parametrize(
    "named", [ARNS[FOREIGN], f"arn:aws:iam::{ACCOUNT}:policy/none", f"arn:aws:iam::{ACCOUNT}:policy/gone", "arn:aws:s3:::bucket"]
)
def test_no_other_policy_does(node: FakeNode, named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        limited(node, ARNS[SHIP], named)
    assert caught.value.message == f"The policy {named} does not exist in the account {ACCOUNT}."


def test_one_whose_record_has_gone_does_not(node: FakeNode) -> None:
    with pytest.raises(ValidationError):
        limited(node, f"arn:aws:iam::{ACCOUNT}:policy/older")


def test_what_is_no_arn_is_refused_as_that(node: FakeNode) -> None:
    with pytest.raises(InvalidArn):
        limited(node, "ship")


@pytest.mark.parametrize(
    "text", ["{", '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}']
)
def test_an_inline_policy_is_one_of_sessions(node: FakeNode, text: str) -> None:
    """Which names no principal."""
    with pytest.raises(SekishoError):
        limited(node, text=text)


def tags(*pairs: tuple[str, str]) -> Any:
    """The tags that a request with these gives."""
    return session_policies.tags(pb.AssumeRoleRequest(tags=[pb.Tag(key=key, value=value) for key, value in pairs]))


def test_tags_are_in_the_order_of_the_request() -> None:
    assert tags() == {}
    assert list(tags(("zone", "1"), ("Awsome", ""), ("a", "2")).items()) == [("zone", "1"), ("Awsome", ""), ("a", "2")]


@pytest.mark.parametrize("second", ["team", "Team"])
def test_a_key_stands_there_once_whatever_its_case(second: str) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        tags(("team", "red"), (second, "red"))
    assert caught.value.message == "Duplicate tag keys found. Please note that Tag keys are case insensitive."


@pytest.mark.parametrize("key", ["aws:team", "AWS:x", "aws:"])
def test_the_keys_of_aws_are_not_to_be_given(key: str) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        tags(("team", "red"), (key, ""))
    assert caught.value.message == "Tag keys beginning with aws: are reserved for system use."


def test_a_size_that_nothing_would_keep_is_not_taken() -> None:
    session_policies.refuse_token_size(pb.AssumeRoleRequest())
    with pytest.raises(Unimplemented) as caught:
        session_policies.refuse_token_size(pb.AssumeRoleRequest(minimum_session_token_size=1))
    assert caught.value.message == "MinimumSessionTokenSize is not supported."
