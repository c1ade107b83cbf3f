"""The names of service-linked roles, and which may be made, without a database."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import arn
from sekisho.api.iam.v1 import roles_pb2
from sekisho.api.iam.v1 import service_linked_roles_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.operations import Resource
from sekisho.services.iam import entities, policy_arns, roles, service_linked_roles
from sekisho.store.tables import Attachment, DeletionTask, Role
from tests.calls.fakes import ACCOUNT, NOW, OTHER

OWN, AUTOSCALING, RDS = "order-desk.example.com", "autoscaling.amazonaws.com", "rds.amazonaws.com"


def created(monkeypatch: pytest.MonkeyPatch, taken: str = "", **fields: Any) -> list[Any]:
    """The rows that a request makes."""
    added: list[Any] = []

    def columns(call: Any, table: Any, name: str, path: str, *, quota: str) -> dict[str, Any]:
        assert (table, quota) == (Role, "RolesQuota")
        return {"id": "AROA", "account_id": ACCOUNT, "name": name, "path": path}

    monkeypatch.setattr(entities, "new_columns", columns)
    monkeypatch.setattr(policy_arns, "find", lambda call, named: SimpleNamespace(id=named))
    monkeypatch.setattr(roles, "summary", lambda call, row: roles_pb2.Role(role_name=row.name))
    call: Any = SimpleNamespace(row=lambda table, name: "row" if name == taken else None, add=added.append, now=NOW)
    made = service_linked_roles.create_service_linked_role(call, pb.CreateServiceLinkedRoleRequest(**fields))
    assert made.role.role_name == added[0].name
    return added


@pytest.mark.parametrize(
    ("service", "suffix", "name", "policy"),
    [
        (OWN, "", "AWSServiceRoleForOrderDesk", ""),
        (OWN, "two", "AWSServiceRoleForOrderDesk_two", ""),
        ("a_b-cD.e-f", "", "AWSServiceRoleForABCD", ""),
        (AUTOSCALING, "x" * 35, f"AWSServiceRoleForAutoScaling_{'x' * 35}", "AutoScalingServiceRolePolicy"),
        (RDS, "", "AWSServiceRoleForRDS", "AmazonRDSServiceRolePolicy"),
    ],
)
def test_a_role_is_called_after_its_service(monkeypatch: pytest.MonkeyPatch, service: str, suffix: str, name: str, policy: str) -> None:
    fields = {"custom_suffix": suffix} if suffix else {}
    role, *attached = created(monkeypatch, aws_service_name=service, **fields)
    assert (role.name, role.path, role.description, role.max_session_seconds) == (name, f"/aws-service-role/{service}/", None, 3600)
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    assert json.loads(role.trust_policy) == {"Version": "2012-10-17", "Statement": [statement]}
    assert [type(row) for row in attached] == ([Attachment] if policy else [])
    assert [(row.owner_id, row.policy_id, row.created_at) for row in attached] == [
        ("AROA", f"arn:aws:iam::aws:policy/aws-service-role/{policy}", NOW)
    ] * len(attached)
    request = pb.CreateServiceLinkedRoleRequest(aws_service_name=service, custom_suffix=suffix)
    call: Any = SimpleNamespace(account_id=ACCOUNT)
    resource = service_linked_roles.service_linked_role(call, request, "aws_service_name")
    assert resource == Resource(arn.iam(ACCOUNT, "role", name, f"/aws-service-role/{service}/"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"aws_service_name": RDS, "custom_suffix": "x"}, f"Custom suffix is not allowed for {RDS}"),
        (
            {"aws_service_name": AUTOSCALING, "custom_suffix": "x" * 36},
            f"The name AWSServiceRoleForAutoScaling_{'x' * 36} of the role would have more than 64 characters.",
        ),
        (
            {"aws_service_name": OWN, "custom_suffix": "taken"},
            "Service role name AWSServiceRoleForOrderDesk_taken has been taken in this account, please try a different suffix.",
        ),
    ],
)
def test_which_are_not_made(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SekishoError) as caught:
        created(monkeypatch, "AWSServiceRoleForOrderDesk_taken", **fields)
    assert (caught.value.code, caught.value.message) == ("InvalidInput", sentence)


def test_a_description_is_kept_as_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [created(monkeypatch, aws_service_name=OWN, description=text)[0].description for text in ("", "d")] == ["", "d"]


def test_a_task_is_of_its_account() -> None:
    tasks = {
        name: DeletionTask(id=name, account_id=account, role_arn=f"arn:{name}") for name, account in (("own", ACCOUNT), ("other", OTHER))
    }
    call: Any = SimpleNamespace(account_id=ACCOUNT, session=SimpleNamespace(get=lambda _, id_: tasks.get(id_)))
    unknown = arn.iam(ACCOUNT, "role", "unknown")
    for id_, expected in (("own", "arn:own"), ("other", unknown), ("none", unknown)):
        request = pb.GetServiceLinkedRoleDeletionStatusRequest(deletion_task_id=id_)
        assert service_linked_roles.deletion_task(call, request, "deletion_task_id") == Resource(expected, named=id_)
        if id_ == "own":
            assert service_linked_roles.get_service_linked_role_deletion_status(call, request).status == "SUCCEEDED"
        else:
            with pytest.raises(SekishoError, match=f"^Deletion task {id_} cannot be found.$"):
                service_linked_roles.get_service_linked_role_deletion_status(call, request)
