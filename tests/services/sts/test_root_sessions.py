"""AssumeRoot step by step, of a world in a dictionary; over the pipeline it is in `test_root_access.py`."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from sekisho.api.sts.v1 import root_sessions_pb2 as pb
from sekisho.calls import permission
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, SekishoError, Unimplemented, ValidationError
from sekisho.services.sts import root_sessions
from sekisho.world import PrincipalRecord, SessionFacts, Subject, root_access
from tests.calls.fakes import ACCOUNT, ANN, NOW, OTHER, USER_ARN, FakeNode, attached

PREFIX = "arn:aws:iam::aws:policy/root-task/"
AUDIT, UNLOCK = f"{PREFIX}IAMAuditRootUserCredentials", f"{PREFIX}S3UnlockBucketPolicy"
DENIED = AccessDenied, f"User: {USER_ARN} is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::{OTHER}:root"
AUDITED = ["iam:GetLoginProfile", "iam:GetUser", "iam:ListAccessKeys", "iam:ListMFADevices", "iam:ListSigningCertificates"]
DELETED = ["iam:DeactivateMFADevice", "iam:DeleteAccessKey", "iam:DeleteLoginProfile", "iam:DeleteSigningCertificate"]

Assume = Callable[..., Any]


@pytest.fixture
def permitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The questions about the right of an account, each answered with yes."""
    asked: list[tuple[Any, ...]] = []

    def permits(*given: Any) -> bool:
        asked.append(given)
        return True

    monkeypatch.setattr(root_access, "permits", permits)
    return asked


@pytest.fixture
def node() -> FakeNode:
    return FakeNode(attached("sts:AssumeRoot"), ring="ring")


@pytest.fixture
def assume(node: FakeNode, issued: list[Session], permitted: object) -> Assume:
    def call(subject: Subject = ANN, task: str = AUDIT, **fields: Any) -> Any:
        request = pb.AssumeRootRequest(**{"target_principal": OTHER, "task_policy_arn": {"arn": task}, **fields})
        return root_sessions.assume_root(node.call("AssumeRoot", subject), request)

    return call


def refusal(assume: Assume, *given: Any, **fields: Any) -> tuple[type[SekishoError], str]:
    """Why a call is refused."""
    with pytest.raises(SekishoError) as caught:
        assume(*given, **fields)
    return type(caught.value), caught.value.message


def test_a_session_of_the_root_user_of_a_member(assume: Assume, issued: list[Session]) -> None:
    made = assume()
    plain = Session(
        "assumed-root",
        OTHER,
        "root",
        OTHER,
        f"arn:aws:iam::{OTHER}:root",
        NOW,
        NOW + timedelta(seconds=900),
        root_access.name(ACCOUNT, root_access.CREDENTIALS),
        policy=root_sessions.TASKS[AUDIT].document,
    )
    assert issued == [plain]
    assert not made.HasField("source_identity")
    given = made.credentials
    assert (given.access_key_id, given.secret_access_key, given.session_token) == ("ASIA1", "secret", "token")
    assert given.expiration.ToDatetime(UTC) == NOW + timedelta(seconds=900)
    session = replace(ANN, session=SessionFacts("session-token", source_identity="anna"))
    made = assume(session, UNLOCK, target_principal=f"arn:aws:iam::{OTHER}:root", duration_seconds=0)
    assert made.source_identity == "anna"
    assert issued[1] == replace(
        plain,
        expires_at=NOW,
        session_name=root_access.name(ACCOUNT, root_access.SESSIONS),
        source_identity="anna",
        policy=root_sessions.TASKS[UNLOCK].document,
        chained=True,
    )


@pytest.mark.usefixtures("late")
def test_times_are_whole_seconds(assume: Assume, issued: list[Session]) -> None:
    assume(duration_seconds=60)
    assert (issued[0].issued_at, issued[0].expires_at) == (NOW, NOW + timedelta(minutes=1))


@pytest.mark.parametrize("target", ["", "x", f"arn:aws:iam::{OTHER}:user/root", f"arn:aws:iam::{OTHER}:role/r", "12345678901"])
def test_a_target_is_the_root_user_of_an_account(assume: Assume, target: str) -> None:
    assert refusal(assume, target_principal=target) == (ValidationError, f"{target} is not the root user of an account.")


