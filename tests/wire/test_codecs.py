"""Every operation in its protocol: what botocore writes is read, what is written botocore reads, member by member."""

from typing import Any
from urllib.parse import quote

import botocore
import pytest

from sekisho import operations as registry
from sekisho.edges.aws import rest_json
from sekisho.edges.aws.services import Router
from sekisho.edges.aws.shapes import Value
from sekisho.edges.aws.wire import Codec, Route
from sekisho.operations import OPERATIONS, Operation
from tests.wire import presence, shapes
from tests.wire.operations import operations

registry.load()

ELSEWHERE = {
    "organizations": ("CreateAccount", "ListRoots", "DescribeOrganization", "ListPolicies", "TagResource", "AcceptHandshake"),
    "sso-admin": ("CreatePermissionSet", "ListAccountAssignments", "DescribePermissionSet", "PutInlinePolicyToPermissionSet"),
    "cloudtrail": ("LookupEvents", "CreateTrail", "GetTrailStatus", "PutEventSelectors"),
    "lambda": ("Invoke", "GetFunction", "AddPermission", "ListFunctions"),
}
"""Services of the JSON protocols, and of them operations with every place that a member can have."""

FOREIGN = [operation for service, names in ELSEWHERE.items() for operation in operations(service, names)]
ROUTER = Router([*OPERATIONS.values(), *FOREIGN])
ROUTES = {f"{route.service.package}:{route.name}": route for route in ROUTER.routes() if route.answered is not None}


def _service(route: Route) -> str:
    return route.service.model


def _codec(route: Route) -> tuple[Operation, Codec]:
    assert route.answered is not None
    return route.answered


def _input(route: Route) -> Any:
    shape = shapes.model(_service(route)).operation_model(route.name).input_shape
    value = shapes.sample(shape) if shape is not None else {}
    return _known(value, _codec(route)[0].request.DESCRIPTOR)


def _known(value: Any, message: Any) -> Any:
    """Without the members that our proto has not; test_parity tells which those may be."""
    kept = {}
    for member, inner in value.items():
        field = message.fields_by_name.get(botocore.xform_name(member))
        if field is None:
            continue
        if field.message_type is not None and field.message_type.full_name != "google.protobuf.Timestamp":
            entry = field.message_type.GetOptions().map_entry
            if isinstance(inner, list):
                inner = [_known(item, field.message_type) for item in inner]
            elif not entry:
                inner = _known(inner, field.message_type)
        kept[member] = inner
    return kept


@pytest.mark.parametrize("name", ROUTES)
def test_request_of_botocore_is_read_and_routed(name: str) -> None:
    route = ROUTES[name]
    operation, codec = _codec(route)
    value = _input(route)
    for label in ("name", "arn", "analyzerName", "resourceArn", "FunctionName"):
        if label in value:
            value[label] = "a b/é"
    request = shapes.request(_service(route), route.name, value)
    headers = (
        *request.headers,
        ("Authorization", f"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{route.service.signing_name}/aws4_request"),
    )
    request = type(request)(request.method, request.path, request.query, headers, request.body)
    assert ROUTER.of(request) is route
    assert codec.read(request) == shapes.fill(operation.request(), value)


@pytest.mark.parametrize("name", ROUTES)
def test_answer_is_read_by_botocore(name: str) -> None:
    route = ROUTES[name]
    operation, codec = _codec(route)
    shape = shapes.model(_service(route)).operation_model(route.name).output_shape
    value = _known(shapes.sample(shape), operation.response.DESCRIPTOR) if shape is not None else {}
    _places(value, shape)
    answer = codec.write(shapes.fill(operation.response(), value), "request-1")
    value = presence.without_never(_service(route), route.name, value)
    parsed = shapes.response(_service(route), route.name, answer)
    metadata = parsed.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == value.get("StatusCode", 200)
    assert parsed == _parsed(value, shape)


def _places(value: Any, shape: Any) -> None:
    """Give members outside the body what can stand there."""
    for member, inner in shape.members.items() if shape is not None else ():
        if inner.serialization.get("location") == "header":
            value[member] = "plain"
        elif inner.serialization.get("location") == "statusCode":
            value[member] = 202
        elif member == shape.serialization.get("payload") and inner.type_name == "blob":
            value[member] = b"plain"


def _parsed(value: Any, shape: Any) -> Any:
    """What botocore's parser makes of it, before the handlers that boto3 adds: IAM's documents stay encoded, a blob body is a text."""
    if shape is None:
        return value
    if shape.name == "policyDocumentType":
        return quote(value, safe="")
    if isinstance(value, dict) and shape.type_name == "structure":
        made = {member: _parsed(inner, shape.members[member]) for member, inner in value.items()}
        payload = made.get(shape.serialization.get("payload"))
        return made | {shape.serialization["payload"]: payload.decode()} if isinstance(payload, bytes) else made
    return [_parsed(item, shape.member) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.service.package in ("iam", "sts")])
def test_empty_answer_has_its_lists(name: str) -> None:
    route = ROUTES[name]
    operation, codec = _codec(route)
    shape = shapes.model(_service(route)).operation_model(route.name).output_shape
    parsed = shapes.response(_service(route), route.name, codec.write(operation.response(), "request-1"))
    members = shape.members if shape is not None else {}
    absent = presence.members(_service(route), route.name, "absent")
    lists: dict[str, object] = {member: [] for member, inner in members.items() if inner.type_name == "list" and member not in absent}
    maps: dict[str, object] = {member: {} for member, inner in members.items() if inner.type_name == "map" and member not in absent}
    assert parsed == {**lists, **maps, "ResponseMetadata": parsed["ResponseMetadata"]}
    assert parsed["ResponseMetadata"]["RequestId"] == "request-1"


def test_time_in_a_header_is_a_date_of_http() -> None:
    """No operation of today's services has one."""
    read = rest_json._text_parser(Value("timestamp", "Date", {"location": "header"}))
    assert read("Sun, 06 Nov 1994 08:49:37 GMT").seconds == 784_111_777
    iso = rest_json._text_parser(Value("timestamp", "Date", {"location": "header", "timestampFormat": "iso8601"}))
    assert iso("1994-11-06T08:49:37Z").seconds == 784_111_777
