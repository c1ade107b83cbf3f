"""The registry: every rpc has its function, every kind its resolver, each once; a proto that says too little fails at import."""

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from sekisho import operations
from sekisho.api.annotations.v1 import annotations_pb2
from sekisho.operations import OPERATIONS, RESOURCES, operation
from sekisho.operations.annotations import Access, Identity

operations.load()


def test_every_rpc_has_its_function_and_every_kind_its_resolver() -> None:
    assert set(operations.load()) >= {"authorize", "iam", "sts"}
    assert len(OPERATIONS) > 70
    for (package, name), found in OPERATIONS.items():
        assert found.path == f"/sekisho.api.{package}.v1.{package.capitalize()}Service/{name}"
        assert found.function.__module__.startswith(f"sekisho.services.{package}."), found.path


def test_a_service_says_once_what_it_is_called() -> None:
    found = OPERATIONS["sts", "AssumeRole"].service
    assert (found.model, found.prefix, found.signing_name, found.event_source, found.protocol) == (
        "sts",
        "sts",
        "sts",
        "sts.amazonaws.com",
        Identity.QUERY,
    )
    assert (OPERATIONS["authorize", "Authorize"].service.protocol, OPERATIONS["iam", "GetUser"].action) == (0, "iam:GetUser")


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
    "AssumeRoot",  # the caller's policies decide, and what the organization has enabled
    "BeginPasskeyAssertion",  # a challenge for a passkey of one's own, which AssumeRole and GetSessionToken take
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


@pytest.fixture(scope="module")
def package() -> Iterator[str]:
    """A package whose proto says too little, in each of its rpcs something else."""
    file = descriptor_pb2.FileDescriptorProto(
        name="poor.proto", package="sekisho.api.poor.v1", syntax="proto3", dependency=["sekisho/api/annotations/v1/annotations.proto"]
    )
    file.message_type.add(name="Request")
    file.message_type.add(name="Response")
    service = file.service.add(name="PoorService")
    for name, level, streams in (("Silent", None, False), ("ReadForEver", Access.READ, True)):
        method = service.method.add(
            name=name, input_type=".sekisho.api.poor.v1.Request", output_type=".sekisho.api.poor.v1.Response", server_streaming=streams
        )
        if level is not None:
            options: Any = method.options
            options.Extensions[annotations_pb2.access].CopyFrom(Access(level=level))
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    module = types.ModuleType("sekisho.api.poor.v1.service_pb2")
    module.DESCRIPTOR = pool.FindFileByName("poor.proto")  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield "poor"
    del sys.modules[module.__name__]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("silent_one", "no rpc of sekisho.api.poor.v1 is called silent_one"),
        ("silent", "sekisho.api.poor.v1.PoorService.Silent has no (access)"),
        ("read_for_ever", "sekisho.api.poor.v1.PoorService.ReadForEver streams; only a server may, and only at level DECIDE"),
    ],
)
def test_a_function_that_answers_nothing_fails_at_import(package: str, name: str, words: str) -> None:
    def answer(call: Any, request: Any) -> Any:
        return None

    answer.__module__, answer.__name__ = f"sekisho.services.{package}.things", name
    with pytest.raises(TypeError) as caught:
        operation(answer)
    assert str(caught.value) == words


def test_a_service_without_a_name_fails(package: str) -> None:
    with pytest.raises(TypeError, match=r"PoorService has no \(identity\)"):
        operations.service(package)


def test_nothing_is_answered_or_found_twice() -> None:
    (key, found), *_ = OPERATIONS.items()
    with pytest.raises(TypeError, match="has two functions"):
        operation(found.function)
    assert OPERATIONS[key] is found
    with pytest.raises(TypeError, match="two resolvers of iam for the resource kind `user`"):
        operations.resource("user")(RESOURCES["iam", "user"])


def test_an_rpc_without_a_function_and_a_kind_without_a_resolver_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPERATIONS, ("sts", "AssumeRole"))
    monkeypatch.delitem(RESOURCES, ("iam", "user"))
    assert operations.unanswered(("sts",)) == ["sekisho.api.sts.v1.StsService.AssumeRole", "iam:user"]
    with pytest.raises(TypeError, match=r"without a function or resolver: sekisho\.api\.sts\.v1\.StsService\.AssumeRole, iam:user"):
        operations.load()
