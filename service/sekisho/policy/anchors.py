"""What a condition demands of a key, as something to look up: a text, the beginning or the end of a text, a range of addresses.

Only for conditions that a request without such a value cannot meet: no negation, no IfExists, no quantifier, no variable in the value.
Those that cannot be looked up can still be asked by their value alone (`conditions.Compiled.fits`).
"""

from collections.abc import Callable, Iterator, Mapping

from sekisho.policy import conditions, operands, patterns
from sekisho.policy.document import Condition

Kind = tuple[str, str, int]  # key; text, start, end or address; length of the start or end, mask of the address
Anchor = tuple[tuple[Kind, str | int], ...]  # one for each listed value: the condition needs one of them
Reader = Callable[[str], str | int | None]  # what to look up for a value; None for a value that cannot be read

_READERS: Mapping[str, Callable[[int], Reader]] = {
    "start": lambda length: lambda value: value[:length],
    "end": lambda length: lambda value: value[-length:],
    "address": lambda mask: lambda value: None if (number := operands.address(value)) is None else number & mask,
}


def reader(kind: Kind) -> Reader | None:
    """How to read a value for a kind; None where it is looked up as it is."""
    _, name, size = kind
    return _READERS[name](size) if name in _READERS else None


def anchors(condition: Condition, *, dynamic: bool) -> Iterator[Anchor]:
    """The ways in which a condition can be looked up, any of which will do."""
    form = _demanding(condition, dynamic=dynamic)
    if form is None:
        return
    key = condition.key.lower()
    for make in _MAKERS.get(form.name, ()):
        places = [make(key, value) for value in condition.values]
        found = tuple(place for place in places if place is not None)
        if found and len(found) == len(places):
            yield found


def _demanding(condition: Condition, *, dynamic: bool) -> conditions.Form | None:
    form = conditions.form(condition.operator)
    if form is None or not form.is_plain or not condition.values or (dynamic and any("${" in value for value in condition.values)):
        return None
    return form


def _text(key: str, value: str) -> tuple[Kind, str | int] | None:
    return (key, "text", 0), value


def _start(key: str, value: str) -> tuple[Kind, str | int] | None:
    start = patterns.literal_prefix(patterns.tokens(value))
    return ((key, "start", len(start)), start) if start else None


def _end(key: str, value: str) -> tuple[Kind, str | int] | None:
    end = value[max(value.rfind("*"), value.rfind("?")) + 1 :]
    return ((key, "end", len(end)), end) if end else None


def _address(key: str, value: str) -> tuple[Kind, str | int] | None:
    network = operands.network(value)
    return ((key, "address", network[1]), network[0]) if network is not None else None


_MAKERS: Mapping[str, tuple[Callable[[str, str], tuple[Kind, str | int] | None], ...]] = {
    "StringEquals": (_text,),
    "StringLike": (_start, _end),
    "IpAddress": (_address,),
}
