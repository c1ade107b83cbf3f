"""Smithy RPC v2 with CBOR, as botocore writes and reads it; and bodies that mean nothing, or would cost much: refused."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import cbor
from sekisho.edges.aws.errors import RequestEntityTooLarge, Serialization, UnknownOperation
from sekisho.edges.aws.members import Members
from sekisho.edges.aws.services import Router
from sekisho.edges.aws.shapes import Value
from sekisho.operations import OPERATIONS
from sekisho.sigv4 import HttpRequest
from tests.wire import shapes
from tests.wire.edge import HOST, Edge, signed

PREFIX = "ResourceGroupsTaggingAPI_20170126"
MODEL = "resourcegroupstaggingapi"
SPOKEN = ("smithy-protocol", "rpc-v2-cbor")
ROUTER = Router(OPERATIONS.values())


def ask(body: bytes, operation: str = "TagResources", *, path: str = "", query: str = "", method: str = "POST") -> HttpRequest:
    headers = (HOST, SPOKEN, ("content-type", "application/cbor"))
    return HttpRequest(method, path or f"/service/{PREFIX}/operation/{operation}", query, headers, body)


def read(request: HttpRequest) -> Any:
    answered = ROUTER.of(request).answered
    assert answered is not None
    return answered[1].read(request)


def sent(gateway: Edge, operation: str, value: Any) -> tuple[int, Any]:
    reply = gateway.send(signed(ask(cbor2.dumps(value), operation), gateway.house.root, "tagging"))
    assert reply.headers["content-type"] == "application/cbor"
    assert reply.headers["smithy-protocol"] == "rpc-v2-cbor"
    return reply.status, cbor2.loads(reply.raw)


def test_botocore_speaks_it_and_older_clients_speak_json(gateway: Edge) -> None:
    account = gateway.house.account_id
    arn = f"arn:aws:orders::{account}:order/1"
    gateway.house.call("PutResource", resource_arn=arn)
    request = shapes.request(MODEL, "TagResources", {"ResourceARNList": [arn], "Tags": {"Env": "prüd"}})
    assert dict(request.headers)["smithy-protocol"] == "rpc-v2-cbor", "what botocore prefers"
    assert sent(gateway, "TagResources", {"ResourceARNList": [arn], "Tags": {"Env": "é"}}) == (200, {"FailedResourcesMap": {}})
    status, found = sent(gateway, "GetResources", {"TagFilters": [{"Key": "Env", "Values": ["é"]}]})
    mapping = {"ResourceARN": arn, "Tags": [{"Key": "Env", "Value": "é"}]}
    assert (status, found) == (200, {"PaginationToken": "", "ResourceTagMappingList": [mapping]})
    target = HttpRequest("POST", "/", "", (HOST, ("x-amz-target", f"{PREFIX}.GetTagKeys")), b"{}")
    reply = gateway.send(signed(target, gateway.house.root, "tagging"))
    assert (reply.status, reply.body) == (200, '{"PaginationToken":"","TagKeys":["Env"]}')


def test_errors_are_said_in_cbor(gateway: Edge) -> None:
    status, said = sent(gateway, "GetResources", {"PaginationToken": "x"})
    assert (status, said["__type"]) == (400, "InvalidParameterException")
    assert said["Message"] == "The PaginationToken is not one that this list has given."
    status, said = sent(gateway, "GetResources", {"Colour": "red"})
    assert (status, said["__type"]) == (400, "SerializationException")
    status, said = sent(gateway, "StartReportCreation", {"S3Bucket": "reports"})
    assert (status, said["__type"]) == (501, "NotImplemented")
    unsigned = gateway.send(ask(cbor2.dumps({}), "GetTagKeys"))
    assert (unsigned.status, cbor2.loads(unsigned.raw)["__type"]) == (400, "MissingAuthenticationTokenException")
    unknown = gateway.send(ask(b"", path="/service/Nothing/operation/Nothing"))
    assert cbor2.loads(unknown.raw)["__type"] == "UnknownOperationException"


BODIES = {
    "a_key_twice": bytes.fromhex("a2616101616102"),
    "a_bignum": bytes.fromhex("c249010000000000000000"),
    "a_pattern": bytes.fromhex("d8236161"),
    "a_reference": bytes.fromhex("d81c81d81d00"),
    "a_decimal": bytes.fromhex("c48221196ab3"),
    "a_date_as_text": b"\xc0\x74" + b"2013-03-21T20:04:00Z",
    "an_unknown_tag": bytes.fromhex("d903e700"),
    "too_deep": b"\x81" * 33 + b"\x00",
    "very_deep": b"\x81" * 100_000,
    "cut_off": b"\xa1",
    "more_behind": b"\xa0\xa0",
    "a_list_of_all_memory": b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a_text_of_all_memory": b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a_map_of_all_memory": b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
    "no_utf8": b"\x61\xff",
    "a_list": b"\x80",
    "a_text": b"\x61x",
    "a_number_as_key": bytes.fromhex("a10101"),
    "a_list_as_key": bytes.fromhex("a1810100"),
    "bytes_as_key": bytes.fromhex("a1416100"),
    "bytes_as_key_of_a_map": cbor2.dumps({"Tags": {b"a": "b"}}),
    "undefined_for_a_text": cbor2.dumps({"ResourceARNList": [cbor2.undefined]}),
    "bytes_for_a_text": cbor2.dumps({"ResourceARNList": [b"x"]}),
    "a_number_for_a_list": cbor2.dumps({"ResourceARNList": 5}),
    "a_time_of_no_clock": cbor2.dumps({"Tags": cbor2.CBORTag(1, 1e300)}),
    "unknown_member": cbor2.dumps({"Colour": "red"}),
    "json": b'{"ResourceARNList": []}',
}


@pytest.mark.parametrize("name", BODIES)
def test_body_is_refused(name: str) -> None:
    with pytest.raises(Serialization):
        read(ask(BODIES[name]))


@pytest.mark.parametrize("tag", [0, *range(2, 40), 42, 100, 256, 258, 260, 261, 999, 1004, 43000, 55799, 2**40])
def test_a_member_with_any_tag_but_that_of_times_is_refused(tag: int) -> None:
    for inner in ("a", b"\x05", 5, ["a"]):
        body = cbor2.dumps({"PaginationToken": cbor2.CBORTag(tag, inner)})
        with pytest.raises(Serialization):
            read(ask(body, "GetTagKeys"))
        with pytest.raises(Serialization):
            read(ask(cbor2.dumps({"ResourcesPerPage": cbor2.CBORTag(tag, inner)}), "GetResources"))


def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(RequestEntityTooLarge):
        read(ask(b"\x9a\x00\x02\x00\x00" + b"\x80" * (cbor.MAX_BODY + 1)))
    largest = {
        "ResourceARNList": ["a" * 1_011] * 20,
        "Tags": {f"{number:02}" + "\U0001f600" * 126: "\U0001f600" * 256 for number in range(50)},
    }
    assert len(read(ask(cbor2.dumps(largest))).tags) == 50, "the largest that the rules admit"


def test_no_body_is_an_empty_object_and_lengths_need_not_be_known() -> None:
    assert read(ask(b"", "GetTagKeys")).pagination_token == ""
    assert (
        read(ask(bytes.fromhex("bf") + cbor2.dumps("PaginationToken") + bytes.fromhex("7f61616162ffff"), "GetTagKeys")).pagination_token
        == "ab"
    )


def test_a_query_string_has_no_meaning() -> None:
    with pytest.raises(Serialization):
        read(ask(b"", "GetTagKeys", query="a=b"))


@pytest.mark.parametrize(
    "request_",
    [
        ask(b"", "Nothing"),
        ask(b"", path=f"/service/Other/operation/GetTagKeys"),  # noqa: F541  # beside the others
        ask(b"", path="/"),
        ask(b"", "GetTagKeys", method="GET"),
    ],
)
def test_unknown_operations(request_: HttpRequest) -> None:
    with pytest.raises(UnknownOperation):
        ROUTER.of(request_)


def test_without_its_header_the_path_is_nobodys() -> None:
    plain = ask(b"", "GetTagKeys")
    with pytest.raises(UnknownOperation):
        ROUTER.of(replace(plain, headers=(HOST,)))


def test_times_and_bytes_are_what_they_are() -> None:
    moment = Value("timestamp", "Moment", {})
    blob = Value("blob", "Blob", {})
    read_moment, read_blob = cbor.parser(moment), cbor.parser(blob)
    told = cbor.decoded(cbor2.dumps({"at": cbor2.CBORTag(1, 1_767_323_045.5), "data": b"\x00\xff"}))
    assert read_moment(told["at"], "at").ToDatetime(UTC) == datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    assert read_blob(told["data"], "data") == b"\x00\xff"
    for parse, value in ((read_moment, 5), (read_moment, "2026-01-02T03:04:05Z"), (read_blob, "AA==")):
        with pytest.raises(Serialization):
            parse(value, "x")
    writer = Members(parser=cbor.parser, blob=bytes, moment=cbor._moment)
    assert writer._plain(blob, None)(b"\x00") == b"\x00"  # type: ignore[arg-type]  # a scalar has no members
    assert writer._plain(moment, None)(Timestamp(seconds=5)) == cbor2.CBORTag(1, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1"])
def test_a_number_is_finite(value: object) -> None:
    with pytest.raises(Serialization):
        cbor.parser(Value("double", "Number", {}))(value, "x")
