"""Requests held to their rules, in AWS's words."""

import time
from typing import Any

import pytest
from google.protobuf import timestamp_pb2
from google.protobuf.message import Message

from sekisho.api.authorize.v1 import decisions_pb2 as authorize
from sekisho.api.sts.v1 import sessions_pb2 as sts
from sekisho.errors import ValidationError
from sekisho.operations import OPERATIONS, annotations, patterns, validation
from tests.harness import BY_NAME

CREATE_USER = BY_NAME["CreateUser"].request
ASSUME: dict[str, Any] = {"role_arn": "arn:aws:iam::111122223333:role/r", "role_session_name": "ab"}
ONE = "1 validation error detected: "
WRONG_PATH = (
    "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
)
WRONG_NAME = "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
TAG_KEY, TAG_VALUE = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"
TAG_KEYS = (
    "Member must have length less than or equal to 128, Member must have length greater than or equal to 1, "
    f"Member must satisfy regular expression pattern: {TAG_KEY}, Member must not be null"
)
VERSION = r"satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"
SESSION_NAME = r"satisfy regular expression pattern: [\w+=,.@-]*"


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
            "Value at 'userName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            CREATE_USER(user_name="a" * 1000),
            "Value at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            CREATE_USER(user_name="a", tags=[{"key": "k", "value": "v"}, {"key": "", "value": "v"}]),
            "Value at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            BY_NAME["UntagUser"].request(user_name="a", tag_keys=["a", "b!"]),
            f"Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [{TAG_KEYS}]",
        ),
        (
            BY_NAME["TagUser"].request(user_name="a", tags=[{"key": "k", "value": "v"}] * 51),
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ),
        (
            BY_NAME["TagUser"].request(user_name="a", tags=[{"key": "k!", "value": "v"}]),
            rf"Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: {TAG_KEY}",
        ),
        (
            BY_NAME["TagUser"].request(user_name="a", tags=[{"key": "k", "value": "v!"}]),
            rf"Value at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: {TAG_VALUE}",
        ),
        (
            BY_NAME["UpdateAccessKey"].request(access_key_id="AKIAIOSFODNN7EXAMPLE", status="On"),
            "Value at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]",
        ),
        (
            BY_NAME["GetPolicyVersion"].request(policy_arn="arn:aws:iam::aws:policy/X", version_id="1"),
            f"Value at 'versionId' failed to satisfy constraint: Member must {VERSION}",
        ),
        (
            sts.AssumeRoleRequest(role_arn=ASSUME["role_arn"], role_session_name="Session1:2"),
            f"Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must {SESSION_NAME}",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, duration_seconds=899),
            "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            sts.AssumeRoleRequest(**ASSUME, transitive_tag_keys=["a", ""]),
            f"Value '[a, ]' at 'transitiveTagKeys' failed to satisfy constraint: Member must satisfy constraint: [{TAG_KEYS}]",
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
            BY_NAME["LookupEvents"].request(start_time={"seconds": 1, "nanos": -1}),
            "Value '1.-1' at 'startTime' failed to satisfy constraint: Member must be a timestamp",
        ),
        (
            BY_NAME["ListPublicKeys"].request(end_time={"seconds": 253_370_764_800}),
            "Value '253370764800.0' at 'endTime' failed to satisfy constraint: Member must be a timestamp",
        ),
        (
            authorize.ExplainRequest(request={"resource": "*"}),
            "Value '' at 'request.action' failed to satisfy constraint: Member must have length greater than or equal to 3",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_as_aws_says_it(request_: Message, message: str) -> None:
    """IAM leaves the value out and says once what a list's items must be; STS quotes. Source: answers of AWS, recorded in February 2026."""
    assert broken(request_) == ONE + message


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (CREATE_USER(user_name="a b"), WRONG_NAME.format("userName")),
        (CREATE_USER(user_name="ann\n"), WRONG_NAME.format("userName")),
        (CREATE_USER(user_name="é"), WRONG_NAME.format("userName")),
        (CREATE_USER(user_name="a b", path="x"), WRONG_PATH),
        (BY_NAME["CreateGroup"].request(group_name="a/b"), WRONG_NAME.format("groupName")),
        (CREATE_USER(user_name="a", path="x"), WRONG_PATH),
        (BY_NAME["CreatePolicy"].request(policy_name="p", policy_document="{}", path="x/"), WRONG_PATH),
        (BY_NAME["CreateVirtualMFADevice"].request(virtual_mfa_device_name="d", path="/test"), WRONG_PATH),
        (
            CREATE_USER(user_name="a b", path="/" * 513),
            f"{ONE}Value at 'path' failed to satisfy constraint: Member must have length less than or equal to 512",
        ),
    ],
)
def test_iam_has_a_sentence_for_the_characters_of_names_and_paths(request_: Message, message: str) -> None:
    """By itself, and only when nothing else is wrong. Source: an answer of AWS about a path, recorded in February 2026; users' reports."""
    assert broken(request_) == message


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
@pytest.mark.parametrize("pattern", sorted(patterns.PATTERNS))
def test_a_pattern_takes_no_longer_than_its_text(pattern: int) -> None:
    matches, _ = patterns.PATTERNS[pattern]
    begun = time.process_time()
    for text in ("/" * 100_000, "a" * 100_000 + "!", "/" + "a/" * 50_000 + "\0", "-" * 100_000, "v1." + "-" * 100_000 + "\n"):
        matches(text)
    assert time.process_time() - begun < 5
