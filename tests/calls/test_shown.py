"""The members of requests and responses are spelled as CloudTrail spells them: as in botocore's models, with a small first letter."""

from collections.abc import Iterator
from typing import Any

from botocore import xform_name
from botocore.model import Shape
from botocore.session import get_session

from sekisho.api.authorize.v1 import changes_pb2
from sekisho.api.iam.v1 import users_pb2 as iam
from sekisho.calls import shown
from sekisho.operations import OPERATIONS
from tests import harness  # noqa: F401  # fills the registry


def members(shape: Shape | None, message: Any, known: set[str]) -> Iterator[tuple[str, str]]:
    """Our spelling and botocore's of each member, at any depth."""
    if shape is None or message.full_name in known:
        return
    known.add(message.full_name)
    plan = shown._plan(message)
    for member, inner in shape.members.items():
        field = message.fields_by_name[xform_name(member)]
        yield plan[field.number][0], member[0].lower() + member[1:]
        while inner.type_name == "list":
            inner = inner.member
        if inner.type_name == "structure" and field.message_type.file.package.startswith("sekisho"):
            yield from members(inner, field.message_type, known)


def test_every_member_is_spelled_as_cloudtrail_spells_it() -> None:
    session, known = get_session(), set[str]()
    pairs: list[tuple[str, str]] = []
    for (_, name), operation in OPERATIONS.items():
        if operation.service.model:
            model = session.get_service_model(operation.service.model).operation_model(name)
            pairs += members(model.input_shape, operation.request.DESCRIPTOR, known)
            pairs += members(model.output_shape, operation.response.DESCRIPTOR, known)
    assert len(pairs) > 1000
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_times_numbers_and_what_is_not_set() -> None:
    message = iam.ListUsersRequest(max_items=7, path_prefix="")
    assert shown.plain(message) == {"maxItems": 7, "pathPrefix": ""}
    user = iam.User(user_name="ann", create_date={"seconds": 1_700_000_000}, tags=[{"key": "a", "value": "b"}])
    assert shown.plain(user) == {"userName": "ann", "createDate": "2023-11-14T22:13:20Z", "tags": [{"key": "a", "value": "b"}]}


def test_bytes_are_shown_as_base64() -> None:
    assert shown.plain(changes_pb2.GetSnapshotRequest(nonce=b"\x00\xffabc")) == {"nonce": "AP9hYmM="}


def test_no_message_and_an_empty_one_and_one_that_is_too_large() -> None:
    assert shown.text(None) == shown.text(iam.GetUserRequest()) == "{}"
    assert shown.text(iam.GetUserRequest(user_name="x" * 102_400)) == '{"omitted": "over 100 KB"}'
