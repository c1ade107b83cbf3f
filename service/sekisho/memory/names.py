"""Names in memory: whose they are, by account, kind and the name in lower case; and which are nobody's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sekisho import arn
from sekisho.credentials import key_ids
from sekisho.world import EntityRecord

MOST = 65_536
"""Names that are remembered; forgotten all at once, they cost one query each."""

MOST_ABSENT = 16_384
"""Names of each kind that are remembered as nobody's; the oldest is forgotten first."""

LONGEST = 512
"""Characters of a name that is remembered: names come from callers, too."""

_KINDS = {prefix: kind for kind, prefix in key_ids.PREFIXES.items()}

Key = tuple[str, str, str]


def key(named: arn.Entity) -> Key:
    """Under what a name is remembered."""
    return named.account, named.kind, named.key


def key_of(record: EntityRecord) -> Key:
    """Under what the name of an entity is remembered."""
    return key(arn.Entity(record.account_id, record.kind, record.path, record.name))


@dataclass(frozen=True, slots=True)
class Name:
    """The bearer of a name, with the name in its own case and the path: what its ARN is made of."""

    id: str
    path: str
    name: str


class Names:
    """One table of names; changed by one thread at a time, read by all."""

    def __init__(self) -> None:
        self._names: dict[Key, Name] = {}
        self._keys: dict[str, Key] = {}
        self._absent: dict[str, dict[Key, None]] = {}

    def get_name(self, named: Key) -> Name | None:
        """The bearer of a name; None when it is not remembered."""
        return self._names.get(named)

    def is_absent(self, named: Key) -> bool:
        """Whether it is remembered that nobody has the name."""
        return named in self._absent.get(named[1], ())

    def keep(self, named: Key, found: Name | None) -> None:
        """Remember whose a name is, or that it is nobody's."""
        if len(named[2]) > LONGEST:
            return
        absent = self._absent.setdefault(named[1], {})
        if found is None:
            absent[named] = None
            if len(absent) > MOST_ABSENT:
                del absent[next(iter(absent))]
            return
        absent.pop(named, None)
        if len(self._names) >= MOST:
            self._names.clear()
            self._keys.clear()
        self.forget(found.id)
        self._names[named], self._keys[found.id] = found, named

    def forget(self, id_: str) -> None:
        """Forget the name of an id."""
        named = self._keys.pop(id_, None)
        if named is not None:
            self._names.pop(named, None)

    def evict(self, id_: str) -> None:
        """Forget what a change of an id makes stale: its name, and that nobody has the one that it may have got.

        The change log says the id and not the name, so all absent names of the kind go; ids without a prefix are of the other kinds.
        """
        self.forget(id_)
        kind = _KINDS.get(id_[:4])
        if kind is not None:
            self._absent.pop(kind, None)
        else:
            for other in [other for other in self._absent if other not in key_ids.PREFIXES]:
                self._absent.pop(other, None)

    def all(self) -> tuple[Mapping[Key, Name], Sequence[Key]]:
        """All names that are remembered, and those that are nobody's."""
        return dict(self._names), [named for absent in self._absent.values() for named in absent]

    def clear(self) -> None:
        """Forget everything."""
        self._names.clear()
        self._keys.clear()
        self._absent.clear()
