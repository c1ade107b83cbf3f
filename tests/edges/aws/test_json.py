"""The JSON protocols: bodies, answers and errors, as bytes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sekisho.edges.aws import faults, json
from sekisho.edges.aws.errors import Serialization, UnknownOperation
from sekisho.edges.aws.wire import Answer
from sekisho.sigv4 import HttpRequest
from tests.edges.aws import toys

SHAPES = {
    "MakeInput": toys.structure({"Name": "Text", "Parts": "Things"}),
    "MakeOutput": toys.structure({"Name": "Text", "Names": "Texts"}),
    "Broken": toys.structure({"Message": "Text"}, exception=True),
}
ASKED = HttpRequest("POST", "/", "", (), b"")


def protocol(**metadata: Any) -> tuple[json.Protocol, Any]:
    theirs = toys.model("json", {"Make": {"errors": [{"shape": "Broken"}]}}, SHAPES, **metadata)
    made = json.Protocol(theirs)
    return made, made.codec(theirs.operation_model("Make"), toys.operation(theirs, "Make"))


def test_a_body_is_read_and_an_answer_written() -> None:
    _, codec = protocol(jsonVersion="1.1")
    message = codec.read(replace(ASKED, body=b'{"Name":"\xc3\xa9","Parts":[{"Size":1}]}'))
    assert (message.name, message.parts[0].size) == ("é", 1)
    assert codec.read(ASKED) == type(message)()
    answered = toys.messages(toys.model("json", shapes=SHAPES), "MakeOutput")[0]
    assert codec.write(answered(name="é"), "1") == Answer(200, b"application/x-amz-json-1.1", '{"Name":"é","Names":[]}'.encode())


def test_version_1_0_where_the_model_says_none() -> None:
    _, codec = protocol()
    assert codec.write(toys.messages(toys.model("json", shapes=SHAPES), "MakeOutput")[0](), "1").kind == b"application/x-amz-json-1.0"


def test_a_query_string_has_no_meaning() -> None:
    with pytest.raises(Serialization, match=r"^The query string has no meaning here\.$"):
        protocol()[1].read(replace(ASKED, query="a=b"))


def test_refusals_name_members_from_the_top() -> None:
    with pytest.raises(Serialization, match=r"^'Name' is not a value that the member can have\.$"):
        protocol()[1].read(replace(ASKED, body=b'{"Name":1}'))
    with pytest.raises(Serialization, match=r"^'the body' is an object\.$"):
        protocol()[1].read(replace(ASKED, body=b"[]"))


def test_errors_say_their_name_twice() -> None:
    made, _ = protocol(jsonVersion="1.1")
    answer = made.fail(UnknownOperation("No <such>."), "1")
    body = b'{"__type":"UnknownOperationException","message":"No <such>."}'
    assert answer == Answer(400, b"application/x-amz-json-1.1", body, ((b"x-amzn-errortype", b"UnknownOperationException"),))


def test_errors_have_members_and_the_message_as_the_model_calls_it() -> None:
    class Broken(UnknownOperation):
        """As the model has it."""

        @property
        def members(self) -> Mapping[str, str]:
            return {"Part": "wheel"}

    theirs = toys.model("json", {"Make": {"errors": [{"shape": "Broken"}]}}, SHAPES)
    answer = json.failing(faults.Faults(theirs, {}), b"k")(Broken("It broke."), "")
    assert answer.body == b'{"__type":"Broken","Message":"It broke.","Part":"wheel"}'


@pytest.mark.parametrize(
    ("body", "value"), [(b"", {}), (b"{}", {}), (b' {"a": [1, null]} ', {"a": [1, None]}), (b'{"a":{"a":1}}', {"a": {"a": 1}})]
)
def test_body_is_decoded(body: bytes, value: object) -> None:
    assert json.decoded(body) == value


REFUSED = [
    (b"{", "The body is not JSON."),
    (b"{} {}", "The body is not JSON."),
    (b"\xff", "The body is not UTF-8."),
    (b'{"a":1,"a":1}', "An object has a key twice."),
    (b'{"a":{"b":1,"b":2}}', "An object has a key twice."),
    (b'{"a":NaN}', "NaN is not JSON."),
    (b'{"a":-Infinity}', "-Infinity is not JSON."),
    (b"[" * 33 + b"]" * 33, "The body has more than 32 levels."),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "The body has more than 32 levels."),
    (b'{"\\"":' + b"[" * 32 + b"]" * 32 + b"}", "The body has more than 32 levels."),
    (b"[[]," * 32 + b"[]" + b"]" * 32, "The body has more than 32 levels."),
    (b"[" * 100_000, "The body has more than 32 levels."),
]


@pytest.mark.parametrize(("body", "said"), REFUSED)
def test_body_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Serialization) as raised:
        json.decoded(body)
    assert raised.value.message == said


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 32 + b"]" * 32,
        b'["' + b"[" * 100 + b'"]',
        b'["' + b"\\\\" + b'",' + b"[]," * 99 + b'"' + b"{" * 99 + b'"]',
        b'{"a":' * 32 + b"1" + b"}" * 32,
        b'["\\"' + b"[" * 100 + b'"]',
        b"[" + b",".join([b"[]"] * 100) + b"]",
        b"[" * 31 + b"[],[]" + b"]" * 31,
        b"[" + b",".join([b"{}"] * 100) + b"]",
    ],
)
def test_brackets_in_texts_and_side_by_side_are_no_levels(body: bytes) -> None:
    assert json.decoded(body)


def test_no_character_is_replaced() -> None:
    assert json.encoded({"a": "\ud800é"}) == '{"a":"?é"}'.encode()
    assert json.encoded([1, True, None]) == b"[1,true,null]"
