"""The protocol Smithy RPC v2 with CBOR: the path names the operation, the body is its input as CBOR (RFC 8949).

A body is data of JSON's kind with byte strings and times (tag 1) beside it; every other tag is refused, since what decoders make of tags
(patterns, fractions of any size, references) costs what a caller likes. Source:
https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

import io
from collections.abc import Callable
from typing import Any, NoReturn

import cbor2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import faults, members, presence, scalars
from sekisho.edges.aws.errors import RequestEntityTooLarge, Serialization
from sekisho.edges.aws.members import Members
from sekisho.edges.aws.shapes import Pairing, Value
from sekisho.edges.aws.wire import Answer, Codec, Fail, Headers
from sekisho.errors import SekishoError
from sekisho.operations import Operation
from sekisho.sigv4 import HttpRequest

NAME = b"rpc-v2-cbor"
"""What the header `smithy-protocol` says, in requests and in answers."""

MAX_DEPTH = 32
MAX_BODY = 128 * 1024
"""Bytes: a decoder takes up to 1.5 µs for each, in which no other thread runs. The largest request that the rules admit has 97 KiB."""

_KIND = b"application/cbor"
_HEADERS: Headers = ((b"smithy-protocol", NAME),)
_TIME = 1
_DECODED = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 42, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""The tags that cbor2 makes something of by itself, beside that of times."""


class Protocol:
    """The codecs of one service."""

    def __init__(self, model: Any) -> None:
        self._pairing, self._members = Pairing(), Members(parser=parser, blob=bytes, moment=_moment)
        self.fail: Fail = failing(faults.Faults(model, faults.JSON, 400))

    def codec(self, model: Any, operation: Operation) -> Codec:
        """The codec of one operation."""
        reader = self._members.reader(self._pairing.structure(model.input_shape, operation.request.DESCRIPTOR))
        answered = self._pairing.structure(model.output_shape, operation.response.DESCRIPTOR)
        writer = self._members.writer(answered, presence.of(model.service_model.service_name, model.name), top=True)

        def read(request: HttpRequest) -> Message:
            if request.query:
                raise Serialization("The query string has no meaning here.")
            message = operation.request()
            reader(decoded(request.body), message, "")
            return message

        def write(message: Message, _: str) -> Answer:
            made: dict[str, Any] = {}
            writer(message, made)
            return Answer(200, _KIND, cbor2.dumps(made), _HEADERS)

        return Codec(read, write)


def path(prefix: str, operation: str) -> str:
    """Where an operation is."""
    return f"/service/{prefix}/operation/{operation}"


def is_spoken(request: HttpRequest) -> bool:
    """True of a request that says to be of this protocol."""
    return request.header("smithy-protocol") == NAME.decode()


def failing(known: faults.Faults) -> Fail:
    """Errors as this protocol says them."""

    def fail(error: SekishoError, _: str) -> Answer:
        fault = known.of(error)
        body = cbor2.dumps({"__type": fault.code, fault.said_as: fault.message, **fault.members})
        return Answer(fault.status, _KIND, body, _HEADERS)

    return fail


def decoded(body: bytes) -> Any:
    """The value of a body; no body is an empty object. A key twice, a tag but that of times and more than 32 levels are refused."""
    if not body:
        return {}
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge(f"A request in CBOR has at most {MAX_BODY} bytes.")
    stream = io.BytesIO(body)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_refuse_tag,
        semantic_decoders=_SEMANTIC,
        max_depth=MAX_DEPTH,
        allow_duplicate_keys=False,
        strict_hashable_types=True,
    )
    try:
        value = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, OverflowError):
        raise Serialization("The body is not CBOR of the permitted kind.") from None
    if stream.read(1):
        raise Serialization("There is more behind the value of the body.")
    return value


def parser(value: Value) -> Callable[[Any, str], Any]:
    """From a CBOR scalar to what a field takes: times and byte strings are what they are, everything else as in JSON."""
    if value.kind == "blob":
        return lambda held, where: members.of_kind(held, bytes, where)
    if value.kind == "timestamp":
        return lambda held, where: members.of_kind(held, Timestamp, where)
    return members.parser(value)


def _moment(held: Timestamp) -> cbor2.CBORTag:
    return cbor2.CBORTag(_TIME, held.seconds)


def _time(value: Any, _immutable: bool) -> Timestamp:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return scalars.seconds(value)


def _refuse_tag(_value: Any, _immutable: bool) -> NoReturn:
    raise ValueError


_SEMANTIC = {_TIME: _time, **dict.fromkeys(_DECODED, _refuse_tag)}
