"""The fast yes or no about a request is that of the walk which says what is wrong, for every request of the registry."""

import os
import random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from sekisho import operations
from sekisho.operations import OPERATIONS, Operation, annotations, validation
from sekisho.operations.fine import fine

operations.load()
TEXTS = (
    "", "a", "Active", "alice", "a b", "/", "/a/", "a/", "é", "字", "\0", "a\0b", "arn:aws:iam::111122223333:user/a", "x" * 64, "x" * 65,
    "x" * 129, "x" * 513, "x" * 2049, "123456", "111122223333", "v1", "v0", "AKIAAAAAAAAAAAAAAAAA", "true", "*", "-", "a--b", "\t", "\x7f",
)  # fmt: skip
NUMBERS = (-1, 0, 1, 2, 899, 900, 901, 1000, 1001, 3600, 43_200, 43_201, 2**31 - 1)
CASES = int(os.environ.get("FILLED", "40"))
"""Of each operation; `make campaign` takes more."""


LENGTHS = (0, 1, 1, 2, 3, 51, 129)
SHORT = LENGTHS[:-2]
"""Of lists in an entry of a long list, of which there would be too many otherwise."""


def filled(message: Any, chance: random.Random, depth: int = 0, lengths: tuple[int, ...] = LENGTHS) -> Any:
    """Set some fields of a message to something or other, its lists to one of these lengths."""
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.4:
            continue
        if field.is_repeated:
            _fill_list(message, field, chance, depth, lengths)
        elif field.message_type is None:
            setattr(message, field.name, _value(field, chance))
        elif depth < 2:
            filled(getattr(message, field.name), chance, depth + 1, lengths)
            getattr(message, field.name).SetInParent()
    return message


def _fill_list(message: Any, field: FieldDescriptor, chance: random.Random, depth: int, lengths: tuple[int, ...]) -> None:
    held = getattr(message, field.name)
    entry = field.message_type is not None and field.message_type.GetOptions().map_entry
    length = chance.choice(lengths)
    inner = lengths if length in SHORT else SHORT
    for number in range(length):
        if entry and field.message_type is not None and field.message_type.fields_by_name["value"].message_type is not None:
            filled(held[f"{chance.choice(TEXTS)}{number}"], chance, depth + 1, inner)
        elif entry:
            held[f"{chance.choice(TEXTS)}{number}"] = chance.choice(TEXTS)
        elif field.message_type is None:
            held.append(_value(field, chance))
        elif depth < 2:
            filled(held.add(), chance, depth + 1, inner)


def _value(field: FieldDescriptor, chance: random.Random) -> Any:
    rules = annotations.rules(field)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice(TEXTS).encode()
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return chance.choice((*TEXTS, *getattr(rules, "in"))) if rules is not None else chance.choice(TEXTS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return chance.random()
    return chance.choice(NUMBERS) if field.enum_type is None else chance.choice(field.enum_type.values).number


def breaks(message: Message) -> bool:
    """Whether the walk finds anything."""
    return next(iter(validation._violations(message, "")), None) is not None


@pytest.mark.parametrize("found", OPERATIONS.values(), ids=[f"{package}-{name}" for package, name in OPERATIONS])
def test_fine_is_what_breaks_no_rule(found: Operation) -> None:
    chance = random.Random(found.name)
    for _ in range(CASES):
        request = filled(found.request(), chance)
        assert fine(request) is not breaks(request), request


def test_both_answers_come_up() -> None:
    chance = random.Random(1)
    answers = [fine(filled(found.request(), chance)) for found in OPERATIONS.values() for _ in range(20)]
    assert answers.count(True) > 100
    assert answers.count(False) > 1000


def test_rules_reach_messages_in_messages() -> None:
    request: Any = OPERATIONS["authorize", "AuthorizeBatch"].request()
    request.requests.add(action="a:B", resource="*")
    assert fine(request)
    request.requests.add(action="", resource="*")
    assert not fine(request)
