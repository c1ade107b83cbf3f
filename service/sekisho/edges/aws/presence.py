"""Which members an answer has: AWS's habits where the model does not tell them, from one table for all protocols.

Without a row, lists and maps at the top of an answer are sent though empty, and so are those that the model requires; others are left out
when empty, and every other member is there when the message has it. A row of `presence.tsv` names a member by its path, and says

    empty    the list or map is sent though empty
    absent   the list or map is left out when empty, though it is at the top
    never    the operation's answer does not have the member, though others of the same shape do

with its source: AWS's own pages, or answers of AWS that others recorded and published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

EMPTY, ABSENT, NEVER = "empty", "absent", "never"

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """The rows about the members of one structure, by path from there."""

    rows: frozenset[tuple[Path, str]] = frozenset()

    def within(self, member: str) -> "Presence":
        """The rows about what a member holds."""
        return Presence(frozenset((path[1:], when) for path, when in self.rows if len(path) > 1 and path[0] == member))

    def never(self, member: str) -> bool:
        """Whether answers leave the member out, whatever it holds."""
        return ((member,), NEVER) in self.rows

    def always(self, member: str, *, otherwise: bool) -> bool:
        """Whether an empty list or map is sent; `otherwise` is what holds without a row."""
        if ((member,), EMPTY) in self.rows:
            return True
        return otherwise and ((member,), ABSENT) not in self.rows


@cache
def table() -> Mapping[tuple[str, str], Presence]:
    """The rows by service, as AWS names it, and operation."""
    found: dict[tuple[str, str], set[tuple[Path, str]]] = {}
    lines = resources.files(__package__).joinpath("presence.tsv").read_text("utf-8").splitlines()
    for line in lines[1:]:
        service, operation, member, when, _ = line.split("\t")
        found.setdefault((service, operation), set()).add((tuple(member.split(".")), when))
    return MappingProxyType({key: Presence(frozenset(rows)) for key, rows in found.items()})


def of(service: str, operation: str) -> Presence:
    """The rows about an operation's answer."""
    return table().get((service, operation), Presence())
