"""The registry, and what it takes to add an operation: a proto, a function, nothing else."""

import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from sqlalchemy import select

from sekisho import operations, sigv4
from sekisho.api.annotations.v1 import annotations_pb2
from sekisho.calls import authenticate, pipeline
from sekisho.calls.call import Call, Peer
from sekisho.errors import SekishoError
from sekisho.node.roles import ROLES
from sekisho.operations import OPERATIONS, RESOURCES, Operation, Resource, annotations, operation, resource, unanswered
from sekisho.operations.annotations import Access
from sekisho.store.tables import Account, AuditRecord
from tests import harness
from tests.harness import House


def test_every_rpc_has_its_function_and_every_kind_its_resolver() -> None:
    assert unanswered(ROLES["all"].services) == []
    assert len(OPERATIONS) > 70
    for path, found in OPERATIONS.items():
        assert path.endswith(f"/{found.name}")
        assert found.function.__module__.startswith(f"sekisho.services.{found.service}."), path


def test_what_a_check_names_is_in_its_request() -> None:
    for found in OPERATIONS.values():
        fields = found.request.DESCRIPTOR.fields_by_name
        for check in found.checks:
            assert not check.field or check.field in fields, f"{found.path}: {check.field}"
            assert not check.when_field or check.when_field in fields, f"{found.path}: {check.when_field}"
            assert not check.field or check.kind, f"{found.path}: a field without a kind"
            assert not check.action or ":" in check.action, found.path


def test_requests_and_responses_are_each_rpcs_own() -> None:
    messages = [m for found in OPERATIONS.values() for m in (found.request.DESCRIPTOR.full_name, found.response.DESCRIPTOR.full_name)]
    assert len(messages) == len(set(messages))


SECRETS = {
    "add_private_key", "authentication_code1", "authentication_code2", "base32_string_seed", "bearer_token", "headers", "new_password",
    "old_password", "password", "private_key", "qr_code_png", "saml_assertion", "secret_access_key", "session_token", "token_code",
    "web_identity_token",
}  # fmt: skip
"""Fields, whatever message they stand in, that no record may hold."""


def test_what_issues_or_makes_secrets_hides_them_from_the_audit() -> None:
    waiting = [m for found in OPERATIONS.values() for m in (found.request.DESCRIPTOR, found.response.DESCRIPTOR)]
    seen: set[str] = set()
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            for field in message.fields:
                assert field.name not in SECRETS or field.GetOptions().debug_redact, field.full_name
                if field.message_type is not None:
                    waiting.append(field.message_type)


UNSIGNED = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
"""What proves itself otherwise."""

PERMITTED = {
    "AssumeRole",  # the role's trust policy decides
    "ChangePassword",  # the old password decides, and the account's password policy
    "GetAccountPasswordPolicy",  # whoever chooses a password must know it
    "GetCallerIdentity",
    "GetFederationToken",
    "GetSessionToken",
}
"""What no policy is asked for before the function runs, or at all."""


def test_operations_that_anyone_may_call_are_few_and_known() -> None:
    assert {found.name for found in OPERATIONS.values() if not found.signed} <= UNSIGNED
    assert {found.name for found in OPERATIONS.values() if found.permitted_to_all} <= UNSIGNED | PERMITTED


TOY = "sekisho.toy.v1"
TEXT, OPTIONAL = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL


def text_field(number: int, name: str, **rules: Any) -> descriptor_pb2.FieldDescriptorProto:
    made = descriptor_pb2.FieldDescriptorProto(name=name, number=number, type=TEXT, label=OPTIONAL, json_name=name)
    options: Any = made.options
    options.Extensions[annotations_pb2.rules].CopyFrom(annotations.Rules(**rules))
    return made


