"""Messages as the JSON of AWS's protocols, or as data of JSON's kind. Readers and writers are made once for each structure.

Every member must be one that the operation has. In JSON times are seconds since 1970 unless the model says otherwise, and blobs base64; a
protocol with words of its own for them brings these.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from google.protobuf.message import Message

from sekisho.edges.aws import errors, scalars
from sekisho.edges.aws.errors import Serialization
from sekisho.edges.aws.presence import Presence
from sekisho.edges.aws.shapes import Member, Structure, Value

Read = Callable[[Any, Message, str], None]
"""Reads a JSON value into its field of a message; the text is the member's path, for errors."""
Write = Callable[[Message, dict[str, Any]], None]
"""Writes what a message has of one member, or of all, into an object."""

_NUMBERS = {"integer": int, "long": int, "double": (int, float), "float": (int, float)}
"""The types of each kind; none of their values is a truth value or infinite."""


class Members:
    """The readers and writers of one service's structures. `parser` makes what reads a scalar, `blob` and `moment` write those; without a
    `moment`, times are JSON's.
    """

    def __init__(
        self,
        *,
        parser: "Callable[[Value], Callable[[Any, str], Any]] | None" = None,
        blob: Callable[[bytes], Any] = scalars.base64,
        moment: Callable[[Any], Any] | None = None,
    ) -> None:
        self._parser, self._blob, self._moment = parser or _json_parser, blob, moment
        self._readers: dict[tuple[int, tuple[str, ...]], tuple[Structure, dict[str, Read]]] = {}
        self._writers: dict[tuple[int, tuple[str, ...], bool, Presence], tuple[Structure, list[Write]]] = {}

    def reader(self, structure: Structure, members: Iterable[Member] | None = None) -> Read:
        """The reader of an object with these members, all of them when not told."""
        chosen = tuple(structure.members.values() if members is None else members)
        key = id(structure), tuple(member.name for member in chosen)
        known = self._readers.get(key)
        table = known[1] if known is not None else {}
        if known is None:
            self._readers[key] = structure, table
            table.update({str(member.value.traits.get("name", member.name)): self._read_member(member) for member in chosen})

        def read(value: Any, message: Message, where: str) -> None:
            if not isinstance(value, dict):
                raise Serialization(f"'{where or 'the body'}' is an object.")
            for name, inner in value.items():
                known = table.get(name)
                if known is None:
                    raise _unknown(structure, name, where)
                if inner is not None:
                    known(inner, message, f"{where}.{name}" if where else name)

        return read

    def _read_member(self, member: Member) -> Read:
        name, value = member.field, member.value
        if value.kind == "list":
            return self._read_list(name, value)
        if value.kind == "map":
            return self._read_map(name, value)
        if value.structure is not None:
            inner = self.reader(value.structure)

            def read_structure(held: Any, message: Message, where: str) -> None:
                field = getattr(message, name)
                field.SetInParent()
                inner(held, field, where)

            return read_structure
        parse = self._parser(value)
        if value.kind == "timestamp":
            return lambda held, message, where: getattr(message, name).CopyFrom(parse(held, where))

        def read(held: Any, message: Message, where: str) -> None:
            try:
                setattr(message, name, parse(held, where))
            except ValueError:  # beyond the field's range
                raise _not_a_value(where) from None

        return read

    def _reader_of(self, value: Value) -> Read | None:
        """The reader of what is a message in a list or map: a structure, or a list or map that a message stands for."""
        if value.within:
            return self._read_list(value.within, value) if value.kind == "list" else self._read_map(value.within, value)
        return self.reader(value.structure) if value.structure is not None else None

    def _read_list(self, name: str, value: Value) -> Read:
        assert value.item is not None
        inner = self._reader_of(value.item)
        parse = self._parser(value.item) if inner is None else None

        def read(held: Any, message: Message, where: str) -> None:
            if not isinstance(held, list):
                raise Serialization(f"'{where}' is a list.")
            field = getattr(message, name)
            for index, item in enumerate(held):
                at = f"{where}[{index}]"
                if inner is not None:
                    inner(item, field.add(), at)
                else:
                    assert parse is not None
                    _put(field.append, parse(item, at), at)

        return read

    def _read_map(self, name: str, value: Value) -> Read:
        assert value.value is not None
        inner = self._reader_of(value.value)
        parse = self._parser(value.value) if inner is None else None

        def read(held: Any, message: Message, where: str) -> None:
            if not isinstance(held, dict):
                raise Serialization(f"'{where}' is an object.")
            field = getattr(message, name)
            for key, item in held.items():
                at = f"{where}.{of_kind(key, str, where)}"
                if inner is not None:
                    inner(item, field[key], at)
                else:
                    assert parse is not None
                    _put(partial(field.__setitem__, key), parse(item, at), at)

        return read

    def writer(self, structure: Structure, presence: Presence, members: Iterable[Member] | None = None, *, top: bool = False) -> Write:
        """The writer of an object with these members; at the `top` empty lists are written, too."""
        chosen = tuple(structure.members.values() if members is None else members)
        key = id(structure), tuple(member.name for member in chosen), top, presence
        known = self._writers.get(key)
        writes = known[1] if known is not None else []
        if known is None:
            self._writers[key] = structure, writes
            for member in chosen:
                if not presence.never(member.name):
                    always = presence.always(member.name, otherwise=top or member.required)
                    writes.append(self._write_member(member, presence.within(member.name), always=always))

        def write(message: Message, out: dict[str, Any]) -> None:
            for one in writes:
                one(message, out)

        return write

    def _write_member(self, member: Member, within: Presence, *, always: bool) -> Write:
        name, value = member.field, member.value
        wire = str(value.traits.get("name", member.name))
        if value.kind == "list":
            assert value.item is not None
            plain = self._plain(value.item, within)

            def write_list(message: Message, out: dict[str, Any]) -> None:
                held = getattr(message, name)
                if held or always:
                    out[wire] = [plain(one) for one in held]

            return write_list
        if value.kind == "map":
            assert value.value is not None
            plain = self._plain(value.value, within)

            def write_map(message: Message, out: dict[str, Any]) -> None:
                held = getattr(message, name)
                if held or always:
                    out[wire] = {str(key): plain(held[key]) for key in sorted(held)}

            return write_map
        plain = self._plain(value, within)

        def write(message: Message, out: dict[str, Any]) -> None:
            if message.HasField(name):
                out[wire] = plain(getattr(message, name))

        return write

    def _plain(self, value: Value, within: Presence) -> Callable[[Any], Any]:
        """From a field's value to what `json` writes."""
        if value.within:
            return self._plain_within(value, within)
        if value.structure is not None:
            inner = self.writer(value.structure, within)

            def plain(held: Message) -> dict[str, Any]:
                made: dict[str, Any] = {}
                inner(held, made)
                return made

            return plain
        if value.kind == "blob":
            return self._blob
        if value.kind == "timestamp":
            if self._moment is not None:
                return self._moment
            if value.traits.get("timestampFormat", "unixTimestamp") == "unixTimestamp":
                return lambda held: held.seconds
            return scalars.writer(value.kind, value.traits)
        return lambda held: held

    def _plain_within(self, value: Value, within: Presence) -> Callable[[Any], Any]:
        """From a message that stands for a list or a map to that."""
        name, inner = value.within, value.item if value.kind == "list" else value.value
        assert inner is not None
        plain = self._plain(inner, within)
        if value.kind == "list":
            return lambda held: [plain(one) for one in getattr(held, name)]
        return lambda held: {str(key): plain(one) for key, one in sorted(getattr(held, name).items())}


