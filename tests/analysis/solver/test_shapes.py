"""Languages of names: what principals of each kind, actions and ARNs look like."""

import pytest

from sekisho.analysis.solver import shapes, subjects

ACCOUNT = "111122223333"
PRINCIPALS = {
    "anonymous": ([""], ["a"]),
    "service": (["ec2.amazonaws.com", "s", "~a~"], ["", "*", "a b"]),
    "federated": ([f"arn:aws:iam::{ACCOUNT}:saml-provider/adfs", "accounts.google.com"], ["", "*"]),
    "root": ([f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws-cn:iam::{ACCOUNT}:root"], [f"arn:aws:iam::{ACCOUNT}:user/root", "root", ""]),
    "user": (
        [f"arn:aws:iam::{ACCOUNT}:user/a", f"arn:aws:iam::{ACCOUNT}:user/staff/b/a", f"arn:aws:iam::{ACCOUNT}:user/a@b.c"],
        [f"arn:aws:iam::{ACCOUNT}:user/", f"arn:aws:iam::{ACCOUNT}:role/a", "arn:aws:iam::1:user/a", f"arn:aws:iam::{ACCOUNT}:root"]
        + [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("a~", "p~ann")]
        + [f"arn:aws:iam::{ACCOUNT}~user/a"],
    ),
    "role": ([f"arn:aws:iam::{ACCOUNT}:role/a"], [f"arn:aws:iam::{ACCOUNT}:user/a", f"arn:aws:sts::{ACCOUNT}:role/a"]),
    "assumed-role": ([f"arn:aws:iam::{ACCOUNT}:role/a", f"arn:aws:iam::{ACCOUNT}:role/p/a"], [f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"]),
    "federated-user": ([f"arn:aws:sts::{ACCOUNT}:federated-user/a"], [f"arn:aws:sts::{ACCOUNT}:federated-user/p/a"]),
}
ARNS = [
    f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:a/b:c",
    "arn:aws:s3:::b",
    *("arn:aws:s3:::~", "arn:aws:s3:::b~"),
    f"arn:aws-cn:iam::{ACCOUNT}:user/a",
]
NO_ARNS = [
    *("", "arn", "arn:aws:s3:::", "arn;aws:s3:::b", "arn:aws;s3:::b", "arn:aws:s3;::b", "arn:aws:s3::x:b"),
    *("arn:aws~s3:::b", "arn:aws:s3~::b", "arn:aws:s3:~:b", "arn:aws:s3::~b", "arn:aws:s3:e~u::b", "arn:aws:s~::::b"),
    *("arn:aws:S3:::b", f"arn:aws:s3:eu_west:{ACCOUNT}:b", "arn:aws:s3:::b*", "arn:aws::::b"),
]
ACTIONS, NO_ACTIONS = (
    ["s3:getobject", "execute-api:invoke", "a.b:c_d"],
    ["", "s3", "s3:", ":get", "S3:Get", "s3:get*", "s3~get", "s~:get", "s3:g~"],
)


def test_every_kind_of_principal_has_a_shape() -> None:
    assert set(PRINCIPALS) == set(subjects.KINDS)


@pytest.mark.parametrize("kind", PRINCIPALS)
def test_principals_look_like_their_kind(kind: str) -> None:
    some, none = PRINCIPALS[kind]
    shape = subjects.SHAPE[kind]
    assert [text for text in some if not shape.has(text)] == []
    assert [text for text in none if shape.has(text)] == []


def test_arns_and_actions_look_like_what_people_know() -> None:
    """A witness prefers them."""
    for language, some, none in ((shapes.ARN, ARNS, NO_ARNS), (shapes.ACTION, ACTIONS, NO_ACTIONS)):
        assert [text for text in some if not language.has(text)] == []
        assert [text for text in none if language.has(text)] == []


USER_IDS = {
    "user": (["AIDAEXAMPLE"], ["", "AIDAEXAMPLE:ann"]),
    "role": (["AROAEXAMPLE"], ["", "AROAEXAMPLE:ann"]),
    "assumed-role": (
        ["AROAEXAMPLE:an", "AROAEXAMPLE:a@b.c"],
        ["AROAEXAMPLE", "AROAEXAMPLE:a~n", "AROAEXAMPLE:", "AROAEXAMPLE:a", "AROAEXAMPLE~ann", ":ann"],
    ),
}


@pytest.mark.parametrize("kind", USER_IDS)
def test_user_ids_look_like_their_kind(kind: str) -> None:
    some, none = USER_IDS[kind]
    assert [text for text in some if not subjects.USER_IDS[kind].has(text)] == []
    assert [text for text in none if subjects.USER_IDS[kind].has(text)] == []
