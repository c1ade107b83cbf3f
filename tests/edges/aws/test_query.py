"""The Query protocol: requests, answers and errors as they stand."""

from typing import Any

import pytest

from sekisho.edges.aws import faults, query
from sekisho.edges.aws.errors import MalformedInput, Serialization
from sekisho.edges.aws.wire import Answer
from sekisho.errors import ServiceFailure, Throttling
from sekisho.sigv4 import HttpRequest
from tests.edges.aws import toys

NAMESPACE = "https://toys.example/"
SHAPES = {
    "MakeInput": toys.structure({"Name": "Text", "Parts": "Things"}),
    "MakeOutput": toys.structure({"Name": "Text", "Names": "Texts"}),
    "TakeInput": toys.structure({"Name": "Text"}),
    "NameInput": toys.structure({}),
    "NameOutput": toys.structure({"Name": "Text"}),
}
OPERATIONS: dict[str, Any] = {"Make": {"output": {"shape": "MakeOutput", "resultWrapper": "MadeResult"}}, "Take": {}, "Name": {}}


def codec(name: str, **metadata: Any) -> tuple[Any, Any]:
    theirs = toys.model("query", OPERATIONS, SHAPES, **metadata)
    made = toys.operation(theirs, name)
    return query.Protocol(theirs).codec(theirs.operation_model(name), made), made.response


def test_a_request_is_read() -> None:
    read = codec("Make")[0].read
    asked = HttpRequest("POST", "/", "", (), b"Action=Make&Version=1&Name=a%20b&Parts.member.1.Size=3")
    assert (read(asked).name, read(asked).parts[0].size) == ("a b", 3)
    assert read(HttpRequest("GET", "/", "Name=x", (), b"")).name == "x"
    with pytest.raises(MalformedInput, match=r"^The operation has no parameter 'Action~'\.$"):
        read(HttpRequest("GET", "/", "Action~=x", (), b""))
    with pytest.raises(MalformedInput, match=r"^'x' at 'Parts\.1\.Size' is not"):
        read(HttpRequest("GET", "/", "Parts.member.1.Size=x", (), b""))


TAIL = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"


@pytest.mark.parametrize(
    ("name", "fields", "inner"),
    [
        ("Make", {"name": "<"}, "<MadeResult><Name>&lt;</Name><Names/></MadeResult>"),
        ("Name", {"name": "é"}, "<NameResult><Name>é</Name></NameResult>"),
        ("Take", {}, ""),
    ],
)
def test_an_answer_is_written(name: str, fields: dict[str, Any], inner: str) -> None:
    made, response = codec(name, xmlNamespace=NAMESPACE)
    text = f'<{name}Response xmlns="{NAMESPACE}">{inner}{TAIL}</{name}Response>'
    assert made.write(response(**fields), "r-1") == Answer(200, b"text/xml", text.encode())


def test_without_a_namespace() -> None:
    made, response = codec("Take")
    assert made.write(response(), "r-1").body.startswith(b'<TakeResponse xmlns="">')


def test_errors_are_said() -> None:
    fail = query.Protocol(toys.model("query", OPERATIONS, SHAPES, xmlNamespace=NAMESPACE)).fail
    body = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>MalformedInput</Code><Message>a &lt; b</Message></Error>'
        "<RequestId>r-1</RequestId></ErrorResponse>"
    )
    assert fail(Serialization("a < b"), "r-1") == Answer(400, b"text/xml", body.encode())
    nobody = query.failing(faults.Faults(None, faults.QUERY), "")
    body = (
        "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>m</Message></Error>"
        "<RequestId>r</RequestId></ErrorResponse>"
    )
    assert nobody(ServiceFailure("m"), "r") == Answer(500, b"text/xml", body.encode())
    assert b"<Type>Sender</Type>" in nobody(Throttling("m"), "r").body
