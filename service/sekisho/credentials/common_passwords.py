"""Passwords that many people have chosen, which whoever guesses tries first.

NIST SP 800-63B-4, section 3.1.1.2, has a new password compared with a list of them. The list is that of zxcvbn: the 30,000 most frequent of
several leaks. It is loaded when the first password is set, and takes 14 MiB from then on.
"""

from functools import cache
from itertools import pairwise


def is_common(password: str) -> bool:
    """Whether the list has the password in any case, or its letters where they are most of it, or what either of them repeats."""
    folded = password.casefold()
    letters = "".join(sign for sign in folded if sign.isalpha())
    texts = [folded, folded.strip("".join(sign for sign in folded if not sign.isalnum()))]
    texts += [letters] if 2 * len(letters) >= len(folded) else []
    units = [_unit(text) for text in texts]
    return len(units[0]) <= _SHORT or _is_run(folded) or not _listed().isdisjoint((*texts, *units))


_SHORT = 4
"""What repeats so few characters, or fewer, is common, whatever they are."""


def _unit(text: str) -> str:
    """The shortest text of which this one is a repetition, whole; itself where it repeats nothing."""
    return text[: (text + text).find(text, 1)]


def _is_run(text: str) -> bool:
    """Whether each character is the neighbour of the one before, always in the same direction: `abcdefgh`, `87654321`."""
    return any(all(_step(one, two) == step for one, two in pairwise(text)) for step in (1, -1))


def _step(one: str, two: str) -> int:
    """How far it is from one character to the next; from 9 to 0 it is one, too."""
    return 1 if one + two == "90" else -1 if one + two == "09" else ord(two) - ord(one)


@cache
def _listed() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 70 ms, and memory: most processes set no password

    return frozenset(FREQUENCY_LISTS["passwords"])
