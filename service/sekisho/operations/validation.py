"""Holds a request to the `(rules)` of its fields, and says what is wrong in AWS's wording.

A plan is made once for each message type and then only walked. All violations of a request are reported together, as AWS does:
`1 validation error detected: Value at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: …`
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

from google.protobuf import descriptor
from google.protobuf.message import Message

from sekisho.errors import InvalidArgument, ValidationError
from sekisho.operations import annotations
from sekisho.operations.annotations import Rules
from sekisho.operations.fine import ASKED, MOMENT, fine, is_moment
from sekisho.operations.patterns import PATTERNS

_SHOWN = 128
_REPORTED = 10


class UnknownField(InvalidArgument):
    """The request carries a field that this server does not know; ignoring it could ignore a restriction."""


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a message: its name, AWS's name for it, its rules and the plan of the message that it holds."""

    name: str
    shown: str
    rules: Rules | None
    presence: bool
    repeated: bool
    quote: str
    pattern: str
    specified: str
    message: descriptor.Descriptor | None
    kept: bool = True


_QUOTED, _STARRED, _SILENT = " '{}'", " '***'", ""
"""How a message shows the value that it refuses."""

_SILENT_PACKAGE = "sekisho.api.iam.v1"
"""IAM says where a value is wrong, but not the value, which STS does: so AWS answered in 2026, whatever the constraint."""

_SPECIFIED = {
    Rules.NAME: "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    Rules.PATH: "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
}
"""What IAM says of a name or path with a wrong character, by itself, once nothing else is wrong."""

_SPECIFIED_VALUE = "The specified value for "


@cache
def plan(message: descriptor.Descriptor) -> tuple[Member, ...]:
    """The members of a message type that have something to check."""
    members = []
    silent = message.file.package == _SILENT_PACKAGE
    for field in message.fields:
        rules = annotations.rules(field)
        if rules is not None and rules.pattern and rules.pattern not in PATTERNS:
            raise TypeError(f"{field.full_name}: no pattern {rules.pattern}")
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            inner = inner.fields_by_name["value"].message_type
        members.append(
            Member(
                field.name,
                field.json_name,
                rules,
                field.has_presence,
                field.is_repeated,
                _SILENT if silent else _STARRED if field.GetOptions().debug_redact else _QUOTED,
                *_special(field, rules, silent=silent),
                inner,
                kept=message.file.package != ASKED,
            )
        )
    return tuple(m for m in members if m.rules is not None or m.message is not None)


def _special(field: descriptor.FieldDescriptor, rules: Rules | None, *, silent: bool) -> tuple[str, str]:
    """The constraint of a field that has a sentence of its own, and the sentence; two empty texts for the others."""
    if rules is None or not silent:
        return "", ""
    pattern = Rules.PATH if field.name == "path" else rules.pattern  # managed policies' have a pattern of their own
    return (_pattern(rules), f"{_SPECIFIED_VALUE}{{}} is invalid. {_SPECIFIED[pattern]}") if pattern in _SPECIFIED else ("", "")


def check(request: Message) -> None:
    """Raise ValidationError with every violation (ten at most) that the request has, in AWS's wording."""
    refuse_unknown_fields(request)
    if fine(request):
        return
    found = list(islice(_violations(request, ""), _REPORTED))
    specified = [violation for violation in found if violation.startswith(_SPECIFIED_VALUE)]
    if specified and len(specified) == len(found):
        raise ValidationError(specified[0])
    found = [violation for violation in found if violation not in specified]
    if found:
        plural = "error" if len(found) == 1 else "errors"
        raise ValidationError(f"{len(found)} validation {plural} detected: {'; '.join(found)}")


def refuse_unknown_fields(request: Message) -> None:
    """Raise UnknownField when the bytes held anything that the proto does not name, at any depth."""
    size = request.ByteSize()
    request.DiscardUnknownFields()
    if request.ByteSize() != size:
        raise UnknownField(f"{request.DESCRIPTOR.name} has a field that this server does not know; it may be older than its client")


