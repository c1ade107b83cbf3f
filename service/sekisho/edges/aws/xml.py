"""Writes messages as the XML of the Query protocol. Writers are made once for each structure.

Absent members are left out; `presence` says which lists are written though empty.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from google.protobuf.message import Message

from sekisho.edges.aws import scalars
from sekisho.edges.aws.presence import Presence
from sekisho.edges.aws.shapes import Member, Structure, Value

Out = Callable[[str], None]
Write = Callable[[Message, Out], None]
"""Writes what a message has of one member, or of all."""

_SPECIAL = re.compile(r"[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}

# IAM writes policy documents percent-encoded: https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html
_ENCODED = {"policyDocumentType"}


def escape(text: str) -> str:
    """Text between tags; what XML cannot hold becomes U+FFFD."""
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text) if _SPECIAL.search(text) else text


class Writers:
    """The writers of one service's structures."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, bool, Presence], tuple[Structure, list[Write]]] = {}

    def structure(self, structure: Structure, presence: Presence, *, top: bool = False) -> Write:
        """The writer of a structure's members, without a tag of its own; at the `top` empty lists are written, too."""
        key = id(structure), top, presence
        known = self._made.get(key)
        members = known[1] if known is not None else []
        if known is None:
            self._made[key] = structure, members
            for name, member in structure.members.items():
                if not presence.never(name):
                    always = presence.always(name, otherwise=top or member.required)
                    members.append(self._member(member, presence.within(name), always=always))

        def write(message: Message, out: Out) -> None:
            for member in members:
                member(message, out)

        return write

    def _member(self, member: Member, within: Presence, *, always: bool) -> Write:
        name, value = member.field, member.value
        tag = str(value.traits.get("name", member.name))
        if value.kind == "list":
            return self._list(name, tag, value, within, always=always)
        if value.kind == "map":
            return self._map(name, tag, value, within, always=always)
        if value.kind == "structure":
            content = self._content(value, within)

            def write_structure(message: Message, out: Out) -> None:
                if message.HasField(name):
                    out(f"<{tag}>")
                    content(getattr(message, name), out)
                    out(f"</{tag}>")

            return write_structure
        return _scalar(name, tag, value)

    def _content(self, value: Value, within: Presence) -> Callable[[Any, Out], None]:
        """The writer of what stands between two tags."""
        if value.structure is not None:
            return self.structure(value.structure, within)
        text = _text(value)
        return lambda held, out: out(text(held))

    def _list(self, name: str, tag: str, value: Value, within: Presence, *, always: bool) -> Write:
        assert value.item is not None
        content = self._content(value.item, within)
        flattened = bool(value.traits.get("flattened"))
        item = str(value.item.traits.get("name", tag if flattened else "member"))
        start, end, empty = ("", "", "") if flattened else (f"<{tag}>", f"</{tag}>", f"<{tag}/>" if always else "")
        opening, closing = f"<{item}>", f"</{item}>"

        def write(message: Message, out: Out) -> None:
            held = getattr(message, name)
            if not held:
                out(empty)
                return
            out(start)
            for one in held:
                out(opening)
                content(one, out)
                out(closing)
            out(end)

        return write

    def _map(self, name: str, tag: str, value: Value, within: Presence, *, always: bool) -> Write:
        assert value.key is not None
        assert value.value is not None
        key_text, content = _text(value.key), self._content(value.value, within)
        key_tag, value_tag = value.key.traits.get("name", "key"), value.value.traits.get("name", "value")
        flattened = bool(value.traits.get("flattened"))
        start, end, empty = ("", "", "") if flattened else (f"<{tag}>", f"</{tag}>", f"<{tag}/>" if always else "")
        entry = tag if flattened else "entry"

        def write(message: Message, out: Out) -> None:
            held = getattr(message, name)
            if not held:
                out(empty)
                return
            out(start)
            for key in sorted(held):
                out(f"<{entry}><{key_tag}>{key_text(key)}</{key_tag}><{value_tag}>")
                content(held[key], out)
                out(f"</{value_tag}></{entry}>")
            out(end)

        return write


def _scalar(name: str, tag: str, value: Value) -> Write:
    text = _text(value)
    opening, closing = f"<{tag}>", f"</{tag}>"

    def write(message: Message, out: Out) -> None:
        if message.HasField(name):
            out(f"{opening}{text(getattr(message, name))}{closing}")

    return write


def _text(value: Value) -> Callable[[Any], str]:
    if value.shape in _ENCODED:
        return lambda held: quote(held, safe="")
    if value.kind in ("string", "character"):
        return escape
    return scalars.writer(value.kind, value.traits)
