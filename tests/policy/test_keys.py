"""Condition keys: the context of a request, and which keys are the principal's own."""

from collections.abc import Callable

import pytest

from sekisho.errors import ValidationError
from sekisho.policy import keys


def test_keys_are_lower_cased_and_single_values_stand_alone() -> None:
    built = keys.context({"aws:RequestTag/Env": "Dev", "aws:SourceIp": ["10.0.0.1"]})
    assert built == {"aws:requesttag/env": "Dev", "aws:sourceip": "10.0.0.1"}


def test_an_empty_list_is_no_key() -> None:
    assert keys.context({"aws:username": []}) == {}


def test_an_empty_list_of_a_multivalued_key_is_one() -> None:
    assert keys.context({"aws:TagKeys": []}) == {"aws:tagkeys": ()}


def test_global_keys_know_that_they_have_several_values() -> None:
    assert keys.context({"aws:TagKeys": ["a"], "aws:PrincipalOrgPaths": "o-1/r-1/"}) == {
        "aws:tagkeys": ("a",),
        "aws:principalorgpaths": ("o-1/r-1/",),
    }


def test_other_keys_are_said_to_have_several_values() -> None:
    assert keys.context({"orders:Lines": ["1"], "orders:Sites": ["a", "b"]}, multivalued=["ORDERS:lines"]) == {
        "orders:lines": ("1",),
        "orders:sites": ("a", "b"),
    }


def test_a_key_stands_once_in_whatever_case() -> None:
    with pytest.raises(ValidationError, match="AWS:sourceip"):
        keys.context({"aws:SourceIp": "10.0.0.1", "AWS:sourceip": "10.0.0.2"})


CHANGES: dict[str, Callable[[keys.Context], object]] = {
    "set": lambda context: context.__setitem__("k:e", "w"),
    "delete": lambda context: context.__delitem__("k:e"),
    "merge": lambda context: context.__ior__({"k:e": "w"}),
    "update": lambda context: context.update({"k:e": "w"}),
    "pop": lambda context: context.pop("k:e"),
    "popitem": lambda context: context.popitem(),
    "setdefault": lambda context: context.setdefault("k:f", "w"),
    "clear": lambda context: context.clear(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_context_cannot_be_changed(change: Callable[[keys.Context], object]) -> None:
    context = keys.context({"k:e": "v"})
    with pytest.raises(TypeError):
        change(context)
    assert context == {"k:e": "v"}


OWNED = [
    "aws:PrincipalArn",
    "aws:principalaccount",
    "aws:PrincipalTag/team",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalSomethingNew",
    "aws:userid",
    "aws:username",
    "aws:TokenIssueTime",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:SourceIdentity",
    "aws:FederatedProvider",
    "saml:aud",
    "accounts.google.com:sub",
    "token.actions.example.com/path:sub",
]
GIVEN = [
    "aws:SourceIp",
    "aws:RequestTag/team",
    "aws:ResourceTag/team",
    "aws:ResourceAccount",
    "aws:TagKeys",
    "aws:SourceArn",
    "aws:CurrentTime",
    "aws:SecureTransport",
    "orders:Amount",
    "sts:ExternalId",
]


@pytest.mark.parametrize("name", OWNED)
def test_owned_by_the_principal(name: str) -> None:
    assert keys.owned_by_principal(name)
    assert keys.owned_by_principal(name.upper())


@pytest.mark.parametrize("name", GIVEN)
def test_given_by_the_caller(name: str) -> None:
    assert not keys.owned_by_principal(name)


def test_documented_spelling() -> None:
    assert keys.canonical("AWS:MULTIFACTORAUTHPRESENT") == "aws:MultiFactorAuthPresent"
    assert keys.canonical("aws:principaltag/Team") == "aws:PrincipalTag/Team"
    assert keys.canonical("orders:Amount") == "orders:Amount"


def test_rows() -> None:
    row = keys.find("AWS:tagkeys")
    assert row is not None
    assert (row.name, row.type, row.source, row.multivalued) == ("aws:TagKeys", keys.Type.STRING, keys.Source.REQUEST, True)
    assert keys.find("aws:PrincipalTag/x") == keys.Key("aws:PrincipalTag/", keys.Type.STRING, keys.Source.PRINCIPAL)
    assert keys.find("orders:x") is None
