"""Languages: the sets of texts that policies speak of, and the one question about several of them, which is answered exactly.

A Run is a sequence of classes of characters, some of which repeat: `s3:Get*` is six classes of one character and one of all that repeats.
A Language is a union of runs. It is asked as one automaton without backtracking, shift-and with self-loops (Baeza-Yates and Gonnet, 1992),
whose states are the bits of one number, as in `policy.patterns`.

`find` is the shortest text that is in some languages and in none of some others: it walks what their automata reach together, letter by
letter, where all letters that nobody names are one. No text is found only where there is none. How many states that takes is not bounded by
the size of the patterns, so effort is.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from sekisho.analysis.solver.effort import Effort

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_/.:"
_NAMELESS = "xyzwvabcdefghijklmnopqrstu0123456789XYZ"
_GUESSED = 64  # runs of which a text is tried
_COVERING = 64  # items of a run that is too long to be held against each other run
_PLACES = {letter: place for place, letter in enumerate(_LETTERS)}


class Chars(NamedTuple):
    """A class of characters: these, or all but these."""

    chars: frozenset[str]
    negated: bool

    def has(self, char: str) -> bool:
        """The character belongs to the class."""
        return (char in self.chars) is not self.negated

    def within(self, other: "Chars") -> bool:
        """Each character of this class belongs to the other, too."""
        if not self.negated:
            return all(map(other.has, self.chars))
        return other.negated and other.chars <= self.chars

    def both(self, other: "Chars") -> "Chars":
        """The characters of both."""
        if self.negated and other.negated:
            return Chars(self.chars | other.chars, True)
        some, rest = (other, self) if self.negated else (self, other)
        return Chars(frozenset(filter(rest.has, some.chars)), False)


class Item(NamedTuple):
    """One character of a class, or any number of them."""

    chars: Chars
    repeats: bool = False


Run = tuple[Item, ...]

ALL = Chars(frozenset(), True)
NO_COLON = Chars(frozenset(":"), True)
ANYTHING = Item(ALL, True)


@lru_cache(maxsize=1024)
def one(char: str) -> Item:
    """This character alone."""
    return Item(Chars(frozenset(char), False))


def text(literal: str) -> Run:
    """The run of one text."""
    return tuple(map(one, literal))


def of(chars: Iterable[str], *, repeats: bool = False) -> Item:
    """One of these characters."""
    return Item(Chars(frozenset(chars), False), repeats)


def restricted(run: Run, chars: Chars) -> Run | None:
    """The texts of a run that have no characters but these; None where there are none."""
    kept = [Item(item.chars.both(chars), item.repeats) for item in run]
    empty = Chars(frozenset(), False)
    if any(item.chars == empty and not item.repeats for item in kept):
        return None
    return tuple(item for item in kept if item.chars != empty)


def joined(run: Run) -> Run:
    """The same run without neighbours that both repeat: of `a*` beside `?*` only the wider one is left."""
    kept: list[Item] = []
    for item in run:
        if item.repeats and kept and kept[-1].repeats:
            before = kept[-1].chars
            if item.chars.within(before):
                continue
            if not before.within(item.chars):
                raise ValueError("two repeated classes side by side, neither within the other")
            kept.pop()
        kept.append(item)
    return tuple(kept)


def covers(wide: Run, narrow: Run) -> bool:
    """The closed form of containment: each text of `narrow` is one of `wide`, where that shows without a search. False says nothing.

    The narrow run is read as if it were a text, whose repeated classes only a repeated class can take.
    """
    live, end = 1, 1 << len(wide)
    for item in narrow:
        went = 0
        for place, own in enumerate(wide):
            bit = live & 1 << place
            if not bit:
                continue
            if own.repeats:
                live |= bit << 1  # it may take nothing at all
                if item.chars.within(own.chars):
                    went |= bit
            elif not item.repeats and item.chars.within(own.chars):
                went |= bit << 1
        if not went:
            return False
        live = went
    for place, own in enumerate(wide):
        if own.repeats and live & 1 << place:
            live |= 1 << place + 1
    return live & end != 0


class Language:
    """A union of runs; immutable."""

    __slots__ = ("_hash", "_machine", "runs")

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = frozenset(runs)
        self._hash = hash(self.runs)
        self._machine: _Machine | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Language) and self.runs == other.runs

    def has(self, value: str) -> bool:
        """The text is one of the language."""
        machine = self.machine
        live = machine.start
        for char in value:
            live = machine.step(live, char)
            if not live:
                return False
        return live & machine.accepting != 0

    @property
    def is_closed(self) -> bool:
        """Its texts can be spelled one by one."""
        return not any(map(_is_open, self.runs))

    @property
    def machine(self) -> "_Machine":
        """The automaton, made when it is first asked."""
        if self._machine is None:
            self._machine = _Machine(self.runs)
        return self._machine


NOTHING = Language(())
EVERYTHING = Language([(ANYTHING,)])
EMPTY_TEXT = Language([()])


def literals(texts: Iterable[str]) -> Language:
    """These texts."""
    return Language(map(text, texts))


class _Machine:
    """The runs side by side: a bit for each place of each run, and one for its end."""

    __slots__ = ("_loops", "_others", "_steps", "accepting", "chars", "done", "start")

    def __init__(self, runs: Iterable[Run]) -> None:
        self.start = self.accepting = self.done = 0
        named: dict[
            str, list[int]
        ] = {}  # bits that the character moves on, bits that it keeps, and both where it does not as the others do
        moved = kept = size = 0
        for run in map(joined, runs):
            self.start |= 1 << size
            for item in run:
                bit = 1 << size
                for char in item.chars.chars:
                    marks = named.setdefault(char, [0, 0, 0, 0])
                    marks[item.repeats + 2 * item.chars.negated] |= bit
                if item.chars.negated:
                    moved, kept = (moved, kept | bit) if item.repeats else (moved | bit, kept)
                if item.repeats:
                    continue
                size += 1
            self.accepting |= 1 << size
            if run and run[-1] == ANYTHING:
                self.done |= 1 << size
            size += 1
        self.chars = frozenset(named)
        self._others = (moved, kept)
        self._steps = {char: ((moved & ~m[2]) | m[0], (kept & ~m[3]) | m[1]) for char, m in named.items()}
        self._loops = {char: (move ^ moved) | (keep ^ kept) for char, (move, keep) in self._steps.items()}

    def step(self, live: int, char: str) -> int:
        """The places after one more character."""
        move, keep = self._steps.get(char, self._others)
        return (live & move) << 1 | live & keep

    def differs(self, live: int, char: str) -> bool:
        """Whether the character does another thing here than one that nobody names."""
        return live & self._loops.get(char, 0) != 0


def guess(within: Sequence[Language], without: Sequence[Language]) -> str | None:
    """Some text that is in all of `within` and in none of `without`, where that is easily seen; None says nothing."""
    first = min(within or (EVERYTHING,), key=lambda language: len(language.runs))
    named = frozenset[str]().union(*(language.machine.chars for language in (*within, *without)))
    other = _other(named)
    for run in list(first.runs)[:_GUESSED]:
        for filling in ("", other):
            value = "".join(_filled(item, filling, other) for item in run)
            if all(one.has(value) for one in within) and not any(one.has(value) for one in without):
                return value
    return None


def _filled(item: Item, filling: str, other: str) -> str:
    if item.repeats:
        return filling if item.chars.negated else ""
    return other if item.chars.negated else min(item.chars.chars, default="")


def find(within: Sequence[Language], without: Sequence[Language], effort: Effort) -> str | None:
    """The shortest text that is in all of `within` and in none of `without`; None where there is none. TooHard where effort ends."""
    if not within:
        within = (EVERYTHING,)
    first = min(within, key=lambda language: sum(map(_is_open, language.runs)))
    others = [language for language in within if language is not first]
    known = frozenset[Run]().union(*(language.runs for language in without))
    wide = [run for run in known if len(run) < _COVERING and _is_open(run)]
    open_: list[Run] = []
    best: str | None = None
    for run in first.runs - known:
        if _is_open(run):
            open_.append(run)
            continue
        for value in _spelled(run):
            effort.spend(1 + len(value) * (len(others) + len(without)) // 16)
            if all(one.has(value) for one in others) and not any(one.has(value) for one in without):
                best = value if best is None or (len(value), value) < (len(best), best) else best
    effort.spend(len(open_) * len(wide) // 4)
    open_ = [run for run in open_ if not any(covers(one, run) for one in wide)]
    if not open_:
        return best
    found = _walk([Language(open_), *others], without, effort)
    return min((one for one in (best, found) if one is not None), key=lambda value: (len(value), value), default=None)


def _walk(within: Sequence[Language], without: Sequence[Language], effort: Effort) -> str | None:
    """The same by walking through all of the automata at once, breadth first."""
    machines = [language.machine for language in (*within, *without)]
    wanted = len(within)
    chars = sorted(
        frozenset[str]().union(*(machine.chars for machine in machines)), key=lambda char: (_PLACES.get(char, len(_LETTERS)), char)
    )
    other = _other(frozenset(chars))
    start = tuple(machine.start for machine in machines)
    steps: list[tuple[int, str]] = [(-1, "")]  # of each state: the one before, and the character between
    states, seen = [start], {start}
    width = 1 + sum(machine.accepting.bit_length() for machine in machines) // 1024
    for at, state in enumerate(states):
        places = list(zip(machines, state, strict=True))
        if all(live & machine.accepting for machine, live in places[:wanted]) and not any(
            live & machine.accepting for machine, live in places[wanted:]
        ):
            return _told(steps, at)
        effort.spend(width)
        for char in (*(char for char in chars if any(machine.differs(live, char) for machine, live in places)), other):
            following = _following(places, char, wanted)
            if following is not None and following not in seen:
                seen.add(following)
                states.append(following)
                steps.append((at, char))
    return None


def _following(places: Sequence[tuple[_Machine, int]], char: str, wanted: int) -> tuple[int, ...] | None:
    """The state after a character; None where nothing that follows can be what is looked for."""
    following = []
    for number, (machine, live) in enumerate(places):
        now = machine.step(live, char)
        if (not now) if number < wanted else (now & machine.done):
            return None
        following.append(now)
    return tuple(following)


def _told(steps: Sequence[tuple[int, str]], at: int) -> str:
    chars = []
    while at >= 0:
        at, char = steps[at]
        chars.append(char)
    return "".join(reversed(chars))


def _other(named: frozenset[str]) -> str:
    """A character that nobody names, and that people can read where there is one."""
    return next(char for char in chain(_NAMELESS, map(chr, range(0x100, 0xD800))) if char not in named)


def _is_open(run: Run) -> bool:
    """Whether a run has more texts than can be spelled one by one."""
    choices = 1
    for item in run:
        if item.repeats or item.chars.negated:
            return True
        choices *= len(item.chars.chars)
        if choices > 64:
            return True
    return False


def _spelled(run: Run) -> list[str]:
    """All texts of a run that is not open."""
    texts = [""]
    for item in run:
        texts = [value + char for value in texts for char in sorted(item.chars.chars)]
    return texts