@pytest.fixture(scope="module")
def toy() -> Iterator[types.ModuleType]:
    """What hatch_build.py would make of proto/sekisho/api/toy/v1/service.proto with two rpcs, one without `(access)`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="toy.proto", package=TOY, syntax="proto3", dependency=["sekisho/api/annotations/v1/annotations.proto"]
    )
    file.message_type.add(name="OpenShopRequest").field.append(text_field(1, "name", min=1, max=8, pattern=annotations.Rules.NAME))
    file.message_type.add(name="OpenShopResponse").field.append(text_field(1, "id"))
    service = file.service.add(name="ToyService")
    method = service.method.add(name="OpenShop", input_type=f".{TOY}.OpenShopRequest", output_type=f".{TOY}.OpenShopResponse")
    options: Any = method.options
    access = Access(level=Access.WRITE, check=[Access.Check(kind="shop", field="name")])
    options.Extensions[annotations_pb2.access].CopyFrom(access)
    service.method.add(name="CloseShop", input_type=f".{TOY}.OpenShopRequest", output_type=f".{TOY}.OpenShopResponse")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    module = types.ModuleType("sekisho.api.toy.v1.service_pb2")
    module.DESCRIPTOR = pool.FindFileByName("toy.proto")  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    registered, kinds = dict(OPERATIONS), dict(RESOURCES)
    yield module
    del sys.modules[module.__name__]
    for table, before in ((OPERATIONS, registered), (RESOURCES, kinds)):
        table.clear()
        table.update(before)  # type: ignore[arg-type]


def function(name: str) -> Any:
    """A function of the toy's package."""

    def answer(call: Call, request: Any) -> Any:
        account = Account(id=f"shop-{request.name}", name=request.name, created_at=call.now)
        call.session.add(account)
        return OPERATIONS[f"/{TOY}.ToyService/OpenShop"].response(id=account.id)

    answer.__module__, answer.__name__ = "sekisho.services.toy.shops", name
    return answer


def run(house: House, found: Operation, who: sigv4.Credentials, **fields: Any) -> Any:
    """Call an operation, signed."""
    body = found.request(**fields).SerializeToString()
    metadata = sigv4.sign_call(who, found.path, body, "sekisho", datetime.now(UTC))
    arrival = pipeline.Arrival(
        body, lambda: authenticate.over_grpc(metadata, found.path, body, "sekisho"), Peer(), f"toy-{datetime.now(UTC).isoformat()}"
    )
    return pipeline.run(house.node, found, arrival).message


def test_an_operation_is_a_proto_and_a_function(toy: types.ModuleType, tmp_path: Path) -> None:
    assert len(unanswered(("toy",))) == 2
    operation(function("open_shop"))
    found = OPERATIONS[f"/{TOY}.ToyService/OpenShop"]
    assert "shop" in unanswered(("toy",))
    resource("shop")(lambda call, request, field: Resource(f"arn:aws:toy::{call.account_id}:shop/{getattr(request, field)}"))
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        ann = house.user("ann")
        with pytest.raises(SekishoError) as caught:
            run(house, found, ann, name="tea")
        assert caught.value.message == (
            f"User: arn:aws:iam::{house.account_id}:user/ann is not authorized to perform: toy:OpenShop "
            f"on resource: arn:aws:toy::{house.account_id}:shop/tea because no identity-based policy allows the toy:OpenShop action"
        )
        with pytest.raises(SekishoError, match="1 validation error detected: Value 'a b' at 'name'"):
            run(house, found, house.root, name="a b")
        assert run(house, found, house.root, name="tea").id == "shop-tea"
        with house.node.database.read() as session:
            record = session.scalars(
                select(AuditRecord).where(AuditRecord.event_source == "toy.amazonaws.com", AuditRecord.revision > 0)
            ).one()
        assert (record.event_name, record.request, record.response) == ("OpenShop", '{"name": "tea"}', '{"id": "shop-tea"}')


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("open_shops", "no rpc of sekisho.api.toy.v1 is called open_shops"),
        ("close_shop", f"{TOY}.ToyService.CloseShop has no (access)"),
    ],
)
def test_a_function_that_answers_nothing_fails_at_import(toy: types.ModuleType, name: str, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        operation(function(name))
    assert str(caught.value) == words


def test_nothing_is_answered_or_found_twice() -> None:
    (path, found), *_ = OPERATIONS.items()
    with pytest.raises(TypeError, match="has two functions"):
        operation(found.function)
    assert OPERATIONS[path] is found
    with pytest.raises(TypeError, match="two resolvers for the resource kind `user`"):
        operations.resource("user")(RESOURCES["user"])
