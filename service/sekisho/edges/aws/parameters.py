"""Reads the parameters of the Query protocol into a message. Readers are made once for each structure.

Every parameter must be one that the operation has: what is not known here is refused, for it may be a restriction.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from sekisho.edges.aws import errors, scalars
from sekisho.edges.aws.errors import MalformedInput
from sekisho.edges.aws.form import Tree
from sekisho.edges.aws.shapes import Member, Structure, Value

Node = Tree | str
Read = Callable[[Node, Message, str], None]
"""Reads a node into its field of a message; the text is the parameter's name so far, for errors."""
Item = Callable[[Node, Any, str], None]
"""Reads a node into a repeated field."""


class Readers:
    """The readers of one service's structures."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Structure, dict[str, Read]]] = {}

    def structure(self, structure: Structure) -> Read:
        """The reader of a structure's members."""
        known = self._made.get(id(structure))
        members = known[1] if known is not None else {}
        if known is None:
            self._made[id(structure)] = structure, members
            members.update({_wire_name(member): self._member(member) for member in structure.members.values()})

        def read(node: Node, message: Message, where: str) -> None:
            if isinstance(node, str):
                raise MalformedInput(f"The parameter '{where.rstrip('.')}' is a structure.")
            for name, inner in node.items():
                reader = members.get(name)
                if reader is None:
                    raise _unknown(structure, name, where)
                reader(inner, message, where + name)

        return read

    def _member(self, member: Member) -> Read:
        name, value = member.field, member.value
        if value.kind == "structure":
            assert value.structure is not None
            inner = self.structure(value.structure)

            def read_structure(node: Node, message: Message, where: str) -> None:
                held = getattr(message, name)
                held.SetInParent()
                inner(node, held, f"{where}.")

            return read_structure
        if value.kind == "list":
            return self._list(name, value)
        if value.kind == "map":
            return self._map(name, value)
        return _scalar(name, value.kind)

    def _list(self, name: str, value: Value) -> Read:
        assert value.item is not None
        item = self._item(value.item)
        wrapper = None if value.traits.get("flattened") else value.item.traits.get("name", "member")

        def read(node: Node, message: Message, where: str) -> None:
            held = getattr(message, name)
            for index, inner in enumerate(_numbered(node, wrapper, where), 1):
                item(inner, held, f"{where}.{index}")

        return read

    def _item(self, value: Value) -> Item:
        if value.kind == "structure":
            assert value.structure is not None
            inner = self.structure(value.structure)
            return lambda node, held, where: inner(node, held.add(), f"{where}.")
        parse = scalars.PARSERS[value.kind]

        def read(node: Node, held: Any, where: str) -> None:
            if not isinstance(node, str):
                raise _not_a_value(node, where)
            try:
                held.append(parse(node))
            except ValueError:
                raise _not_a_value(node, where) from None

        return read

    def _map(self, name: str, value: Value) -> Read:
        assert value.key is not None
        assert value.value is not None
        wrapper = None if value.traits.get("flattened") else "entry"
        key_name, value_name = value.key.traits.get("name", "key"), value.value.traits.get("name", "value")
        parse_key = scalars.PARSERS[value.key.kind]
        inner = self.structure(value.value.structure) if value.value.structure is not None else None
        parse = scalars.PARSERS.get(value.value.kind, str)

        def read(node: Node, message: Message, where: str) -> None:
            held = getattr(message, name)
            for index, entry in enumerate(_numbered(node, wrapper, where), 1):
                at = f"{where}.{index}"
                if isinstance(entry, str) or set(entry) != {key_name, value_name}:
                    raise MalformedInput(f"'{at}' needs '{key_name}' and '{value_name}'.")
                key = _text(entry[key_name], at, parse_key)
                if key in held:
                    raise MalformedInput(f"The key at '{at}' is given twice.")
                if inner is not None:
                    inner(entry[value_name], held[key], f"{at}.")
                    continue
                item = _text(entry[value_name], at, parse)
                try:
                    held[key] = item
                except ValueError:
                    raise _not_a_value(str(item), at) from None

        return read


def _wire_name(member: Member) -> str:
    """A flattened list bears the name of its items, where they have one."""
    item = member.value.item
    if item is not None and member.value.traits.get("flattened") and "name" in item.traits:
        return str(item.traits["name"])
    return str(member.value.traits.get("name", member.name))


def _scalar(name: str, kind: str) -> Read:
    parse = scalars.PARSERS[kind]
    if kind == "timestamp":
        return lambda node, message, where: getattr(message, name).CopyFrom(_text(node, where, parse))

    def read(node: Node, message: Message, where: str) -> None:
        if not isinstance(node, str):
            raise _not_a_value(node, where)
        try:
            setattr(message, name, parse(node))
        except ValueError:  # no such value, or one beyond the field's range
            raise _not_a_value(node, where) from None

    return read


def _text(node: Node, where: str, parse: Callable[[str], Any]) -> Any:
    if not isinstance(node, str):
        raise _not_a_value(node, where)
    try:
        return parse(node)
    except ValueError:
        raise _not_a_value(node, where) from None


def _numbered(node: Node, wrapper: str | None, where: str) -> list[Node]:
    """The items of a list in order. They are counted from one, without gaps; an empty text is the empty list."""
    if isinstance(node, str):
        if node:
            raise MalformedInput(f"The parameter '{where}' is a list.")
        return []
    if wrapper is not None:
        if set(node) != {wrapper}:
            raise MalformedInput(f"The items of '{where}' are called '{where}.{wrapper}.N'.")
        inner = node[wrapper]
        if isinstance(inner, str):
            raise MalformedInput(f"The items of '{where}' are called '{where}.{wrapper}.N'.")
        node = inner
    try:
        return [node[str(index)] for index in range(1, len(node) + 1)]
    except KeyError:
        raise MalformedInput(f"The items of '{where}' are numbered from 1, without gaps.") from None


def _unknown(structure: Structure, name: str, where: str) -> MalformedInput | errors.NotImplemented:
    if name in structure.missing:
        return errors.NotImplemented(f"This server does not have the parameter '{where}{name[:64]}'.")
    return MalformedInput(f"The operation has no parameter '{where}{name[:64]}'.")


def _not_a_value(node: Node, where: str) -> MalformedInput:
    shown = f"'{node[:64]}'" if isinstance(node, str) else "a structure or list"
    return MalformedInput(f"{shown} at '{where}' is not a value that the parameter can have.")
