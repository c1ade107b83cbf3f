"""The REST protocol with JSON bodies: method and path name the operation; members stand in path, query, headers and body.

Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from google.protobuf.message import Message

from sekisho.edges.aws import faults, form, json, presence, scalars
from sekisho.edges.aws.errors import Serialization
from sekisho.edges.aws.members import Members
from sekisho.edges.aws.presence import Presence
from sekisho.edges.aws.shapes import Member, Pairing, Structure, Value
from sekisho.edges.aws.wire import Answer, Codec, Fail, Headers
from sekisho.operations import Operation
from sekisho.sigv4 import HttpRequest

KIND = b"application/json"
_LABEL = re.compile(r"\{([A-Za-z0-9_-]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """Where an operation is: `/access-preview/{accessPreviewId}`, with fixed parameters perhaps; `weight` sorts the particular first."""

    method: str
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[str, ...]
    weight: tuple[int, int]

    def match(self, request: HttpRequest) -> dict[str, str] | None:
        """The labels' values, encoded as they came; None when the request is for another operation."""
        if request.method != self.method or (found := self.pattern.fullmatch(request.path)) is None:
            return None
        if not set(self.query) <= set(request.query.split("&")):
            return None
        return dict(zip(self.labels, found.groups(), strict=True))


def template(method: str, uri: str) -> Template:
    """The template that a model writes as method and `requestUri`."""
    path, _, query = uri.partition("?")
    pattern, labels, end = "", [], 0
    for label in _LABEL.finditer(path):
        pattern += re.escape(path[end : label.start()]) + ("(.+)" if label[2] else "([^/]+)")
        labels.append(label[1])
        end = label.end()
    pattern += re.escape(path[end:])
    fixed = tuple(part for part in query.split("&") if part)
    literal = len(_LABEL.sub("", path))
    return Template(method, re.compile(pattern), tuple(labels), fixed, (-literal - len(fixed), len(labels)))


class Protocol:
    """The codecs of one service."""

    def __init__(self, model: Any) -> None:
        self._pairing, self._members = Pairing(), Members()
        self.fail: Fail = json.failing(faults.Faults(model, faults.JSON), KIND)

    def codec(self, model: Any, operation: Operation) -> Codec:
        """The codec of one operation."""
        where = template(model.http["method"], model.http["requestUri"])
        asked = self._pairing.structure(model.input_shape, operation.request.DESCRIPTOR)
        read_body = self._reads_body(asked)
        labels = {_name(member): text_reader(member) for member in _located(asked, "uri")}
        queries = {_name(member): text_reader(member) for member in _located(asked, "querystring")}
        headers = {_name(member).lower(): text_reader(member) for member in _located(asked, "header")}
        prefixed = _located(asked, "headers")

        def read(request: HttpRequest) -> Message:
            message = operation.request()
            for label, text in (where.match(request) or {}).items():
                labels[label]([_utf8(unquote_to_bytes(text))], message)
            for name, texts in _query(request, where).items():
                if name not in queries:
                    raise Serialization(f"The operation has no parameter '{name[:64]}'.")
                queries[name](texts, message)
            for name, put in headers.items():
                if (value := request.header(name)) is not None:
                    put([value], message)
            for member in prefixed:
                _prefixed(member, request, getattr(message, member.field))
            read_body(request.body, message)
            return message

        answered = self._pairing.structure(model.output_shape, operation.response.DESCRIPTOR)
        return Codec(read, self._writes(answered, presence.of(model.service_model.service_name, model.name)))

    def _reads_body(self, asked: Structure) -> Callable[[bytes, Message], None]:
        member = asked.members.get(asked.payload)
        if member is None:
            reader = self._members.reader(asked, _in_body(asked))
            return lambda body, message: reader(json.decoded(body), message, "")
        name = member.field
        if member.value.structure is not None:
            inner = self._members.reader(member.value.structure)
            return lambda body, message: inner(json.decoded(body), getattr(message, name), "") if body else None
        if member.value.kind == "blob":
            return lambda body, message: setattr(message, name, body) if body else None
        return lambda body, message: setattr(message, name, _utf8(body)) if body else None

    def _writes(self, answered: Structure, known: Presence) -> Callable[[Message, str], Answer]:
        headers = [(member, _header_writer(member)) for member in _located(answered, "header")]
        prefixed, statuses = _located(answered, "headers"), _located(answered, "statusCode")
        payload = answered.members.get(answered.payload)
        inner = payload.value.structure if payload is not None else answered
        members = _in_body(answered) if payload is None else None
        known = known if payload is None else known.within(payload.name)
        writer = self._members.writer(inner, known, members, top=payload is None) if inner is not None else None

        def write(message: Message, _: str) -> Answer:
            found: list[tuple[bytes, bytes]] = [line for member, header in headers for line in header(message)]
            for member in prefixed:
                lines = getattr(message, member.field)
                found += [(f"{_name(member)}{key}".lower().encode(), lines[key].encode()) for key in sorted(lines)]
            status = next((int(getattr(message, member.field)) for member in statuses if message.HasField(member.field)), 200)
            held = message if payload is None else getattr(message, payload.field)
            if writer is None:
                return Answer(status, KIND, held if isinstance(held, bytes) else str(held).encode(), tuple(found))
            made: dict[str, Any] = {}
            writer(held, made)
            return Answer(status, KIND, json.encoded(made), tuple(found))

        return write


