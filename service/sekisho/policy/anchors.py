"""What a condition demands of a key, as something to look up: a text, the beginning or the end of a text, a range of addresses.

Only for conditions that a request without such a value cannot meet: no negation, no IfExists, no quantifier, no variable in the value.
Those that cannot be looked up can still be asked by their value alone (`conditions.Compiled.fits`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from sekisho.policy import operands, patterns

Kind = tuple[str, str, int]  # key; text, start, end or address; length of the start or end, mask of the address
Place = tuple[Kind, str | int]
Anchor = tuple[Place, ...]  # one for each listed value: the condition needs one of them
Maker = Callable[[str, str], Place | None]  # of a key and a listed value; None for a value that cannot be looked up so
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


def anchors(key: str, values: Sequence[str], makers: Sequence[Maker]) -> Iterator[Anchor]:
    """The ways in which a key can be looked up by the listed values, each by a maker that has a place for all of them."""
    for make in makers if values else ():
        places = [make(key, value) for value in values]
        found = tuple(place for place in places if place is not None)
        if len(found) == len(places):
            yield found


def text(key: str, value: str) -> Place | None:
    """The whole text."""
    return (key, "text", 0), value


def start(key: str, value: str) -> Place | None:
    """What stands before the first wildcard."""
    start = patterns.literal_prefix(patterns.tokens(value))
    return ((key, "start", len(start)), start) if start else None


def end(key: str, value: str) -> Place | None:
    """What stands after the last wildcard."""
    end = value[max(value.rfind("*"), value.rfind("?")) + 1 :]
    return ((key, "end", len(end)), end) if end else None


def address(key: str, value: str) -> Place | None:
    """The range of addresses."""
    network = operands.network(value)
    return ((key, "address", network[1]), network[0]) if network is not None else None
