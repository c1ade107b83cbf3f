"""Paths put together: principals that take the same method to the same place are one cluster, so that two thousand are some dozens."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from sekisho.analysis.escalation import Found, Path

END = -1
"""The number of what all paths lead to."""

Mark = tuple[tuple[str, ...], int, str, str]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Principals, by their short names, that do the same, one `methods` after the other, and are then in another cluster or at the end.

    `level` is how many principals there are on the way, `kind` what they all are: `user` or `role`. `target` is whom they become, the short
    name of one principal, empty where they stay who they are.
    """

    number: int
    level: int
    kind: str
    methods: tuple[str, ...]
    to: int
    target: str
    members: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its one member, or how many there are."""
        return self.members[0] if len(self.members) == 1 else f"{len(self.members)} {self.kind}s"


def short(arn: str) -> str:
    """A principal without its account: `user/division/ann`."""
    return arn.split(":", 5)[-1]


def clusters(found: Found) -> list[Cluster]:
    """The clusters, nearest to the end first, and the largest of each level first."""
    placed: dict[str, int] = {}
    levels: dict[int, int] = {END: 0}
    marks: dict[Mark, int] = {}
    members: dict[int, list[str]] = defaultdict(list)
    for path in _with_sessions(found):  # the shortest first: where a path leads is there before it
        methods, becomes = _first(path, placed)
        to = placed.get(becomes, END)
        target = "" if becomes == path.source else short(becomes)
        mark = (methods, to, target, "user" if short(path.source).startswith("user/") else "role")
        number = marks.setdefault(mark, len(marks))
        levels[number] = levels[to] + 1
        placed[path.source] = number
        members[number].append(short(path.source))
    made = [
        Cluster(number, levels[number], kind, methods, to, target, tuple(members[number]))
        for (methods, to, target, kind), number in marks.items()
    ]
    return sorted(made, key=lambda one: (one.level, -len(one.members), one.members[0]))


def _with_sessions(found: Found) -> Sequence[Path]:
    """The paths, and those of sessions that have to be of a certain name, which are parts of them; the shortest first."""
    parts: dict[str, Path] = {}
    for path in found.paths:
        for index, hop in enumerate(path.hops):
            if index and ":assumed-role/" in hop.by:
                parts.setdefault(hop.by, Path(hop.by, path.hops[index:]))
    return sorted((*found.paths, *parts.values()), key=lambda path: len(path.hops))


def _first(path: Path, placed: Container[str]) -> tuple[tuple[str, ...], str]:
    """The methods of a principal until it is another one that has a place, or at the end; and whom it is then."""
    methods = []
    for hop in path.hops:
        methods.append(hop.rule.name)
        if hop.becomes not in (path.source, hop.by) and (hop.becomes in placed or hop is path.hops[-1]):
            return tuple(methods), hop.becomes
    return tuple(methods), path.source


def columns(made: Sequence[Cluster]) -> Mapping[int, list[Cluster]]:
    """The clusters by level."""
    found: dict[int, list[Cluster]] = defaultdict(list)
    for one in made:
        found[one.level].append(one)
    return found
