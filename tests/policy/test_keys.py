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
    "aws:ChatbotSourceArn",
    "aws:SignInSessionArn",
    "codebuild:BuildArn",
    "codebuild:ProjectArn",
    "ec2:RoleDelivery",
    "ec2:SourceInstanceArn",
    "glue:CredentialIssuingService",
    "glue:RoleAssumedBy",
    "identitystore:UserId",
    "lambda:SourceFunctionArn",
    "ssm:SourceInstanceArn",
    "saml:aud",
    "accounts.google.com:sub",
    "token.actions.example.com/path:sub",
    "keycloak/realms/shop:sub",
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
    "lambda:FunctionArn",
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
    assert keys.canonical("aws:principaltag/a/B") == "aws:PrincipalTag/a/B"  # a tag may have a slash of its own
    assert keys.canonical("orders:Amount") == "orders:Amount"


def test_rows() -> None:
    row = keys.find("AWS:tagkeys")
    assert row is not None
    assert (row.name, row.type, row.source, row.multivalued) == ("aws:TagKeys", keys.Type.STRING, keys.Source.REQUEST, True)
    assert keys.find("aws:PrincipalTag/x") == keys.Key("aws:PrincipalTag/", keys.Type.STRING, keys.Source.PRINCIPAL)
    assert keys.find("orders:x") is None


def test_what_aws_can_ask_for_fits() -> None:
    """Fifty tags of 128 and 256 characters of the principal, the request and the resource, under both of its names, and their keys."""
    names = [f"{i:03}".ljust(128, "k") for i in range(50)]
    kinds = ("aws:PrincipalTag", "aws:RequestTag", "aws:ResourceTag", "iam:ResourceTag")
    tags = {f"{kind}/{name}": "v" * 256 for kind in kinds for name in names}
    built = keys.context({**tags, "aws:TagKeys": names, "sts:TransitiveTagKeys": names})
    assert len(built) == 202


LIMITS: dict[str, tuple[dict[str, str | list[str]], str]] = {  # a context that fits, and one more character or value that does not
    "keys": ({f"k:{i}": "" for i in range(512)}, "a context has 513 condition keys; at most 512 are allowed"),
    "values_of_a_key": ({"k:e": ["x"] * 256}, "condition key `k:e` has 257 values; at most 256 are allowed"),
    "a_value": ({"k:e": "x" * 8192}, "condition key `k:e` has a value of 8193 characters; at most 8192 are allowed"),
    "one_of_several": ({"k:e": ["a", "x" * 8192]}, "condition key `k:e` has a value of 8193 characters; at most 8192 are allowed"),
    "all_values_of_a_key": (
        {"k:e": ["x" * 8000, "y" * 8000, "z" * 384]},
        "condition key `k:e` has values of 16385 characters together; at most 16384 are allowed",
    ),
    "values_of_all_keys": (
        {**{f"k:{i}": ["x"] * 255 for i in range(4)}, "k:e": ["x"] * 4},
        "the condition keys have 1025 values together; at most 1024 are allowed",
    ),
    "all_characters": (
        {**{f"k:{i:02}": "x" * 8001 for i in range(16)}, "k:e": "x" * 2989},
        "the condition keys and their values have 131073 characters; at most 131072 are allowed",
    ),
}


def larger(given: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    """One more of whatever the context is full of."""
    last = given.get("k:e")
    if last is None:
        return {**given, "k:e": ""}
    if isinstance(last, str):
        return {**given, "k:e": last + "x"}
    return {**given, "k:e": [*last, "x"] if len(last[-1]) == 1 else [*last[:-1], last[-1] + "x"]}


@pytest.mark.parametrize(("fitting", "said"), LIMITS.values(), ids=LIMITS.keys())
def test_a_context_has_limits(fitting: dict[str, str | list[str]], said: str) -> None:
    keys.context(fitting)
    with pytest.raises(ValidationError) as refused:
        keys.context(larger(fitting))
    assert refused.value.message == said
    made: dict[str, keys.Value] = {key: value if isinstance(value, str) else tuple(value) for key, value in larger(fitting).items()}
    for context in (made, keys.Context(made)):
        with pytest.raises(ValidationError):
            keys.size(context)


def test_a_long_name_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        keys.context({"k" * 100: ["x"] * 257})
    assert refused.value.message == f"condition key `{'k' * 64}` has 257 values; at most 256 are allowed"


def test_a_long_value_among_as_many_as_are_allowed_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        keys.context({"k:e": ["x"] * 255 + ["x" * 8193]})
    assert refused.value.message == "condition key `k:e` has a value of 8193 characters; at most 8192 are allowed"


def test_sizes() -> None:
    built = keys.context({"k:a": ["x" * 10, "y" * 700], "k:b": "z" * 100, "k:c": ["1", "2", "3"]})
    assert keys.size(built) == (3, 710, 10 * 10 + 700 * 600)
    assert keys.size({"k:a": "x" * 700, "k:b": ("y" * 20, "z" * 20)}) == (2, 700, 700 * 600)
    assert keys.size({}) == (1, 0, 0)
    assert keys.size({"k:e": ()}) == (1, 0, 0)
    by_hand = keys.Context({"k:e": "xyz"})
    assert keys.size(by_hand) == keys.size(by_hand) == (1, 3, 9)
    assert keys.size(by_hand) is keys.size(by_hand)
