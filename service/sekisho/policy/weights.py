"""What tests weigh: patterns, readings of values, and the conditions and resources that are made of them, each at its worst.

The constants are nanoseconds of CPU on the machine of docs/benchmarks.md when it is quiet, CPython 3.11, each of the input that hurts most.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sekisho.policy import keys, patterns, variables
from sekisho.policy.budget import Weight
from sekisho.policy.patterns import ANY, ONE
from sekisho.policy.variables import Part

ENTRY = 30  # a turn of the loop over entries
TEST = 50  # fetching a key's value, and the frames around it
LINK = 60  # a prefix that is looked at
POLICY = 4_000  # asking one of many policies, whatever it says
NAMED = 1_500  # whether a Principal element means somebody: a dozen look-ups
TOLD = 1_500  # a statement among the reasons of a decision
LOOKED = 100  # a look into a table of what is known
LACKING = 1_500  # asking a condition whether the request lacked its key, and how that is spelled

_CALL = 50  # a matcher
_PIECE = 60  # one more `find`, of one more literal
_COMPARED = 1.0  # a character of `startswith`, where text and pattern have characters of different widths
_SEARCHED = 2.8  # a character of `find`: it stops at every other one
_SEARCHED_LONG = 0.32  # ... and compares a good part of the piece again each time; longer ones than `keys.LONG` are searched in linear time
_STEP = 115  # a character of the automaton
_STEP_WIDE = 0.035  # ... for each of its bits
_WIDE = 60  # ... and once integers are large, of as many bits
_ACTION = 150  # a pattern of an action
_COPIED = 0.2  # a character that is cut out or put together
_LOWERED = 18.0  # a character, of those that become two
_HASHED = 3.0  # a character that a variable brings: put in, joined and hashed
_PART = 150  # putting one part of a pattern together
_MADE = 4_000  # a matcher that no cache knows
_MADE_PART = 700  # ... for each of its parts
_MADE_WIDE = 150  # a character of a new automaton
_MADE_ARN = 25_000
_ARN = 500  # the segments of an ARN against those of a pattern
_SEGMENTS = 250  # splitting an ARN
_SEGMENT = 110  # ... where one has wildcards
_READ = 110  # a value that has been read before
_READ_ANEW = 300  # a value that is read each time
_COMPARISON = 80  # of two numbers, through a function
_MASKED = 70  # an address within a range
_FOUND = 30  # a value among a set of texts
_DECODED = 1.5  # a character of base64

READINGS = {"numeric": 1_800, "date": 9_000, "ip": 9_000}  # a value that no cache knows; once a decision, whoever asks


class Cost(NamedTuple):
    """Of listed values: once for a test, and for each value of the request; for each character, and each square, of the values."""

    once: float = 0.0
    each: float = 0.0
    characters: float = 0.0
    squares: float = 0.0

    def condition(self, *, several: bool) -> Weight:
        """The weight of a condition; `several`: it asks each value of a key that has more than one."""
        if several:
            return Weight(TEST + self.once, self.each, self.characters, self.squares)
        return Weight(TEST + self.once + self.each, 0.0, self.characters, self.squares)


Listed = Sequence[tuple[Part, ...]]

_LOOKED_UP = Cost(0.0, _FOUND)


def looked_up(listed: Listed) -> Cost:
    """Values among a set of texts."""
    brought = _brought(listed)
    return Cost(_joined(listed), _FOUND, brought * _HASHED) if brought else _LOOKED_UP


def looked_up_lowered(listed: Listed) -> Cost:
    """The same in lower case."""
    return Cost(_joined(listed), _READ, _LOWERED + _brought(listed) * (_HASHED + _LOWERED))


def compared(listed: Listed) -> Cost:
    """Values that are read and compared with each listed one."""
    return Cost(0.0, _READ + float(_COMPARISON * len(listed)))


def in_networks(listed: Listed) -> Cost:
    """Addresses within ranges."""
    return Cost(0.0, _READ + float(_MASKED * len(listed)))


def decoded(listed: Listed) -> Cost:
    """Values that are decoded each time."""
    return Cost(0.0, _READ_ANEW + float(_COMPARISON * len(listed)), _DECODED)


def like(listed: Listed) -> Cost:
    """Values against patterns."""
    return _sum([_pattern(parts, slow=ONE in parts and ANY in parts) for parts in listed])


def like_arns(listed: Listed) -> Cost:
    """ARNs against patterns, segment by segment; the ARN is taken apart once."""
    matched = []
    for parts in listed:
        cost = _pattern(parts, slow=ONE in parts and ANY in parts)
        wild = sum(1 for part in parts if part is ANY or part is ONE)
        made = _MADE_ARN if cost.once else 0
        matched.append(cost._replace(once=cost.once + made, each=cost.each + _ARN + _SEGMENT * min(wild, 6)))
    return _sum([Cost(0.0, _SEGMENTS, _COPIED), *matched])


def link(prefix: str) -> float:
    """One prefix of a chain."""
    return LINK + _COMPARED * len(prefix)


def resource(parts: tuple[Part, ...]) -> Weight:
    """A resource against one pattern of a Resource element."""
    first = parts[0] if parts else ""  # an empty pattern is refused when documents are validated, which may be after they are compiled
    if len(parts) <= 2 and isinstance(first, str) and parts[1:] in ((), (ANY,)):  # most are so, and compiling should not take long
        return Weight(_CALL + _COMPARED * len(first))
    brought = len(variables.referred(parts))
    if brought and not any(part is ANY or part is ONE for part in parts[:-1]) and parts[-1] is not ONE:
        return Weight(_CALL + _PART * len(parts), 0.0, brought * _COPIED, 0.0, _COMPARED)
    tokens = tuple(part for part in parts if not isinstance(part, variables.Variable))
    # What a variable brings may have a colon, which only the automaton can follow a star across.
    slow = (ONE in parts or ANY in parts[:-1]) if brought else patterns.is_slow(tokens)
    cost = _pattern(parts, slow=slow)
    return Weight(cost.once + cost.each, 0.0, brought * _HASHED, 0.0, cost.characters, cost.squares)


def lookup(actions: Sequence[str]) -> tuple[float, float]:
    """An action against all patterns of Action elements: whatever it is, and for each of its characters."""
    searched = [patterns.tokens(pattern) for pattern in actions if "?" in pattern or "*" in pattern[:-1]]
    return float(_ACTION * len(actions)), like(searched).characters


def _pattern(parts: tuple[Part, ...], *, slow: bool) -> Cost:
    """One text against one pattern, which is made anew where variables are in it, and is no longer than the text then."""
    literals = [len(part) for part in parts if isinstance(part, str)]
    brought = len(variables.referred(parts))
    each = _CALL + _PIECE * max(0, len(literals) - 1) + _COMPARED * sum(literals)
    once = characters = squares = 0.0
    if slow:
        wide = sum(literals) + parts.count(ONE)
        characters = _STEP + min(wide, _WIDE) + _STEP_WIDE * wide
    elif ANY in parts[:-1]:
        between = [len(part) for part in parts[1:-1] if isinstance(part, str)]  # the ends are looked at where they must be
        characters = _COPIED
        if between or brought:
            characters += _SEARCHED + _SEARCHED_LONG * min(max(between, default=0), keys.LONG)
    if brought:
        once = _MADE + (_PART + _MADE_PART) * len(parts)
        characters += brought * _HASHED + (_MADE_WIDE + _WIDE if slow else 0)
        squares = 0.4 * brought if slow else _SEARCHED_LONG
    return Cost(once, each, characters, squares)


def _joined(listed: Listed) -> float:
    return float(_PART * sum(map(len, listed))) if _brought(listed) else 0.0


def _brought(listed: Listed) -> int:
    return sum(len(variables.referred(parts)) for parts in listed)


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(sum, zip(*costs, strict=True))) if costs else Cost()