def parser(value: Value) -> Callable[[Any, str], Any]:
    """From a JSON scalar to what a field takes."""
    kind = value.kind
    if kind == "boolean":
        return lambda held, where: of_kind(held, bool, where)
    if kind in _NUMBERS:
        types = _NUMBERS[kind]
        return lambda held, where: of_kind(held if not isinstance(held, bool) and _is_finite(held) else None, types, where)
    if kind == "timestamp":
        return lambda held, where: _time(held, where)
    parse = scalars.PARSERS[kind]

    def read(held: Any, where: str) -> Any:
        try:
            return parse(of_kind(held, str, where))
        except ValueError:
            raise _not_a_value(where) from None

    return read


_json_parser = parser  # which the class has an argument of the same name for


def _time(held: Any, where: str) -> Any:
    try:
        if isinstance(held, int | float) and not isinstance(held, bool):
            return scalars.seconds(held)
        return scalars.moment(of_kind(held, str, where))
    except ValueError:
        raise _not_a_value(where) from None


def of_kind(held: Any, kind: Any, where: str) -> Any:
    """A value of this kind, or Serialization."""
    if not isinstance(held, kind):
        raise _not_a_value(where)
    return held


def _is_finite(held: Any) -> bool:
    return not isinstance(held, float) or math.isfinite(held)


def _put(put: Callable[[Any], object], value: Any, where: str) -> None:
    try:
        put(value)
    except ValueError:
        raise _not_a_value(where) from None


def _unknown(structure: Structure, name: str, where: str) -> Serialization | errors.NotImplemented:
    at = f"{where}.{name[:64]}" if where else name[:64]
    if name in structure.missing:
        return errors.NotImplemented(f"This server does not have the member '{at}'.")
    return Serialization(f"The operation has no member '{at}'.")


def _not_a_value(where: str) -> Serialization:
    return Serialization(f"'{where[:256]}' is not a value that the member can have.")
