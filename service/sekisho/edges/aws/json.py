"""The JSON protocols 1.0 and 1.1: `X-Amz-Target` names the operation, the body is its input.

Source: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

import json
import re
from typing import Any

from google.protobuf.message import Message

from sekisho.edges.aws import faults, presence
from sekisho.edges.aws.errors import Serialization
from sekisho.edges.aws.members import Members
from sekisho.edges.aws.shapes import Pairing
from sekisho.edges.aws.wire import Answer, Codec, Fail
from sekisho.errors import SekishoError
from sekisho.operations import Operation
from sekisho.sigv4 import HttpRequest

MAX_DEPTH = 32

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


class Protocol:
    """The codecs of one service."""

    def __init__(self, model: Any) -> None:
        self._pairing, self._members = Pairing(), Members()
        self._kind = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}".encode()
        self.fail: Fail = failing(faults.Faults(model, faults.JSON, 400), self._kind)

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
            return Answer(200, self._kind, encoded(made))

        return Codec(read, write)


def failing(known: faults.Faults, kind: bytes) -> Fail:
    """Errors as the JSON protocols say them."""

    def fail(error: SekishoError, _: str) -> Answer:
        fault = known.of(error)
        body = encoded({"__type": fault.code, fault.said_as: fault.message, **fault.members})
        return Answer(fault.status, kind, body, ((b"x-amzn-errortype", fault.code.encode()),))

    return fail


def encoded(value: object) -> bytes:
    """JSON without blanks; what is no character is replaced."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def decoded(body: bytes) -> Any:
    """The value of a body; no body is an empty object. A key twice, NaN and more than 32 levels are refused."""
    if not body:
        return {}
    try:
        text = body.decode()
        _require_shallow(text)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Serialization("The body is not UTF-8.") from None
    except ValueError:
        raise Serialization("The body is not JSON.") from None


def _require_shallow(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH:
            raise Serialization(f"The body has more than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Serialization("An object has a key twice.")
    return made


def _no_number(name: str) -> Any:
    raise Serialization(f"{name} is not JSON.")
