"""AssumeRoot: a session of a member account's root user, for one task.

The session is the root user of the member: what limits that one (the organization's policies) limits it, and its task does besides. A task
denies all else, and all that is of other accounts, so that no policy of a resource gives more to the session than the task. It ends before
its time when the member leaves, the feature is disabled, or the account that assumed it has no more right to it.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sekisho import arn, policy
from sekisho.api.sts.v1 import root_sessions_pb2 as pb
from sekisho.api.sts.v1 import sessions_pb2
from sekisho.calls import permission, request_keys
from sekisho.calls.call import Call
from sekisho.credentials import session_tokens
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, ValidationError
from sekisho.memory.reader import Reader
from sekisho.operations import Resource, operation
from sekisho.services.sts import session_policies
from sekisho.world import AccountRecord, root_access

LONGEST = 900
"""Seconds that a session lasts, at the most and where none are asked for."""

_ABROAD = {"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
"""The condition of all that belongs to another account, which lets root users of all accounts in: a task is about the member's own."""
_ROOT = f"arn:{arn.PARTITION}:iam::*:root"
_PREFIX = f"arn:{arn.PARTITION}:iam::aws:policy/root-task/"
_MEMBER = policy.Attached(
    program=policy.compiled(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoot","Resource":"*"}]}'
    ),
    name="organization",
)
"""The member account's word, in the place of a trust policy, about those in other accounts: their own policies decide."""


@dataclass(frozen=True, slots=True)
class Task:
    """The feature of central root access that a task needs, and the policy of a session for it."""

    feature: str
    document: str


def _task(feature: str, of_root: tuple[str, ...], elsewhere: tuple[str, ...] = ()) -> Task:
    """The task of actions on the root user itself, and of others on whatever resource."""
    actions = [*of_root, *elsewhere]
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
        {"Effect": "Deny", "NotAction": actions, "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": _ABROAD},
    ]
    if of_root:
        statements.append({"Effect": "Deny", "Action": list(of_root), "NotResource": _ROOT})
    return Task(feature, json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":")))


_AUDITED = ("iam:GetLoginProfile", "iam:GetUser", "iam:ListAccessKeys", "iam:ListMFADevices", "iam:ListSigningCertificates")
_DELETED = ("iam:DeactivateMFADevice", "iam:DeleteAccessKey", "iam:DeleteLoginProfile", "iam:DeleteSigningCertificate")
_SUMMARY = ("iam:GetAccountSummary",)

TASKS: Mapping[str, Task] = {
    f"{_PREFIX}{name}": task
    for name, task in {
        "IAMAuditRootUserCredentials": _task(root_access.CREDENTIALS, (*_AUDITED, "iam:GetAccessKeyLastUsed"), _SUMMARY),
        "IAMCreateRootUserPassword": _task(root_access.CREDENTIALS, ("iam:CreateLoginProfile", "iam:GetLoginProfile")),
        "IAMDeleteRootUserCredentials": _task(root_access.CREDENTIALS, (*_AUDITED, *_DELETED)),
        "S3UnlockBucketPolicy": _task(
            root_access.SESSIONS, (), ("s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:ListAllMyBuckets", "s3:PutBucketPolicy")
        ),
        "SQSUnlockQueuePolicy": _task(
            root_access.SESSIONS, (), ("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueues", "sqs:SetQueueAttributes")
        ),
    }.items()
}
"""The tasks by the ARNs that AWS's managed policies for them have; the documents are ours."""


@operation
def assume_root(call: Call, request: pb.AssumeRootRequest) -> pb.AssumeRootResponse:
    """A caller who is not permitted does not learn whether the account exists, or where it belongs."""
    session_policies.refuse_token_size(request)
    target = _target(request.target_principal)
    task = TASKS.get(request.task_policy_arn.arn)
    if task is None:
        raise ValidationError(f"The policy {request.task_policy_arn.arn} is not a policy for a privileged task.")
    _permitted(call, request, target, task)
    before = call.caller.subject.session
    begun = call.now.replace(microsecond=0)
    session = Session(
        kind="assumed-root",
        account=target,
        principal_kind="root",
        principal_id=target,
        principal_arn=arn.root(target),
        session_name=root_access.name(call.account_id, task.feature),
        source_identity=before.source_identity if before is not None else "",
        policy=task.document,
        issued_at=begun,
        expires_at=begun + timedelta(seconds=request.duration_seconds if request.HasField("duration_seconds") else LONGEST),
        chained=before is not None,
    )
    issued = session_tokens.issue(session, call.node.ring)
    credentials = sessions_pb2.Credentials(
        access_key_id=issued.access_key_id,
        secret_access_key=issued.secret_access_key,
        session_token=issued.session_token,
        expiration=session.expires_at,
    )
    return pb.AssumeRootResponse(credentials=credentials, source_identity=session.source_identity or None)


def _target(text: str) -> str:
    """The account of a target, which is its id or the ARN of its root user."""
    named = arn.entity(text)
    account_id = named.account if named is not None and named.kind == "root" else text
    if not arn.is_account_id(account_id):
        raise ValidationError(f"{text} is not the root user of an account.")
    return account_id


def _permitted(call: Call, request: pb.AssumeRootRequest, target: str, task: Task) -> None:
    """AccessDenied unless the caller's policies allow it, and its account has the right to it in its organization; both are asked."""
    keys = {**request_keys.of_request(request), "sts:taskpolicyarn": request.task_policy_arn.arn}
    _, decision = permission.decide(call, "sts:AssumeRoot", Resource(arn.root(target)), keys, _MEMBER)

    def within(reader: Reader) -> bool:
        caller, member = reader.get_record(call.account_id), reader.get_record(target)
        if not isinstance(caller, AccountRecord) or not isinstance(member, AccountRecord):
            return False
        return root_access.permits(caller, member, task.feature, reader.get_record)

    has_right, _ = call.node.world.consistent(within)
    if call.caller.principal.kind == "root" or not decision.allowed or not has_right:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRoot on resource: {arn.root(target)}")
