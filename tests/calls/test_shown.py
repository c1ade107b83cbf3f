"""The members of requests and responses are spelled as CloudTrail spells them: as in botocore's models, with a small first letter."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import Shape
from botocore.session import get_session
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from sekisho.api.authorize.v1 import changes_pb2
from sekisho.api.iam.v1 import users_pb2 as iam
from sekisho.calls import shown
from sekisho.operations import OPERATIONS
from tests.harness import BY_NAME


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Have each test read the descriptors itself."""
    shown._plan.cache_clear()


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


def test_each_kind_of_field_is_shown_as_json_has_it() -> None:
    """One value, a list and a map of each: messages of ours, of protobuf's own, texts, numbers, names of values."""
    answer: Any = BY_NAME["Authorize"].response(outcome=1)
    (value,) = [value.name for value in answer.DESCRIPTOR.fields_by_name["outcome"].enum_type.values if value.number == 1]
    assert shown.plain(answer) == {"outcome": value}
    answer.outcome = 99  # of a later release
    assert shown.plain(answer) == {"outcome": 99}
    assert shown.plain(iam.GetUserResponse(user={"user_name": "ann"})) == {"user": {"userName": "ann"}}
    assert shown.plain(iam.ListUsersResponse(users=[{"user_name": "a"}, {"path": "/"}])) == {"users": [{"userName": "a"}, {"path": "/"}]}
    assert shown.plain(BY_NAME["UntagUser"].request(tag_keys=["a", "b"])) == {"tagKeys": ["a", "b"]}
    tags = BY_NAME["tagging:TagResources"]
    assert shown.plain(tags.request(tags={"a": "b", "C": "d"})) == {"tags": {"a": "b", "C": "d"}}
    failed = tags.response(failed_resources_map={"arn:x": {"status_code": 400}})
    assert shown.plain(failed) == {"failedResourcesMap": {"arn:x": {"statusCode": 400}}}
    assert shown.plain(BY_NAME["GetAccountSummary"].response(summary_map={"Users": 7})) == {"summaryMap": {"Users": 7}}
    of_field: Any = FieldDescriptorProto
    of_message: Any = DescriptorProto
    field = of_field(name="a", label=1, type=9, options={"deprecated": True})
    assert shown.plain(field) == {"name": "a", "label": "LABEL_OPTIONAL", "type": "TYPE_STRING", "options": {"deprecated": True}}
    assert shown.plain(of_message(field=[{"name": "a"}])) == {"field": [{"name": "a"}]}


def test_a_text_is_the_json_of_a_message() -> None:
    assert shown.text(iam.ListUsersRequest(path_prefix="/é/", max_items=7)) == '{"pathPrefix": "/\\u00e9/", "maxItems": 7}'


@pytest.mark.parametrize(("size", "fits"), [(102_400, True), (102_401, False)])
def test_the_largest_message_that_is_shown(size: int, fits: bool) -> None:
    message = iam.GetUserRequest(user_name="x" * (size - 4))
    assert message.ByteSize() == size
    assert shown.text(message) == ('{"userName": "' + "x" * (size - 4) + '"}' if fits else '{"omitted": "over 100 KB"}')


def test_a_field_is_spelled_by_its_message_where_services_differ() -> None:
    response = BY_NAME["GetResources"].response(resource_tag_mapping_list=[{"resource_arn": "a"}])
    assert shown.plain(response) == {"resourceTagMappingList": [{"resourceARN": "a"}]}
