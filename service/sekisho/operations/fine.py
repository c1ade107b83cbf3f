"""Whether a request breaks no rule, found out fast: a plan of closures for each message type, over the fields that are set.

It says only yes or no. `validation` says in AWS's words what is wrong, by walking the same rules one by one, and is asked when this says
no; a test holds the two to each other.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from sekisho.operations import annotations
from sekisho.operations.annotations import Rules
from sekisho.operations.patterns import PATTERNS

Test = Callable[[Any], bool]
"""Whether a value breaks no rule of its field."""

_Field = tuple[str, bool, bool, Test | None, bool]
"""A field: its name; whether unset is told from empty by presence; whether it is a list or a map; its test; whether it must be set."""


ASKED = "sekisho.api.authorize.v1"
"""The package whose texts are only asked about: they reach no column of a database, where U+0000 cannot stand."""


MOMENT = "google.protobuf.Timestamp"
_FIRST, _END = -62_104_060_800, 253_370_764_800
"""The seconds at which the year 2 and the year 9999 begin."""


def fine(message: Message) -> bool:
    """Whether the message breaks no rule."""
    for name, presence, repeated, test, needed in _plan(message.DESCRIPTOR):
        if presence:
            if not message.HasField(name):
                if needed:
                    return False
                continue
            value = getattr(message, name)
        else:
            value = getattr(message, name)
            if not (len(value) if repeated else value):
                if needed:
                    return False
                continue
        if test is not None and not test(value):
            return False
    return True


@cache
def _plan(message: Descriptor) -> tuple[_Field, ...]:
    kept = message.file.package != ASKED
    fields = []
    for field in message.fields:
        rules = annotations.rules(field)
        test = _test(field, rules, kept)
        told = field.has_presence or field.is_repeated  # unset from empty
        needed = rules is not None and (rules.required if told else _refuses_empty(field, rules))
        if test is not None or needed:
            fields.append((field.name, field.has_presence, field.is_repeated, test, needed))
    return tuple(fields)


def _refuses_empty(field: FieldDescriptor, rules: Rules) -> bool:
    """Whether a field that does not tell unset from empty breaks its rules when it is empty."""
    one = _one(field, rules, kept=False)
    return one is not None and not one(field.default_value)


def _test(field: FieldDescriptor, rules: Rules | None, kept: bool) -> Test | None:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return _counted(rules, _every_value if inner.fields_by_name["value"].message_type is not None else None, whole=True)
    if inner is not None:
        each = is_moment if inner.full_name == MOMENT else fine
        return _counted(rules, each) if field.is_repeated else each
    if not field.is_repeated:
        return _one(field, rules, kept=kept and rules is not None)
    items = rules.items if rules is not None and rules.HasField("items") else None
    return _counted(rules, _one(field, items, kept=kept and rules is not None))


def is_moment(value: Any) -> bool:
    """True of a Timestamp that is a time, of which there is another a day before and a day after."""
    return bool(_FIRST <= value.seconds < _END and 0 <= value.nanos < 1_000_000_000)


def _every_value(value: Any) -> bool:
    """Whether the messages of a map break no rule."""
    return all(map(fine, value.values()))


def _counted(rules: Rules | None, each: Test | None, *, whole: bool = False) -> Test | None:
    """The test of a list or map: how many items, and what each must be, or what the `whole` must be."""
    least, most = _limits(rules)
    if least is None and most is None and each is None:
        return None

    def test(value: Any) -> bool:
        size = len(value)
        if (least is not None and size < least) or (most is not None and size > most):
            return False
        return each is None or (each(value) if whole else all(map(each, value)))

    return test


def _one(field: FieldDescriptor, rules: Rules | None, *, kept: bool) -> Test | None:
    """The test of one value that is no message."""
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return None
    least, most = _limits(rules)
    if kind != FieldDescriptor.CPPTYPE_STRING:
        if least is None and most is None:
            return None
        return lambda value: (least is None or value >= least) and (most is None or value <= most)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _sized(least, most)
    return _text(rules, least, most, kept)


def _text(rules: Rules | None, least: int | None, most: int | None, kept: bool) -> Test | None:
    pattern = PATTERNS[rules.pattern][0] if rules is not None and rules.pattern else None
    allowed = frozenset(getattr(rules, "in")) if rules is not None else frozenset()
    if pattern is None and not allowed and not kept:
        return _sized(least, most)

    def test(value: str) -> bool:
        size = len(value)
        if (least is not None and size < least) or (most is not None and size > most):
            return False
        if pattern is not None and not pattern(value):
            return False
        return not (allowed and value not in allowed) and not (kept and "\0" in value)

    return test


def _sized(least: int | None, most: int | None) -> Test | None:
    """The test of a length alone."""
    if least is None and most is None:
        return None
    from_, to = least or 0, most if most is not None else sys.maxsize
    return lambda value: from_ <= len(value) <= to


def _limits(rules: Rules | None) -> tuple[int | None, int | None]:
    if rules is None:
        return None, None
    return (rules.min if rules.HasField("min") else None), (rules.max if rules.HasField("max") else None)
