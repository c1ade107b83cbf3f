"""Which statements of a policy are about a service, read without a database."""

import json
from typing import Any

import pytest

from sekisho import policy
from sekisho.services.iam import service_access
from tests.calls.fakes import attached


def document(*actions: str, **more: Any) -> policy.Policy:
    return attached(*actions, **more).program.policy


@pytest.mark.parametrize(
    ("actions", "granted"),
    [
        (("s3:Get",), True),
        (("S3:*",), True),
        (("*",), True),
        (("s*:Get",), True),
        (("s?:Get",), True),
        (("sqs:*", "s3:*"), True),
        (("s?s:Get",), False),
        (("sqs:*", "s3x:*"), False),
        (("q*:*",), False),
    ],
)
def test_a_service_that_is_named(actions: tuple[str, ...], granted: bool) -> None:
    assert service_access.grants(document(*actions), "S3") is service_access.grants(document(*actions), "s3") is granted
    assert not service_access.grants(document(*actions, effect="Deny"), "s3")


@pytest.mark.parametrize(
    ("excepted", "granted"),
    [
        (["*"], False),
        (["s3:*"], False),
        (["S3:**"], False),
        (["s*:*"], False),
        (["s3:Get"], True),
        (["s3:Get", "s3:*"], False),
        (["sqs:*"], True),
    ],
)
def test_a_service_that_is_not_all_excepted(excepted: list[str], granted: bool) -> None:
    statement = {"Effect": "Allow", "NotAction": excepted, "Resource": "*"}
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statement})).policy
    assert service_access.grants(made, "s3") is granted


@pytest.mark.parametrize(
    ("actions", "more", "denied"),
    [
        (["s3:*"], {}, True),
        (["*"], {}, True),
        (["sqs:*", "S3:*"], {}, True),
        (["s*:*"], {}, True),
        (["s3:*"], {"Resource": ["arn:aws:s3:::b", "*"]}, True),
        (["s3:*"], {"Resource": "arn:aws:s3:::*"}, False),
        (["s3:Get*"], {}, False),
        (["sqs:*"], {}, False),
        (["s3:*"], {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        (["s3:*"], {"effect": "Allow"}, False),
    ],
)
def test_a_service_that_is_denied_altogether(actions: list[str], more: dict[str, Any], denied: bool) -> None:
    assert service_access.denies(document(*actions, **{"effect": "Deny"} | more), "S3") is denied


def test_a_denial_of_all_but_something_is_none() -> None:
    statements = [
        {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "NotResource": "*"},
    ]
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statements})).policy
    assert not service_access.denies(made, "s3")
    assert not service_access.denies(made, "sqs")
    statements += [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]
    made = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": statements})).policy
    assert service_access.denies(made, "s3")
    assert not service_access.denies(made, "sqs")


def test_services_that_are_named_or_known() -> None:
    known = {"s3", "sqs", "sns"}
    assert service_access.granted([document("Own:Read", "s3:Get"), document("sq*:*")], known) == {"own", "s3", "sqs"}
    assert service_access.granted([document("s?s:*")], known) == {"sqs", "sns"}
    assert service_access.granted([document("*")], known) == known
    assert service_access.granted([document("s3:*", effect="Deny")], known) == set()
    made = policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["own:*","s3:*"],"Resource":"*"}]}').policy
    assert service_access.granted([made], known) == {"sqs", "sns"}
    assert service_access.granted([], known) == set()
