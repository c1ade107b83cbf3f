"""The languages of what policies write: patterns of actions and resources, listed values of conditions, segments of ARNs.

Each says exactly what the matcher of `policy` says that has the same pattern. Values that stand for themselves in a variable's place are
literal text here, as there.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain

from sekisho.analysis.solver import languages
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.languages import ALL, ANYTHING, NO_COLON, Chars, Item, Language, Run
from sekisho.policy import patterns, variables
from sekisho.policy.patterns import ANY, ONE, Token
from sekisho.policy.rules import completed
from sekisho.policy.variables import Part, Variable

LOWER = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
_NAMES = f"{LOWER}{DIGITS}-_."
_DIGIT = languages.of(DIGITS)
ACCOUNT: Run = (_DIGIT,) * 12
PARTITION: Run = (*languages.text("arn:aws"), languages.of(f"{LOWER}-", repeats=True))
_NAME: Run = (languages.of(_NAMES), languages.of(_NAMES, repeats=True))
ACTION = Language([(*_NAME, languages.one(":"), *_NAME)])
"""An action in lower case: a service, a colon, a name."""
ARN = Language(
    [
        (
            *PARTITION,
            languages.one(":"),
            languages.of(f"{LOWER}{DIGITS}-"),
            languages.of(f"{LOWER}{DIGITS}-", repeats=True),
            *(languages.one(":"), languages.of(f"{LOWER}{DIGITS}-", repeats=True), languages.one(":"), *account, languages.one(":")),
            Item(Chars(frozenset("*?:$ "), True)),
            Item(Chars(frozenset("*?$ "), True), True),
        )
        for account in ((), ACCOUNT)
    ]
)
"""An ARN as people know them."""


def plain(tokens: Sequence[Token], chars: Chars = ALL) -> Run:
    """A pattern whose wildcards match any character of a class."""
    return _run(patterns.normal(tokens), lambda _: chars, chars)


def of_resource(tokens: Iterable[Token]) -> Run:
    """A pattern of a Resource element: a star crosses colons only where it ends a segment, and `?` never is a colon."""
    pattern = patterns.normal(tuple(tokens))
    return _run(pattern, lambda i: ALL if _is_end(pattern[i + 1 :]) else NO_COLON, NO_COLON)


def of_written_resource(pattern: str) -> Run:
    """A pattern as a Resource element writes it, without variables."""
    return of_resource(
        part for part in completed(variables.parse(pattern, variables=False, wildcards=True)) if not isinstance(part, Variable)
    )


def of_action(pattern: str) -> Run | None:
    """A pattern of an Action element, in lower case; None where no action matches. A star never crosses the colon."""
    lowered = pattern.lower()
    if not lowered.strip("*"):
        return (ANYTHING,)
    service, colon, name = lowered.partition(":")
    if not colon:
        return None
    return (*plain(patterns.tokens(service), NO_COLON), languages.one(":"), *plain(patterns.tokens(name)))


def in_any_case(value: str) -> Run:
    """The texts that are this one in whatever case: those whose `lower` is its own."""
    lowered = value.lower()
    if any(char in lowered for char in _UNSTEADY):
        raise TooHard(f"`{value[:40]}` is compared in any case, and what is lower case of it depends on its neighbours")
    capitals = _capitals() if not lowered.isascii() else _ASCII
    return tuple(languages.of({char, *capitals.get(char, ())}) for char in lowered)


_UNSTEADY = "\u03c3\u03c2\u0307"  # both small letters sigma, of which the end of a word decides; the dot that a capital I may have
_ASCII = {**{char: (char.upper(),) for char in LOWER}, "k": ("K", "\u212a")}
"""Of letters of ASCII: who has them as lower case; U+212A, the Kelvin sign, is the one character beside their capitals."""


@lru_cache(maxsize=1)
def _capitals() -> dict[str, list[str]]:
    """Of every character: which others have it as lower case."""
    found: dict[str, list[str]] = {}
    for char in map(chr, range(sys.maxunicode)):
        lowered = char.lower()
        if lowered != char:
            found.setdefault(lowered, []).append(char)
    return found


def of_arn(tokens: Sequence[Token]) -> Run | None:
    """A pattern of an ARN, segment by segment; None where it has not six segments, or none that an ARN can begin with."""
    segments: list[list[Token]] = [[]]
    for token in tokens:
        if isinstance(token, str):
            first, *others = token.split(":", 6 - len(segments))
            segments[-1].append(first)
            segments.extend([other] for other in others)
        else:
            segments[-1].append(token)
    if len(segments) != 6:
        return None
    scheme, *middle, last = map(patterns.normal, segments)
    run: list[Item] = list(languages.text("arn:")) if patterns.matcher(scheme)("arn") else [NOTHING]
    for segment in middle:
        run += (*plain(segment, NO_COLON), languages.one(":"))
    return (*run, *plain(last))


NOTHING = Item(Chars(frozenset(), False))
"""A character that there is none of."""
READABLE_ARN = Language([(*languages.text("arn:"), *(Item(NO_COLON, True), languages.one(":")) * 4, ANYTHING)])
"""Six segments of which the first is `arn`."""


def united(runs: Iterable[Run | None]) -> Language:
    """The union of those that there are."""
    return Language(run for run in runs if run is not None)


def _run(pattern: tuple[Token, ...], repeated: Callable[[int], Chars], single: Chars) -> Run:
    run: list[Item] = []
    for i, token in enumerate(pattern):
        if isinstance(token, str):
            run += languages.text(token)
        elif token is ONE:
            run.append(Item(single))
        else:
            run.append(Item(repeated(i), True))
    return tuple(run)


def _is_end(following: Sequence[Part]) -> bool:
    """A segment ends where this follows: nothing, or a colon."""
    return not following or (isinstance(following[0], str) and following[0].startswith(":"))


def written(tokens: Sequence[Token]) -> Run:
    """The text itself, wildcards and all."""
    return languages.text(patterns.text_of(tokens))


def written_in_any_case(tokens: Sequence[Token]) -> Run:
    """The same in whatever case."""
    return in_any_case(patterns.text_of(tokens))


SHAPES: dict[str, Callable[[Sequence[Token]], Run | None]] = {
    "exact": written,
    "any case": written_in_any_case,
    "like": plain,
    "arn": of_arn,
    "resource": of_resource,
}
"""How a listed value or a resource becomes a run, by the name of the comparison."""

SOME = "\ud800"
"""Stands for the value of the first variable that a pattern names, of the second the next character, ...: no text has half of a pair."""


def relaxed(shape: str, parts: Iterable[Part]) -> Language:
    """All texts that a pattern with variables could match, whatever their values, and more."""
    tokens = [ANY if isinstance(part, Variable) else part for part in parts if part != ""]  # a default may be an empty text
    if shape == "any case":
        pieces = [(ANYTHING,) if token is ANY else in_any_case(patterns.text_of([token])) for token in tokens]
        return Language([tuple(chain.from_iterable(map(_before_dots, pieces, [*pieces[1:], ()])))])
    return Language([plain(tokens)])


def _before_dots(piece: Run, following: Run) -> Run:
    """A piece in any case before a value that may begin with U+0307, the dot above: `i` and that dot are the lower case of U+0130."""
    if following != (ANYTHING,) or piece == (ANYTHING,) or not piece[-1].chars.has("i"):
        return piece
    return (*piece[:-1], languages.of({*piece[-1].chars.chars, "\u0130"}))


def symbolic(shape: str, parts: Sequence[Part], symbols: dict[str, str], *, wide: bool) -> Language | None:
    """A pattern in which each variable is one character that no text has; None where the shape does not let a value be told so.

    Where a text fits such a pattern for every value of the variables, it does so with the characters in the values' place. `wide` gives
    a language that has no less than that, else it has no more: only a star that crosses everything takes a value, whatever that is.
    """
    if shape not in ("exact", "like", "resource"):
        return None
    run: list[Item] = []
    for i, part in enumerate(parts):
        if isinstance(part, Variable):
            name = f"{part.key}\0{part.default}"
            run.append(languages.one(symbols.setdefault(name, chr(ord(SOME) + len(symbols)))))
        elif isinstance(part, str):
            run += languages.text(part)
        elif shape == "exact":
            run += languages.text(part.value)
        elif part is ANY:
            run.append(ANYTHING if wide or shape == "like" or _is_end(parts[i + 1 :]) else Item(_TAKES_NO_VALUE, True))
        else:
            run.append(Item(ALL if wide else _TAKES_NO_VALUE))
    return Language([tuple(run)])


def without_symbols(language: Language) -> Language:
    """A language of which only stars that cross everything take a symbol: a part of it, for any values."""
    return Language(tuple(item if item == ANYTHING else _unsymbolic(item) for item in run) for run in language.runs)


def _unsymbolic(item: Item) -> Item:
    return Item(Chars(item.chars.chars | _ALL_SYMBOLS, True), item.repeats) if item.chars.negated else item


MAX_SYMBOLS = 32
_ALL_SYMBOLS = frozenset(chr(ord(SOME) + i) for i in range(MAX_SYMBOLS))
_TAKES_NO_VALUE = Chars(NO_COLON.chars | _ALL_SYMBOLS, True)
