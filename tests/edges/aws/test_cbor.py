"""CBOR: what is decoded and refused, and answers and errors as bytes. `tests/wire/test_cbor.py` asks the gateway."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import cbor, faults
from sekisho.edges.aws.errors import RequestEntityTooLarge, Serialization, UnknownOperation
from sekisho.edges.aws.shapes import Value
from sekisho.sigv4 import HttpRequest
from tests.edges.aws import toys

SHAPES = {
    "MakeInput": toys.structure({"Name": "Text", "At": "Time", "Data": "Data", "Real": "Real"}),
    "MakeOutput": toys.structure({"Names": "Texts", "At": "Iso", "Data": "Data", "Thing": "Thing"}),
    "Broken": toys.structure({"Message": "Text"}, exception=True),
}
ASKED = HttpRequest("POST", "/", "", (("smithy-protocol", "rpc-v2-cbor"),), b"")
KIND, HEADERS = b"application/cbor", ((b"smithy-protocol", b"rpc-v2-cbor"),)


def model() -> Any:
    return toys.model("json", {"Make": {"errors": [{"shape": "Broken"}]}}, SHAPES)


def codec() -> Any:
    theirs = model()
    return cbor.Protocol(theirs).codec(theirs.operation_model("Make"), toys.operation(theirs, "Make"))


def ask(value: object) -> HttpRequest:
    return replace(ASKED, body=cbor2.dumps(value))


def test_a_request_is_read() -> None:
    read = codec().read
    message = read(ask({"Name": "é", "At": cbor2.CBORTag(1, 5.25), "Data": b"\x00", "Real": 2}))
    assert (message.name, message.at, message.data, message.real) == ("é", Timestamp(seconds=5, nanos=250_000_000), b"\x00", 2.0)
    assert read(ASKED) == type(message)()


def test_an_answer_is_written() -> None:
    answered = toys.messages(model(), "MakeOutput")[0]
    answer = codec().write(answered(at=Timestamp(seconds=5, nanos=9), data=b"\x01", thing={"name": "n"}), "1")
    assert (answer.status, answer.kind, answer.headers) == (200, KIND, HEADERS)
    assert answer.body == cbor2.dumps({"Names": [], "At": cbor2.CBORTag(1, 5), "Data": b"\x01", "Thing": {"Name": "n", "Needed": []}})


REFUSED: list[tuple[Any, str]] = [
    ({"Name": 1}, "'Name' is not a value that the member can have."),
    ({"Name": b"x"}, "'Name' is not a value that the member can have."),
    ({"At": 5}, "'At' is not a value that the member can have."),
    ({"Data": "AA=="}, "'Data' is not a value that the member can have."),
    ({"Real": True}, "'Real' is not a value that the member can have."),
    ({"Real": float("inf")}, "'Real' is not a value that the member can have."),
    ([], "'the body' is an object."),
    ({"Colour": 1}, "The operation has no member 'Colour'."),
]


@pytest.mark.parametrize(("value", "said"), REFUSED)
def test_a_refusal_says_where(value: object, said: str) -> None:
    with pytest.raises(Serialization) as raised:
        codec().read(ask(value))
    assert raised.value.message == said


def test_a_query_string_has_no_meaning() -> None:
    with pytest.raises(Serialization, match=r"^The query string has no meaning here\.$"):
        codec().read(replace(ASKED, query="a=b"))


def test_errors_are_said() -> None:
    answer = cbor.Protocol(model()).fail(UnknownOperation("None."), "1")
    assert (answer.status, answer.kind, answer.headers) == (400, KIND, HEADERS)
    assert cbor2.loads(answer.body) == {"__type": "UnknownOperationException", "message": "None."}

    class Broken(UnknownOperation):
        """As the model has it."""

        @property
        def members(self) -> Mapping[str, str]:
            return {"Part": "wheel"}

    answer = cbor.failing(faults.Faults(model(), {}))(Broken("It broke."), "")
    assert cbor2.loads(answer.body) == {"__type": "Broken", "Message": "It broke.", "Part": "wheel"}


def test_a_path_and_a_header_name_it() -> None:
    assert cbor.path("Toys", "Make") == "/service/Toys/operation/Make"
    assert cbor.is_spoken(ASKED)
    assert not cbor.is_spoken(replace(ASKED, headers=()))
    assert not cbor.is_spoken(replace(ASKED, headers=(("smithy-protocol", "rpc-v2-json"),)))


NOT_PERMITTED, MORE = "The body is not CBOR of the permitted kind.", "There is more behind the value of the body."
BODIES = [
    (b"\xa1", NOT_PERMITTED),
    (bytes.fromhex("a2616101616102"), NOT_PERMITTED),
    (b"\x81" * 33 + b"\x00", NOT_PERMITTED),
    (b"\x81" * 100_000, NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, "5")), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, True)), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, False)), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, None)), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, float("nan"))), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, float("inf"))), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, 1e300)), NOT_PERMITTED),
    (cbor2.dumps(cbor2.CBORTag(1, 2**62)), NOT_PERMITTED),
    (b"\xa0\xa0", MORE),
    (b"\xa0\x00", MORE),
]


@pytest.mark.parametrize(("body", "said"), BODIES)
def test_a_body_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Serialization) as raised:
        cbor.decoded(body)
    assert raised.value.message == said


@pytest.mark.parametrize("tag", [0, *range(2, 45), 64, 100, 256, 258, 260, 261, 999, 1004, 43000, 55799, 2**40])
@pytest.mark.parametrize("inner", ["1", b"\x05", 5, [1, 2], "2013-03-21T20:04:00Z", "192.0.2.1", [-2, 3]])
def test_a_tag_is_refused(tag: int, inner: object) -> None:
    with pytest.raises(Serialization, match="permitted kind"):
        cbor.decoded(cbor2.dumps([cbor2.CBORTag(tag, inner)]))


def test_a_body_is_decoded() -> None:
    assert cbor.decoded(b"") == {}
    assert cbor.decoded(cbor2.dumps({"a": [1, -1, 1.5, None, True, b"\x00", "é"]})) == {"a": [1, -1, 1.5, None, True, b"\x00", "é"]}
    assert cbor.decoded(cbor2.dumps([cbor2.CBORTag(1, 5), cbor2.CBORTag(1, 0.5)])) == [Timestamp(seconds=5), Timestamp(nanos=500_000_000)]
    deepest = cbor.decoded(b"\x81" * 32 + b"\x00")
    assert len(str(deepest)) == 65


def test_a_body_has_a_limit() -> None:
    largest = b"\x5a" + (cbor.MAX_BODY - 5).to_bytes(4, "big") + b"x" * (cbor.MAX_BODY - 5)
    assert len(cbor.decoded(largest)) == cbor.MAX_BODY - 5
    with pytest.raises(RequestEntityTooLarge, match=r"^A request in CBOR has at most 131072 bytes\.$"):
        cbor.decoded(largest + b"x")


def test_scalars_are_what_they_are() -> None:
    read = cbor.parser(Value("timestamp", "Time", {}))
    assert read(Timestamp(seconds=1), "x") == Timestamp(seconds=1)
    assert cbor.parser(Value("blob", "Data", {}))(b"x", "x") == b"x"
    assert cbor.parser(Value("string", "Text", {}))("x", "x") == "x"
    assert cbor.parser(Value("float", "Short", {}))(1, "x") == 1
