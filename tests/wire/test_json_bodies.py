"""Bodies of the JSON protocols that mean nothing, or two things: refused, in the service's own words."""

import json

import pytest

from sekisho.edges.aws.errors import NotImplemented as Missing
from sekisho.edges.aws.errors import Serialization, UnknownOperation
from sekisho.edges.aws.services import Router, signing_name
from sekisho.sigv4 import HttpRequest
from tests.wire.operations import operations

ROUTER = Router(operations("organizations", ["TagResource"]) + operations("accessanalyzer", ["UntagResource"]))
TARGET = "AWSOrganizationsV20161128.TagResource"
SCOPE = ("authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/access-analyzer/aws4_request, SignedHeaders=host, Signature=x")

BODIES = {
    "no_json": b"{",
    "a_list": b"[]",
    "a_text": b'"x"',
    "not_utf8": b'{"ResourceId": "\xff"}',
    "a_key_twice": b'{"ResourceId": "a", "ResourceId": "b"}',
    "unknown_member": b'{"Color": "red"}',
    "unknown_member_inside": b'{"ResourceId": "r", "Tags": [{"Color": "red"}]}',
    "a_number_for_a_text": b'{"ResourceId": 5}',
    "a_text_for_a_list": b'{"Tags": "red"}',
    "a_text_for_a_structure": b'{"Tags": ["red"]}',
    "nothing_in_a_list": b'{"Tags": [null]}',
    "not_a_number": b'{"ResourceId": NaN}',
    "too_deep": b'{"Tags": ' + b"[" * 40 + b"]" * 40 + b"}",
    "very_deep": b"[" * 100_000,
}


def ask(body: bytes, target: str = TARGET, query: str = "") -> HttpRequest:
    return HttpRequest("POST", "/", query, (("host", "x"), ("x-amz-target", target)), body)


def read(request: HttpRequest) -> object:
    answered = ROUTER.of(request).answered
    assert answered is not None
    return answered[1].read(request)


@pytest.mark.parametrize("name", BODIES)
def test_body_is_refused(name: str) -> None:
    with pytest.raises(Serialization):
        read(ask(BODIES[name]))


def test_brackets_in_a_text_are_no_levels() -> None:
    body = json.dumps({"ResourceId": "[" * 100 + '"\\"' + "{" * 100, "Tags": [{"Key": "k", "Value": "]" * 50}]})
    made = read(ask(body.encode()))
    assert made.tags[0].value == "]" * 50  # type: ignore[attr-defined]  # a message of the test's own


def test_a_query_string_has_no_meaning() -> None:
    with pytest.raises(Serialization):
        read(ask(b"{}", query="ResourceId=r"))


@pytest.mark.parametrize("target", ["AWSOrganizationsV20161128.Nothing", "Nowhere.TagResource", "TagResource", ""])
def test_unknown_target(target: str) -> None:
    with pytest.raises(UnknownOperation):
        ROUTER.of(ask(b"{}", target))


def test_operation_without_a_function_has_no_codec() -> None:
    assert ROUTER.of(ask(b"{}", "AWSOrganizationsV20161128.ListRoots")).answered is None
    assert Missing("x").http == 501


def test_a_path_is_a_route_only_in_the_scope_of_its_service() -> None:
    request = HttpRequest("DELETE", "/tags/arn%3Ax", "tagKeys=a&tagKeys=b", (("host", "x"), SCOPE))
    assert signing_name(request) == "access-analyzer"
    assert ROUTER.of(request).name == "UntagResource"
    made = read(request)
    assert (made.resource_arn, list(made.tag_keys)) == ("arn:x", ["a", "b"])  # type: ignore[attr-defined]  # a message of the test's own
    for other in (HttpRequest("DELETE", "/tags/x", "", (("host", "x"),)), HttpRequest("PATCH", "/tags/x", "", (("host", "x"), SCOPE))):
        with pytest.raises(UnknownOperation):
            ROUTER.of(other)


def test_unknown_parameters_of_a_path_are_refused() -> None:
    with pytest.raises(Serialization):
        read(HttpRequest("DELETE", "/tags/x", "tagKeys=a&color=red", (("host", "x"), SCOPE)))
