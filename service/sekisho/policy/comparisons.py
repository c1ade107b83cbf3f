"""Comparisons: what a value of the request has to be beside the listed ones, made ready once for many values.

A maker is told the listed values and what doubt comes to: the answer where a comparison that cannot be read would have decided.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sekisho.policy import operands, patterns
from sekisho.policy.patterns import Token

Listed = Sequence[tuple[Token, ...]]
Fits = Callable[[str], bool]  # does a value of the request fit any of the listed ones; in doubt, what the maker was told
Maker = Callable[[Listed, bool], Fits]


def texts(listed: Listed) -> frozenset[str]:
    """The listed values as they are written."""
    return frozenset(patterns.text_of(tokens) for tokens in listed)


def exact(listed: Listed, _doubt: bool) -> Fits:
    """A value is one of the listed texts."""
    return texts(listed).__contains__


def ignoring_case(listed: Listed, _doubt: bool) -> Fits:
    """The same in whatever case."""
    texts = frozenset(patterns.text_of(tokens).lower() for tokens in listed)
    return lambda value: value.lower() in texts


def like(listed: Listed, _doubt: bool) -> Fits:
    """A value matches one of the listed patterns."""
    matchers = [patterns.matcher(tokens) for tokens in listed]
    if len(matchers) == 1:
        return matchers[0]

    def fits(value: str) -> bool:
        for matches in matchers:
            if matches(value):
                return True
        return False

    return fits


def arn(listed: Listed, doubt: bool) -> Fits:
    """An ARN matches one of the listed patterns, segment by segment."""
    made = [operands.arn_matcher(tokens) for tokens in listed]
    matchers = [matches for matches in made if matches is not None]
    unread = doubt and bool(made)
    otherwise = doubt and None in made

    def fits(value: str) -> bool:
        segments = operands.arn_segments(value)
        if segments is None:
            return unread
        for matches in matchers:
            if matches(segments):
                return True
        return otherwise

    return fits


def compared(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Maker:
    """The maker for values that are read as something that has an order, or is equal or not."""

    def make(listed: Listed, doubt: bool) -> Fits:
        made = [read(patterns.text_of(tokens)) for tokens in listed]
        wanted = [item for item in made if item is not None]
        otherwise = doubt and None in made

        def fits(value: str) -> bool:
            actual = read(value)
            if actual is None:
                return doubt
            for item in wanted:
                if compare(actual, item):
                    return True
            return otherwise

        return fits

    return make


def address(listed: Listed, doubt: bool) -> Fits:
    """An address lies in one of the listed ranges."""
    made = [operands.network(patterns.text_of(tokens)) for tokens in listed]
    networks = [item for item in made if item is not None]
    otherwise = doubt and None in made
    read = operands.address
    if len(networks) == 1 and not otherwise:
        ((only, only_mask),) = networks

        def fits_one(value: str) -> bool:
            actual = read(value)
            return doubt if actual is None else actual & only_mask == only

        return fits_one

    def fits(value: str) -> bool:
        actual = read(value)
        if actual is None:
            return doubt
        for first, mask in networks:
            if actual & mask == first:
                return True
        return otherwise

    return fits