def test_a_task_is_one_of_those_that_there_are(assume: Assume) -> None:
    assert refusal(assume, ANN, f"{PREFIX}Other") == (
        ValidationError,
        f"The policy {PREFIX}Other is not a policy for a privileged task.",
    )
    assert refusal(assume, minimum_session_token_size=1)[0] is Unimplemented


def test_who_is_asked_about(node: FakeNode, assume: Assume, permitted: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The policies of the caller decide, where the account has the right to it in its organization."""
    asked: list[Any] = []
    decide = permission.decide

    def noted(call: Any, action: str, resource: Any, keys: Any, policy: Any) -> Any:
        asked.append((action, resource.arn, dict(keys), policy))
        return decide(call, action, resource, keys, policy)

    monkeypatch.setattr(permission, "decide", noted)
    assume()
    ((action, arn, keys, trust),) = asked
    assert (action, arn) == ("sts:AssumeRoot", f"arn:aws:iam::{OTHER}:root")
    assert keys["sts:taskpolicyarn"] == AUDIT
    assert trust.name == "organization"
    ((caller, member, feature, lookup),) = permitted
    assert (caller, member, feature) == (node.world.records[ACCOUNT], node.world.records[OTHER], root_access.CREDENTIALS)
    assert lookup(OTHER) is member


def test_who_is_not_permitted(node: FakeNode, assume: Assume, issued: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(assume, target_principal="9" * 12)[1].endswith(f"arn:aws:iam::{'9' * 12}:root")
    node.world.put(PrincipalRecord(OTHER, OTHER, "user", "x", USER_ARN))  # what is no account
    assert refusal(assume) == DENIED
    node.world.__init__(attached("sts:AssumeRoot"))
    make = node.call
    with monkeypatch.context() as patched:  # the caller's own account has gone meanwhile
        patched.setattr(node, "call", lambda *given: (make(*given), node.world.records.pop(ACCOUNT))[0])
        assert refusal(assume) == DENIED
    node.world.__init__(attached("sts:AssumeRoot"))
    root = refusal(assume, Subject(ACCOUNT, ACCOUNT))
    assert root[1].startswith(f"User: arn:aws:iam::{ACCOUNT}:root is not authorized")
    with monkeypatch.context() as patched:
        patched.setattr(root_access, "permits", lambda *_: False)
        assert refusal(assume) == DENIED
    assume()
    node.world.put(replace(node.world.records[ANN.id], inline=()))
    assert refusal(assume) == DENIED
    assert len(issued) == 1


@pytest.mark.parametrize(
    ("name", "feature", "of_root", "elsewhere"),
    [
        ("IAMAuditRootUserCredentials", root_access.CREDENTIALS, [*AUDITED, "iam:GetAccessKeyLastUsed"], ["iam:GetAccountSummary"]),
        ("IAMCreateRootUserPassword", root_access.CREDENTIALS, ["iam:CreateLoginProfile", "iam:GetLoginProfile"], []),
        ("IAMDeleteRootUserCredentials", root_access.CREDENTIALS, [*AUDITED, *DELETED], []),
        (
            "S3UnlockBucketPolicy",
            root_access.SESSIONS,
            [],
            ["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:ListAllMyBuckets", "s3:PutBucketPolicy"],
        ),
        (
            "SQSUnlockQueuePolicy",
            root_access.SESSIONS,
            [],
            ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueues", "sqs:SetQueueAttributes"],
        ),
    ],
)
def test_a_task_permits_its_actions_and_denies_all_else(name: str, feature: str, of_root: list[str], elsewhere: list[str]) -> None:
    task, actions = root_sessions.TASKS[PREFIX + name], of_root + elsewhere
    abroad = {"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
        {"Effect": "Deny", "NotAction": actions, "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": abroad},
    ]
    if of_root:
        statements.append({"Effect": "Deny", "Action": of_root, "NotResource": "arn:aws:iam::*:root"})
    assert json.loads(task.document) == {"Version": "2012-10-17", "Statement": statements}
    assert (task.feature, " " in task.document) == (feature, False)
    assert len(root_sessions.TASKS) == 5