def _violations(message: Message, prefix: str) -> Iterator[str]:
    for member in plan(message.DESCRIPTOR):
        where = prefix + member.shown
        value = getattr(message, member.name)
        absent = not len(value) if member.repeated else member.presence and not message.HasField(member.name)
        if absent:
            if member.rules is not None and member.rules.required:
                yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
            continue
        if member.rules is not None:
            broken = False
            for shown, rule in _broken(value, member.rules):
                broken = True
                yield member.specified.format(where) if rule == member.pattern else _sentence(member.quote, shown, where, rule)
            # PostgreSQL has no such character; where a pattern refuses it, it has been named already.
            if member.kept and not broken and _holds_nul(value):
                yield _sentence(member.quote, "…", where, "not contain the character U+0000")
        if member.message is not None:
            for at, item in _items(value, where) if member.repeated else ((where, value),):
                if member.message.full_name == MOMENT:
                    if not is_moment(item):
                        yield _sentence(member.quote, f"{item.seconds}.{item.nanos}", at, "be a timestamp")
                else:
                    yield from _violations(item, at + ".")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    return isinstance(value, Sequence) and any(isinstance(item, str) and "\0" in item for item in value)


def _items(values: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        yield from ((f"{where}.{key[:_SHOWN]}.member", values[key]) for key in sorted(values))
        return
    for index, item in enumerate(values, 1):
        yield f"{where}.{index}.member", item


def _broken(value: Any, rules: Rules) -> Iterator[tuple[str, str]]:
    """The value as it could be quoted, and what it must be, for each constraint of a field that it breaks."""
    if isinstance(value, str):
        yield from ((value, rule) for rule in _broken_text(value, rules))
    elif isinstance(value, bool | float):
        return
    elif isinstance(value, int):
        yield from ((str(value), rule) for rule in _bounds(value, rules, "have value"))
    elif isinstance(value, bytes):
        yield from (("***", rule) for rule in _bounds(len(value), rules, "have length"))
    elif hasattr(value, "__len__"):
        yield from ((f"{len(value)} items", rule) for rule in _bounds(len(value), rules, "have length"))
        # AWS says once of a list of texts what each of them must be.
        if rules.HasField("items") and any(True for item in value for _ in _broken(item, rules.items)):
            shown = ", ".join(str(item)[:_SHOWN] for item in value[:_SHOWN])
            yield f"[{shown}]", f"satisfy constraint: [{', '.join(f'Member must {rule}' for rule in _constraints(rules.items))}]"


def _broken_text(value: str, rules: Rules) -> Iterator[str]:
    broken = False
    for rule in _bounds(len(value), rules, "have length"):
        broken = True
        yield rule
    # A text of the wrong length is not matched against anything: its size is not ours to choose.
    if not broken and rules.pattern and not PATTERNS[rules.pattern][0](value):
        yield _pattern(rules)
    if not broken and getattr(rules, "in") and value not in getattr(rules, "in"):
        yield _enumeration(rules)


def _constraints(rules: Rules) -> Iterator[str]:
    """All that an item of a list must be, in AWS's order."""
    if rules.HasField("max"):
        yield f"have length less than or equal to {rules.max}"
    if rules.HasField("min"):
        yield f"have length greater than or equal to {rules.min}"
    if rules.pattern:
        yield _pattern(rules)
        yield "not be null"
    if getattr(rules, "in"):
        yield _enumeration(rules)


def _pattern(rules: Rules) -> str:
    return f"satisfy regular expression pattern: {PATTERNS[rules.pattern][1]}"


def _enumeration(rules: Rules) -> str:
    return f"satisfy enum value set: [{', '.join(getattr(rules, 'in'))}]"


def _bounds(size: int, rules: Rules, measure: str) -> Iterator[str]:
    if rules.HasField("min") and size < rules.min:
        yield f"{measure} greater than or equal to {rules.min}"
    if rules.HasField("max") and size > rules.max:
        yield f"{measure} less than or equal to {rules.max}"


def _sentence(quote: str, value: str, where: str, rule: str) -> str:
    quoted = quote.format(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
    return f"Value{quoted} at '{where}' failed to satisfy constraint: Member must {rule}"