def text_reader(member: Member) -> Callable[[list[str], Message], None]:
    """Puts texts from path, query or a header into the member's field."""
    value, name = member.value, member.field
    if value.kind == "map":
        raise TypeError(f"{member.name} is a map in the query string, which nothing here reads")
    parse = _text_parser(value.item if value.item is not None else value)

    def put(texts: list[str], message: Message) -> None:
        try:
            if value.kind == "list":
                getattr(message, name).extend(parse(text) for text in texts)
            elif len(texts) != 1:
                raise ValueError
            elif value.kind == "timestamp":
                getattr(message, name).CopyFrom(parse(texts[0]))
            else:
                setattr(message, name, parse(texts[0]))
        except (ValueError, TypeError):
            raise Serialization(f"'{_name(member)}' is not a value that the parameter can have.") from None

    return put


def _text_parser(value: Value) -> Callable[[str], Any]:
    if value.kind == "timestamp" and value.traits.get("location") == "header" and "timestampFormat" not in value.traits:
        return scalars.http_date
    return scalars.PARSERS[value.kind]


def _header_writer(member: Member) -> Callable[[Message], Headers]:
    name, text = _name(member).lower().encode(), scalars.writer(member.value.kind, member.value.traits, "rfc822")
    field = member.field
    return lambda message: ((name, text(getattr(message, field)).encode()),) if message.HasField(field) else ()


def _prefixed(member: Member, request: HttpRequest, held: Any) -> None:
    prefix = _name(member).lower()
    for name, value in request.headers:
        if name.lower().startswith(prefix):
            held[name.lower()[len(prefix) :]] = value


def _query(request: HttpRequest, where: Template) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    presigned = "X-Amz-Signature=" in request.query
    for pair in request.query.split("&"):
        name, _, value = pair.partition("=")
        if pair and pair not in where.query and not (presigned and name in form.PROOF):
            found.setdefault(_decoded(name), []).append(_decoded(value))
    return found


def _located(structure: Structure, place: str) -> list[Member]:
    return [member for member in structure.members.values() if member.value.traits.get("location") == place]


def _in_body(structure: Structure) -> list[Member]:
    return [member for member in structure.members.values() if "location" not in member.value.traits]


def _name(member: Member) -> str:
    return str(member.value.traits.get("name", member.name))


def _decoded(text: str) -> str:
    return _utf8(unquote_to_bytes(text.replace("+", "%20") if "+" in text else text))


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Serialization("The request is not UTF-8.") from None
