"""Requests held to their rules, in AWS's words."""

import time
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from google.protobuf.message import Message

from sekisho.api.authorize.v1 import decisions_pb2 as authorize
from sekisho.api.sts.v1 import sessions_pb2 as sts
from sekisho.errors import ValidationError
from sekisho.operations import OPERATIONS, annotations, validation
from tests.harness import BY_NAME

CREATE_USER = BY_NAME["CreateUser"].request
ASSUME: dict[str, Any] = {"role_arn": "arn:aws:iam::111122223333:role/r", "role_session_name": "ab"}
ONE = "1 validation error detected: "
PATH = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"
NAME = r"satisfy regular expression pattern: [\w+=,.@-]+"


def broken(request: Message) -> str:
    with pytest.raises(ValidationError) as caught:
        validation.check(request)
    return caught.value.message


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (CREATE_USER(), "Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        (
            CREATE_USER(user_name=""),
            "Value '' at 'userName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (CREATE_USER(user_name="a b"), f"Value 'a b' at 'userName' failed to satisfy constraint: Member must {NAME}"),
        (CREATE_USER(user_name="ann\n"), f"Value 'ann\n' at 'userName' failed to satisfy constraint: Member must {NAME}"),
        (CREATE_USER(user_name="é"), f"Value 'é' at 'userName' failed to satisfy constraint: Member must {NAME}"),
        (
            CREATE_USER(user_name="a" * 1000),
            f"Value '{'a' * 128}…' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            CREATE_USER(user_name="a", path="x"),
            rf"Value 'x' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: {PATH}",
        ),
        (
            CREATE_USER(user_name="a", tags=[{"key": "k", "value": "v"}, {"key": "", "value": "v"}]),
            "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, duration_seconds=899),
            "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, transitive_tag_keys=["a", ""]),
            "Value '' at 'transitiveTagKeys.2.member' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, token_code="12345"),
            "Value '***' at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, policy_arns=[{}] * 11),
            "Value '11 items' at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10",
        ),
        (
            authorize.AuthorizeRequest(action="a:B", resource="*", bearer_token="x" * 20_000),
            "Value '***' at 'bearerToken' failed to satisfy constraint: Member must have length less than or equal to 16384",
        ),
        (
            authorize.AuthorizeRequest(action="a:B", resource="*", signed_request={"path": "/", "audience": "a", "body": b"x" * 1048577}),
            "Value '***' at 'signedRequest.body' failed to satisfy constraint: Member must have length less than or equal to 1048576",
        ),
        (
            authorize.ExplainRequest(request={"resource": "*"}),
            "Value '' at 'request.action' failed to satisfy constraint: Member must have length greater than or equal to 3",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_as_aws_says_it(request_: Message, message: str) -> None:
    assert broken(request_) == ONE + message


def test_all_violations_come_together_and_ten_at_the_most() -> None:
    assert broken(sts.AssumeRoleRequest()) == (
        "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; "
        "Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null"
    )
    many = CREATE_USER(user_name="a", tags=[{"key": "", "value": ""}] * 40)
    assert broken(many).startswith("10 validation errors detected: ")
    assert broken(many).count("Member must") == 10


@pytest.mark.parametrize(
    "request_",
    [
        CREATE_USER(user_name="a" * 64, path="/x/y/", tags=[{"key": "日本 語", "value": ""}]),
        CREATE_USER(user_name="_+=,.@-"),
        sts.AssumeRoleRequest(**ASSUME, duration_seconds=900),
        authorize.AuthorizeRequest(action="a:B", resource="*", resource_tags={"any": "thing"}),
    ],
)
def test_what_is_right_passes(request_: Message) -> None:
    validation.check(request_)


@pytest.mark.parametrize(
    "request_",
    [CREATE_USER(user_name="a", tags=[{"key": "k"}]), sts.AssumeRoleRequest(**ASSUME, tags=[{"key": "k"}])],
)
def test_what_is_required_is_required_in_items_too(request_: Message) -> None:
    assert broken(request_) == ONE + "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"


def test_a_field_that_nobody_knows_is_refused_at_any_depth() -> None:
    newer = timestamp_pb2.Timestamp(seconds=5, nanos=7).SerializeToString()  # fields 1 and 2, varints: not those of a tag
    tag = sts.Tag.FromString(newer)
    request = sts.AssumeRoleRequest(**ASSUME, tags=[tag])
    with pytest.raises(validation.UnknownField, match="has a field that this server does not know"):
        validation.check(sts.AssumeRoleRequest.FromString(request.SerializeToString()))


def test_every_rule_of_every_request_can_be_checked_and_makes_sense() -> None:
    seen = set()
    waiting = [operation.request.DESCRIPTOR for operation in OPERATIONS.values()]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        validation.plan(message)
        for field in message.fields:
            described: Any = field
            rules = annotations.rules(described)
            if field.message_type is not None:
                waiting.append(field.message_type)
            if rules is not None and rules.HasField("min") and rules.HasField("max"):
                assert rules.min <= rules.max, field.full_name
            if rules is not None and rules.required:
                assert field.is_repeated or field.has_presence or rules.min > 0, f"{field.full_name}: required, yet its absence passes"
    assert len(seen) > 50


@pytest.mark.bounded
@pytest.mark.parametrize("pattern", sorted(validation.PATTERNS))
def test_a_pattern_takes_no_longer_than_its_text(pattern: int) -> None:
    matches, _ = validation.PATTERNS[pattern]
    begun = time.process_time()
    for text in ("/" * 100_000, "a" * 100_000 + "!", "/" + "a/" * 50_000 + "\0", "-" * 100_000, "v1." + "-" * 100_000 + "\n"):
        matches(text)
    assert time.process_time() - begun < 5
