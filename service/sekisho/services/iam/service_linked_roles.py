"""Service-linked roles: roles that a service needs, and that only it changes.

Any service can have one, not only AWS's. `linked_services` has those of AWS. The role of another service is called after it, by the words
of the first label in capitals: `order-desk.example.com` gives `AWSServiceRoleForOrderDesk`. It bears no policy, and may have suffixes.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
"""

import json
import uuid

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho import arn
from sekisho.api.iam.v1 import service_linked_roles_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, linked_services, policy_arns, roles, tags
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import Attachment, DeletionTask, Role

_PREFIX = "AWSServiceRoleFor"
_NAME_LENGTH = 64


@resource("service-linked-role")
def service_linked_role(call: Call, request: pb.CreateServiceLinkedRoleRequest, field: str) -> Resource:
    """The role that is to be made."""
    service = getattr(request, field)
    return Resource(arn.iam(call.account_id, "role", _name(service, request.custom_suffix), _path(service)))


@resource("deletion-task")
def deletion_task(call: Call, request: Message, field: str) -> Resource:
    """The role that the task removed; of an unknown task, no role's name."""
    task = getattr(request, field)
    row = _lookup(call, task)
    return Resource(row.role_arn if row is not None else arn.iam(call.account_id, "role", "unknown"), named=task)


@operation
def create_service_linked_role(call: Call, request: pb.CreateServiceLinkedRoleRequest) -> pb.CreateServiceLinkedRoleResponse:
    """One a service, or one more for each suffix where AWS allows that. The service alone may assume it."""
    linked = linked_services.table().get(request.aws_service_name)
    if request.custom_suffix and linked is not None and not linked.suffixed:
        raise InvalidInput(f"Custom suffix is not allowed for {request.aws_service_name}")
    name = _name(request.aws_service_name, request.custom_suffix)
    if len(name) > _NAME_LENGTH:
        raise InvalidInput(f"The name {name} of the role would have more than {_NAME_LENGTH} characters.")
    if call.row(Role, name) is not None:
        raise InvalidInput(f"Service role name {name} has been taken in this account, please try a different suffix.")
    row = Role(
        **entities.new_columns(call, Role, name, _path(request.aws_service_name), quota="RolesQuota"),
        description=request.description if request.HasField("description") else None,
        trust_policy=_trust(request.aws_service_name),
        max_session_seconds=3600,
    )
    call.add(row)
    if linked is not None:
        policy = policy_arns.find(call, linked.policy_arn)
        call.add(Attachment(owner_id=row.id, policy_id=policy.id, created_at=call.now))
    return pb.CreateServiceLinkedRoleResponse(role=roles.summary(call, row))


@operation
def delete_service_linked_role(call: Call, request: pb.DeleteServiceLinkedRoleRequest) -> pb.DeleteServiceLinkedRoleResponse:
    """At once: no service tells us that it still needs the role. What AWS does later is done when this returns."""
    row = entities.find(call, Role, request.role_name)
    if not entities.is_service_linked(row):
        raise NoSuchEntity(f"The role with name {request.role_name} is not a service-linked role.")
    id_ = f"task{row.path}{row.name}/{uuid.uuid4()}"
    call.add(DeletionTask(id=id_, account_id=call.account_id, role_arn=entities.arn_of(row), deleted_at=call.now))
    tags.clear(call, row)
    for attached in call.session.scalars(select(Attachment).where(Attachment.owner_id == row.id)):
        call.session.delete(attached)
    call.session.flush()
    call.session.delete(row)
    return pb.DeleteServiceLinkedRoleResponse(deletion_task_id=id_)


@operation
def get_service_linked_role_deletion_status(
    call: Call, request: pb.GetServiceLinkedRoleDeletionStatusRequest
) -> pb.GetServiceLinkedRoleDeletionStatusResponse:
    """Every task that there is has succeeded."""
    if _lookup(call, request.deletion_task_id) is None:
        raise NoSuchEntity(f"Deletion task {request.deletion_task_id} cannot be found.")
    return pb.GetServiceLinkedRoleDeletionStatusResponse(status="SUCCEEDED")


def _lookup(call: Call, id_: str) -> DeletionTask | None:
    row = call.session.get(DeletionTask, id_)
    return row if row is not None and row.account_id == call.account_id else None


def _path(service: str) -> str:
    return f"{entities.SERVICE_LINKED}{service}/"


def _name(service: str, suffix: str) -> str:
    linked = linked_services.table().get(service)
    words = service.partition(".")[0].replace("_", "-").split("-")
    called = linked.role_name if linked is not None else _PREFIX + "".join(word[:1].upper() + word[1:] for word in words)
    return called + (f"_{suffix}" if suffix else "")


def _trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
