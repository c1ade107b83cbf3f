"""The REST protocol: paths, and every place in which a member can stand."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import rest_json
from sekisho.edges.aws.errors import Serialization
from sekisho.edges.aws.rest_json import template
from sekisho.edges.aws.wire import Answer
from sekisho.sigv4 import HttpRequest
from tests.edges.aws import toys


def at(location: str, shape: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"shape": shape, "location": location, **({"locationName": name} if name else {}), **more}


SHAPES = {
    "MakeInput": toys.structure({
        "Id": at("uri", "Text", "id"), "Rest": at("uri", "Text", "rest"), "Size": at("querystring", "Whole", "size"),
        "Kinds": at("querystring", "Texts", "kind"), "Since": at("querystring", "Time", "since"), "Token": at("header", "Text", "X-Token"),
        "When": at("header", "Time", "If-When"), "Extra": at("headers", "Map", "X-Extra-"), "Name": "Text", "Thing": "Thing",
    }),
    "MakeOutput": toys.structure({
        "Token": at("header", "Text", "X-Token"), "When": at("header", "Time", "Made-At"), "Extra": at("headers", "Map", "X-Extra-"),
        "Status": at("statusCode", "Whole"), "Name": "Text", "Names": "Texts",
    }),
    "ThingInput": toys.structure({"Id": at("uri", "Text", "id"), "Thing": "Thing"}, payload="Thing"),
    "ThingOutput": toys.structure({"Status": at("statusCode", "Whole"), "Thing": "Thing"}, payload="Thing"),
    "DataInput": toys.structure({"Id": at("uri", "Text", "id"), "Data": "Data"}, payload="Data"),
    "DataOutput": toys.structure({"Data": "Data"}, payload="Data"),
    "WordInput": toys.structure({"Id": at("uri", "Text", "id"), "Word": "Text"}, payload="Word"),
    "WordOutput": toys.structure({"Word": "Text"}, payload="Word"),
}  # fmt: skip
OPERATIONS = {
    name: {"http": {"method": "PUT", "requestUri": uri}}
    for name, uri in (("Make", "/make/{id}/in/{rest+}?fixed&mode=1"), ("Thing", "/things/{id}"), ("Data", "/d/{id}"), ("Word", "/w/{id}"))
}


def codec(name: str) -> tuple[Any, Any]:
    theirs = toys.model("rest-json", OPERATIONS, SHAPES)
    made = toys.operation(theirs, name)
    return rest_json.Protocol(theirs).codec(theirs.operation_model(name), made), made


def ask(query: str = "fixed&mode=1", body: bytes = b"", headers: dict[str, str] | None = None, path: str = "/make/a/in/b") -> HttpRequest:
    return HttpRequest("PUT", path, query, tuple((headers or {}).items()), body)


def test_members_in_every_place_are_read() -> None:
    made, operation = codec("Make")
    headers = {"x-token": "t", "if-when": "Sun, 06 Nov 1994 08:49:37 GMT", "X-Extra-One": "1", "x-extra-": "2", "other": "3"}
    asked = ask(
        "mode=1&size=5&kind=a%20b&fixed&kind=c+d&since=1970-01-01T00:00:09Z",
        b'{"Name":"n","Thing":{"Size":1}}',
        headers,
        "/make/a%2Fb/in/c/d%C3%A9",
    )
    assert made.read(asked) == operation.request(
        id="a/b", rest="c/dé", size=5, kinds=["a b", "c d"], since=Timestamp(seconds=9), token="t",
        when=Timestamp(seconds=784_111_777), extra={"one": "1", "": "2"}, name="n", thing={"size": 1},
    )  # fmt: skip
    assert made.read(ask()) == operation.request(id="a", rest="b")


def test_a_proof_in_the_query_string_is_no_parameter() -> None:
    made, operation = codec("Make")
    assert made.read(ask("fixed&mode=1&X-Amz-Signature=s&X-Amz-Date=d")) == operation.request(id="a", rest="b")
    for query, name in (("X-Amz-Date=d", "X-Amz-Date"), ("X-Amz-Signature=s&X-Amz-Other=1", "X-Amz-Other")):
        with pytest.raises(Serialization) as raised:
            made.read(ask(query))
        assert raised.value.message == f"The operation has no parameter '{name}'."


NO_VALUE = "is not a value that the parameter can have."
REFUSED = [
    (ask("size=x"), f"'size' {NO_VALUE}"),
    (ask("size=2147483648"), f"'size' {NO_VALUE}"),
    (ask("size=1&size=2"), f"'size' {NO_VALUE}"),
    (ask("since=now"), f"'since' {NO_VALUE}"),
    (ask(headers={"if-when": "now"}), f"'If-When' {NO_VALUE}"),
    (ask("colour=red"), "The operation has no parameter 'colour'."),
    (ask("mode=2"), "The operation has no parameter 'mode'."),
    (ask("x" * 65), f"The operation has no parameter '{'x' * 64}'."),
    (ask("kind=%FF"), "The request is not UTF-8."),
    (ask(path="/make/%FF/in/b"), "The request is not UTF-8."),
    (ask(body=b'{"Id":"x"}'), "The operation has no member 'Id'."),
    (ask(body=b"[]"), "'the body' is an object."),
    (ask(body=b'{"Name":1}'), "'Name' is not a value that the member can have."),
]


@pytest.mark.parametrize(("request_", "said"), REFUSED)
def test_a_request_is_refused(request_: HttpRequest, said: str) -> None:
    with pytest.raises(Serialization) as raised:
        codec("Make")[0].read(request_)
    assert raised.value.message == said


def test_a_body_that_is_one_member() -> None:
    for name, body, fields in (
        ("Thing", b'{"Name":"n"}', {"thing": {"name": "n"}}),
        ("Data", b"\x00\xff", {"data": b"\x00\xff"}),
        ("Word", "é".encode(), {"word": "é"}),
    ):
        made, operation = codec(name)
        path = {"Thing": "/things/1", "Data": "/d/1", "Word": "/w/1"}[name]
        assert made.read(ask("", body, path=path)) == operation.request(id="1", **fields)
        assert made.read(ask("", path=path)) == operation.request(id="1")
    with pytest.raises(Serialization, match=r"^The request is not UTF-8\.$"):
        codec("Word")[0].read(ask("", b"\xff", path="/w/1"))
    with pytest.raises(Serialization, match=r"^'Size' is not a value"):
        codec("Thing")[0].read(ask("", b'{"Size":"x"}', path="/things/1"))


KIND = b"application/json"
WRITTEN: list[tuple[str, dict[str, Any], Answer]] = [
    ("Make", {}, Answer(200, KIND, b'{"Names":[]}')),
    ("Make", {"status": 202, "name": "n"}, Answer(202, KIND, b'{"Name":"n","Names":[]}')),
    (
        "Make",
        {"token": "t", "when": Timestamp(seconds=784_111_777), "extra": {"B": "2", "a": "1"}},
        Answer(200, KIND, b'{"Names":[]}', (
            (b"x-token", b"t"), (b"made-at", b"Sun, 06 Nov 1994 08:49:37 GMT"), (b"x-extra-b", b"2"), (b"x-extra-a", b"1"),
        )),
    ),
    ("Thing", {"thing": {"name": "n"}, "status": 201}, Answer(201, KIND, b'{"Name":"n","Needed":[]}')),
    ("Data", {"data": b"\x00"}, Answer(200, KIND, b"\x00")),
    ("Word", {"word": "é"}, Answer(200, KIND, "é".encode())),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "answer"), WRITTEN)
def test_an_answer_is_written(name: str, fields: dict[str, Any], answer: Answer) -> None:
    made, operation = codec(name)
    assert made.write(operation.response(**fields), "r-1") == answer


def test_errors_are_json() -> None:
    answer = rest_json.Protocol(toys.model("rest-json", OPERATIONS, SHAPES)).fail(Serialization("x"), "r")
    assert (answer.status, answer.kind) == (400, KIND)


MATCHES: list[tuple[str, str, str, dict[str, str] | None]] = [
    ("/a", "/a", "", {}),
    ("/a", "/a/", "", None),
    ("/a.b", "/axb", "", None),
    ("/a/{x}", "/a/b", "", {"x": "b"}),
    ("/a/{x}", "/a/b/c", "", None),
    ("/a/{x}", "/a/", "", None),
    ("/a/{x+}", "/a/b/c", "", {"x": "b/c"}),
    ("/a/{x}/b/{y-z}", "/a/1/b/2", "", {"x": "1", "y-z": "2"}),
    ("/a/{x}/b.c", "/a/1/b.c", "", {"x": "1"}),
    ("/a/{x}/b.c", "/a/1/bxc", "", None),
    ("/a?q", "/a", "q", {}),
    ("/a?q", "/a", "", None),
    ("/a?q=1&r", "/a", "r&x=2&q=1", {}),
    ("/a?q=1&r", "/a", "q=1", None),
    ("/a?q=1", "/a", "q=11", None),
]


@pytest.mark.parametrize(("uri", "path", "query", "labels"), MATCHES)
def test_a_template_matches(uri: str, path: str, query: str, labels: dict[str, str] | None) -> None:
    asked = HttpRequest("GET", path, query, (), b"")
    assert template("GET", uri).match(asked) == labels
    assert template("PUT", uri).match(asked) is None
    assert template("GET", uri).match(replace(asked, method="HEAD")) is None


def test_the_particular_comes_first() -> None:
    order = [
        "/things/{id}/parts/{part}",
        "/things/all",
        "/things?two&fixed",
        "/things/{thingId}",
        "/things/{a}{b}",
        "/things",
        "/{anythingAtAll+}",
    ]
    found = sorted(sorted(order), key=lambda uri: template("GET", uri).weight)
    assert found == order


def test_a_map_in_the_query_string_is_nothing_that_is_read() -> None:
    structure, _ = toys.paired({"Map": at("querystring", "Map")})
    with pytest.raises(TypeError, match=r"^Map is a map in the query string, which nothing here reads$"):
        rest_json.text_reader(structure.members["Map"])
