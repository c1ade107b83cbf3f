"""The condition keys of a request, as far as policies ask for them: whether a key is there, and the values that it has.

A key has one value unless its row in `policy.keys` says that it has several, or some policy asks it with ForAllValues or ForAnyValue; then
it has one place for values more than there are conditions that ask: further ones could not make a difference. Each value is read in the way
of the operators that ask it: as text, number, date, boolean or address. Several ways at once are taken for independent of each other, which
only ever admits more; who finds something that way has it confirmed.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sekisho.analysis.inside import USER_ID
from sekisho.analysis.solver import subjects
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.formulas import FALSE, TRUE, Fact, Formula, every, no, some, within
from sekisho.analysis.solver.languages import EMPTY_TEXT, Language
from sekisho.policy import Program, keys
from sekisho.policy.operators import form

MAX_PLACES = 8
ALWAYS = frozenset(("aws:currenttime", "aws:epochtime", "aws:resourceaccount"))
"""Keys that every request has: the clock's, and the owner of the resource."""
_OWNED_BY_IDENTITIES = ("aws:principalorgid", "aws:principalorgpaths", "aws:principaltag/", USER_ID, "aws:sourceidentity")
"""Keys that only a principal of an account has; those of `subjects.FOLLOWING` beside them."""


@dataclass(frozen=True, slots=True)
class Key:
    """A condition key of the request, in lower case."""

    name: str
    places: int = 1  # at least two of a key that may have a list
    single: bool = True  # it may have one value that is no list
    listed: bool = False  # it may have a list

    @property
    def follows(self) -> bool:
        """The principal determines it."""
        return self.name in subjects.FOLLOWING

    @property
    def absent(self) -> Formula:
        """The request lacks it."""
        if self.follows:
            return no(subjects.of_kinds(subjects.FOLLOWING[self.name][0]))
        return FALSE if self.name in ALWAYS else Fact(f"absent {self.name}")

    @property
    def is_single(self) -> Formula:
        """It has one value, which is no list."""
        return every((no(self.absent), no(self.is_list)))

    @property
    def is_list(self) -> Formula:
        """It has a list of values."""
        if not self.listed:
            return FALSE
        return Fact(f"list {self.name}") if self.single else no(self.absent)

    def has(self, place: int) -> Formula:
        """There is a value in this place."""
        return no(self.absent) if not self.listed else Fact(f"value {self.name} {place}")

    def variable(self, place: int) -> str:
        """What the value in this place is called."""
        return f"key {self.name} {place}"

    def text(self, place: int, language: Language) -> Formula:
        """The value in this place is in a language; asked only where there is one."""
        if self.follows:
            return subjects.FOLLOWING[self.name][1](language)
        if self.name == USER_ID:
            return subjects.user_id(language)
        return within(self.variable(place), language)

    def is_nothing(self) -> Formula:
        """It has no value, or nothing but an empty text: what `Null` and ForAllValues take for nothing."""
        empty = every((self.has(0), self.text(0, EMPTY_TEXT), no(self.has(1)) if self.listed else TRUE))
        return some((self.absent, every((self.is_list, no(self.has(0)))), empty))

    def rules(self) -> list[Formula]:
        """What holds for it in every request."""
        found = []
        if self.listed:
            found += [some((no(self.has(place + 1)), self.has(place))) for place in range(self.places - 1)]
            found.append(some((no(self.absent), no(self.has(0)))))
            if self.single:
                found.append(some((no(self.absent), no(self.is_list))))
                found += [some((no(self.is_single), one)) for one in (self.has(0), no(self.has(1)))]
        if self.name.startswith(_OWNED_BY_IDENTITIES):
            found.append(some((self.absent, no(subjects.is_outside()))))
        if self.name == USER_ID:
            found.append(some((no(self.absent), subjects.is_outside())))
        return found


class Context:
    """The keys that some policies ask for; which readings of a value they ask is noted while they are translated."""

    def __init__(self, programs: Iterable[Program]) -> None:
        asked: Counter[str] = Counter()
        several: set[str] = set()
        for rule in (rule for program in programs for rule in program.rules):
            asked.update(rule.keys)
            for condition in rule.statement.conditions:
                made = form(condition.operator)
                if made is not None and made.quantifier:
                    several.add(condition.key.lower())
        self.keys = {name: _key(name, count, name in several) for name, count in asked.items()}
        self.is_whole = all(not key.listed or asked[name] < MAX_PLACES for name, key in self.keys.items())
        """Whether every key has as many places as could make a difference."""
        self.readings: dict[str, set[str]] = {}
        self.bytes: dict[str, set[bytes]] = {}  # that values are compared with, by the variable

    def key(self, name: str) -> Key:
        """The key, which is made where no policy asks for it."""
        return self.keys.setdefault(name, _key(name, 1, several=False))

    def read(self, key: Key, place: int, reading: str) -> str:
        """The variable of a value, which is now read in this way; TooHard where that cannot be told of this key."""
        if key.follows and reading != "text":
            raise TooHard(f"`{keys.canonical(key.name)}` is asked with an operator that is not one for text or ARNs")
        variable = key.variable(place)
        self.readings.setdefault(variable, set()).add(reading)
        return variable

    def is_bytes(self, variable: str, value: bytes) -> Formula:
        """A value that is read as base64 says these bytes."""
        self.bytes.setdefault(variable, set()).add(value)
        return Fact(f"{variable} {value.hex()}")

    def rules(self) -> list[Formula]:
        """What holds for the keys in every request; asked when the policies are translated."""
        found = [rule for key in self.keys.values() for rule in key.rules()]
        for variable, values in self.bytes.items():
            facts = [self.is_bytes(variable, value) for value in sorted(values)]
            found += [no(every((one, other))) for i, one in enumerate(facts) for other in facts[:i]]
        for variable, readings in self.readings.items():
            # An empty text is no number, no date, no boolean and no address; that bytes may be none is seen when a witness is confirmed.
            unread = [Fact(f"unread {variable} {reading}") for reading in sorted(readings - {"text", "bytes"})]
            found += [some((no(within(variable, EMPTY_TEXT)), one)) for one in unread]
        return found


def _key(name: str, count: int, several: bool) -> Key:
    known = keys.find(name)
    if known is not None and not known.multivalued:
        return Key(name)
    if known is not None:
        return Key(name, min(count + 1, MAX_PLACES), single=False, listed=True)
    return Key(name, min(count + 1, MAX_PLACES), listed=True) if several else Key(name)
