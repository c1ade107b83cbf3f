"""The versions of a managed policy, of which one is in force."""

import re

from sqlalchemy import func, select

from sekisho.api.iam.v1 import policy_versions_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, policies, policy_arns, quotas
from sekisho.services.iam.errors import DeleteConflict, NoSuchEntity
from sekisho.store.tables import Policy, PolicyVersion

_NUMBER = re.compile(r"v([1-9][0-9]{0,8})")


@operation
def create_policy_version(call: Call, request: pb.CreatePolicyVersionRequest) -> pb.CreatePolicyVersionResponse:
    """Five versions at most; a number that was given once is not given again."""
    policies.check_document(request.policy_document)
    policy = policy_arns.own(call, request.policy_arn, sentence=policy_arns.NOT_ATTACHABLE)
    held = call.session.scalars(select(func.count()).select_from(PolicyVersion).where(PolicyVersion.policy_id == policy.id)).one()
    quotas.check("VersionsPerPolicyQuota", held + 1)
    policy.last_version += 1
    policy.updated_at = call.now
    if request.set_as_default:
        policy.default_version = policy.last_version
    row = PolicyVersion(policy_id=policy.id, number=policy.last_version, document=request.policy_document, created_at=call.now)
    call.add(row)
    return pb.CreatePolicyVersionResponse(policy_version=_message(policy, row))


@operation
def get_policy_version(call: Call, request: pb.GetPolicyVersionRequest) -> pb.GetPolicyVersionResponse:
    """The only answer that has the document."""
    sentence = _missing(request.version_id)
    policy = policy_arns.find(call, request.policy_arn, sentence=sentence)
    row = _find(call, policy, request.version_id, sentence.format(request.policy_arn))
    shown = _message(policy, row)
    shown.document = row.document
    return pb.GetPolicyVersionResponse(policy_version=shown)


@operation
def list_policy_versions(call: Call, request: pb.ListPolicyVersionsRequest) -> pb.ListPolicyVersionsResponse:
    """The newest first, without documents."""
    policy = policy_arns.find(call, request.policy_arn)
    query = select(PolicyVersion).where(PolicyVersion.policy_id == policy.id)
    found = entities.page(call, request, query, key=[-PolicyVersion.number], of=lambda row: [-row.number])
    return pb.ListPolicyVersionsResponse(
        versions=[_message(policy, row) for row in found.rows], is_truncated=found.marker is not None, marker=found.marker
    )


@operation
def set_default_policy_version(call: Call, request: pb.SetDefaultPolicyVersionRequest) -> pb.SetDefaultPolicyVersionResponse:
    """In force at once, wherever the policy is attached."""
    sentence = _missing(request.version_id)
    policy = policy_arns.own(call, request.policy_arn, sentence=sentence)
    policy.default_version = _find(call, policy, request.version_id, sentence.format(request.policy_arn)).number
    return pb.SetDefaultPolicyVersionResponse()


@operation
def delete_policy_version(call: Call, request: pb.DeletePolicyVersionRequest) -> pb.DeletePolicyVersionResponse:
    """Any but the one in force."""
    sentence = _missing(request.version_id)
    policy = policy_arns.own(call, request.policy_arn, sentence=sentence)
    row = _find(call, policy, request.version_id, sentence.format(request.policy_arn))
    if row.number == policy.default_version:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    call.session.delete(row)
    return pb.DeletePolicyVersionResponse()


def _missing(version_id: str) -> str:
    """What AWS says of a version that is not there, of a policy that may not be there either; `{}` is the policy's ARN."""
    return f"Policy {{}} version {version_id[:32]} does not exist or is not attachable."


def _find(call: Call, policy: Policy, version_id: str, sentence: str) -> PolicyVersion:
    number = _NUMBER.fullmatch(version_id)
    row = call.session.get(PolicyVersion, (policy.id, int(number[1]))) if number is not None else None
    if row is None:
        raise NoSuchEntity(sentence)
    return row


def _message(policy: Policy, row: PolicyVersion) -> pb.PolicyVersion:
    return pb.PolicyVersion(
        version_id=f"v{row.number}",
        is_default_version=row.number == policy.default_version,
        create_date=entities.seconds(row.created_at),
    )
