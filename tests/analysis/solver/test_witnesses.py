"""Witnesses: values in words that are read back as the same, and requests with less in them."""

from decimal import Decimal

import pytest

from sekisho import policy
from sekisho.analysis.solver import PolicyType, Witness, new_access, witnesses
from sekisho.policy import operands
from tests.analysis.solver.documents import allow, assumed, deny, to
from tests.analysis.solver.documents import policy as document

ALICE = policy.Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333", unique_id="AIDAEXAMPLE")


def test_a_witness_with_less() -> None:
    context: dict[str, str | tuple[str, ...]] = {
        "aws:currenttime": "2026-01-01T00:00:00Z",
        "aws:username": "alice",
        "aws:userid": "A",
        "a:b": "c",
        "k:l": ("1", "2", "3"),
    }
    whole = Witness(ALICE, "s3:GetObject", "*", context)
    always = {name: context[name] for name in ("aws:currenttime", "aws:username", "aws:userid")}
    assert [one.context for one in witnesses.smaller(whole)] == [
        {**always, "k:l": ("1", "2", "3")},
        {**always, "a:b": "c"},
        {**always, "a:b": "c", "k:l": ("2", "3")},
        {**always, "a:b": "c", "k:l": ("1", "3")},
        {**always, "a:b": "c", "k:l": ("1", "2")},
    ]
    assert [one.context for one in witnesses.smaller(Witness(ALICE, "a:b", "*", {"k:l": ("1",)}))] == [{}]


@pytest.mark.parametrize(
    "number", ["0", "1", "-1", "2024", "0.5", "-0.25", "1767225600", "253402300799", "253402300801", "-62135596801", "1E+12"]
)
def test_a_date_is_read_back(number: str) -> None:
    assert operands.date(witnesses._date(Decimal(number))) == Decimal(number)


def test_a_whole_second_is_told_as_people_write_it() -> None:
    assert witnesses._date(Decimal(1767225600)) == "2026-01-01T00:00:00Z"
    assert witnesses._date(Decimal("1767225600.5")) == "1767225600.5"


@pytest.mark.parametrize("address", ["10.0.0.1", "255.255.255.255", "2001:db8::1", "::"])
def test_an_address_is_read_back(address: str) -> None:
    number = operands.address(address)
    assert number is not None
    assert witnesses._address(number) == address


def test_an_action_is_spelled_as_policies_spell_it() -> None:
    spellings = {"s3:getobject": "s3:GetObject", "shop:cancel*": "shop:Cancel*", "shop:c*": "Shop:C*"}
    assert witnesses._spelled("s3:getobject", spellings) == "s3:GetObject"
    assert witnesses._spelled("shop:cancelorder", spellings) == "shop:Cancelorder"
    assert witnesses._spelled("sqs:x", spellings) == "sqs:x"


GRANTED = {
    "an identity's": (document(allow("s3:Get*")), False, ALICE, True),
    "denied": (document(allow(), deny("s3:*")), False, ALICE, False),
    "a trust, of another account than the owner's": (document(assumed({"AWS": "111122223333"}, "s3:GetObject")), True, ALICE, True),
    "of the owner's account": (
        document(assumed({"AWS": witnesses.OTHER_OWNER}, "s3:GetObject")),
        True,
        policy.Principal("user", f"arn:aws:iam::{witnesses.OTHER_OWNER}:user/a", witnesses.OTHER_OWNER),
        True,
    ),
    "a federated user's": (
        document(assumed({"AWS": "111122223333"}, "s3:GetObject")),
        True,
        policy.Principal("federated-user", "arn:aws:sts::111122223333:federated-user/kim", "111122223333"),
        True,
    ),
    "everybody's": (document(assumed("*", "s3:GetObject")), True, policy.Principal("anonymous", "", ""), True),
    "nobody's": (document(assumed({"AWS": "444455556666"}, "s3:GetObject")), True, ALICE, False),
}


@pytest.mark.parametrize("name", GRANTED)
def test_the_evaluators_own_word(name: str) -> None:
    text, of_resource, principal, granted = GRANTED[name]
    witness = Witness(principal, "s3:GetObject", "arn:aws:s3:::b/c", {})
    assert witnesses.is_granted(policy.compiled(text), witness, of_resource=of_resource) is granted


def test_the_resources_owner_is_asked() -> None:
    text = document(allow("s3:*", condition={"StringEquals": {"aws:ResourceAccount": "444455556666"}}))
    for owner, granted in (("444455556666", True), ("111122223333", False)):
        witness = Witness(ALICE, "s3:GetObject", "arn:aws:s3:::b/c", {"aws:resourceaccount": owner})
        assert witnesses.is_granted(policy.compiled(text), witness, of_resource=False) is granted


def test_what_cannot_be_decided_is_neither() -> None:
    witness = Witness(ALICE, "s3:GetObject", "arn:aws:s3:::" + "x" * 9_000, {})
    assert witnesses.is_granted(policy.compiled(document(allow())), witness, of_resource=False) is None


def test_statements_that_grant() -> None:
    text = document(
        allow("s3:Get*"), deny("s3:*"), allow("sqs:*"), allow("s3:*", "arn:aws:s3:::other"), allow("*", condition={"Null": {"a:b": True}})
    )
    assert witnesses.granting(policy.compiled(text), Witness(ALICE, "s3:GetObject", "arn:aws:s3:::b/c", {}), of_resource=False) == (0, 4)
    trust = document(assumed("*", "s3:GetObject"), assumed({"AWS": "444455556666"}, "s3:GetObject"))
    assert witnesses.granting(policy.compiled(trust), Witness(ALICE, "s3:GetObject", "*", {}), of_resource=True) == (0,)


def test_a_witness_is_about_a_thing_of_the_actions_service() -> None:
    things = ["arn:aws:s3:::photos", "arn:aws:sqs:eu-west-1:111122223333:orders"]
    for action, thing in (("s3:GetObject", things[0]), ("sqs:SendMessage", things[1])):
        for listed in (things, things[::-1]):
            new = document(allow(action, listed))
            verdict = new_access(document(allow("iam:GetUser")), new, PolicyType.IDENTITY, milliseconds=20_000)
            assert verdict.witness is not None
            assert verdict.witness.resource == thing


def test_nobody_in_particular_is_anonymous_and_of_no_account() -> None:
    nobody = {"Null": {"aws:PrincipalArn": "true"}, "StringEquals": {"aws:PrincipalAccount": "anonymous"}}
    old, new = document(to({"AWS": "arn:aws:iam::111122223333:root"})), document(to("*", condition=nobody))
    verdict = new_access(old, new, PolicyType.RESOURCE, milliseconds=20_000)
    assert verdict.witness is not None
    assert verdict.witness.principal == policy.Principal("anonymous", "", "")
