"""Shapes are what the evaluator's own matchers match, and what is said of two of them holds of every text."""

import itertools
import random

import pytest

from sekisho.policy import operands, patterns, residual
from sekisho.policy.residual import ANY, ATOM, ONE, RUN, Shape, automaton, shapes

PIECES = ("a", "b", ":", "ab", "::", "*", "?", "**", "a:", ":b")
TEXTS = tuple("".join(text) for length in range(7) for text in itertools.product("ab:", repeat=length))
"""All texts of at most six characters over an alphabet in which everything that a wildcard minds comes up."""


def drawn(rng: random.Random, pieces: tuple[str, ...] = PIECES) -> str:
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 6)))


def shape(rng: random.Random) -> Shape:
    return shapes.normal(rng.choice(("a", "b", ":", "ab", ANY, ONE, RUN, ATOM)) for _ in range(rng.randrange(6)))


@pytest.mark.parametrize("seed", range(300))
def test_a_shape_matches_what_the_matchers_do(seed: int) -> None:
    tokens = patterns.tokens(drawn(random.Random(seed)))
    of_resource, of_text = (automaton(make(tokens)).matches for make in (shapes.of_resource, shapes.of_text))
    by_resource, by_text = patterns.resource_matcher(tokens), patterns.matcher(tokens)
    for text in TEXTS:
        assert of_resource(text) is by_resource(text), (tokens, text)
        assert of_text(text) is by_text(text), (tokens, text)


@pytest.mark.parametrize("seed", range(200))
def test_a_shape_of_an_arn_matches_segment_by_segment(seed: int) -> None:
    rng = random.Random(seed)
    tokens = patterns.tokens(
        ":".join(("arn", *(rng.choice(("a", "*", "", "a?", "?", "a*b", "*b")) for _ in range(rng.choice((4, 5, 5, 6))))))
    )
    matches, made = operands.arn_matcher(tokens), shapes.of_arn(tokens)
    assert (matches is None) is (made is None)
    for _ in range(300 if matches is not None and made is not None else 0):
        text = ":".join(("arn", *(rng.choice(("a", "", "ab", "aab", "b")) for _ in range(rng.choice((5, 5, 6))))))
        segments = operands.arn_segments(text)
        assert segments is not None
        assert matches is not None
        assert made is not None
        assert automaton(made).matches(text) is matches(segments), (tokens, text)


@pytest.mark.parametrize("seed", range(400))
def test_what_is_said_of_two_shapes_holds_of_every_text(seed: int) -> None:
    """That one covers the other is never wrong; that they meet is never wrong either way, as far as short texts show it."""
    rng = random.Random(seed)
    one, other = shape(rng), shape(rng)
    of_one, of_other = ({text for text in TEXTS if automaton(each).matches(text)} for each in (one, other))
    if automaton(one).covers(other):
        assert of_other <= of_one, (one, other)
    if of_one & of_other:
        assert automaton(one).meets(other), (one, other)
    if not automaton(one).meets(other):
        assert not of_one & of_other, (one, other)


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ((ANY,), ("a", RUN, ":", ONE), True),
        ((RUN,), ("a", RUN, ATOM), True),
        ((RUN,), ("a", ONE), False),
        (("a", ANY), ("ab", ANY), True),
        (("ab", ANY), ("a", ANY), False),
        ((ANY, "b", ANY), (RUN, "ab"), True),
        ((ONE, ONE), (ATOM, "a"), True),
        ((ATOM, ANY), (ONE, ANY), False),
        ((ATOM, ANY), ("a", ANY), True),
        ((ATOM, ANY), (":", ANY), False),
        (residual.ARN, ("arn:aws:orders:", RUN, ":1:", ANY), True),
        (("arn:aws:orders:", ANY, ":1:", ANY), ("arn:aws:orders:", RUN, ":1:order/", ANY), True),
    ],
)
def test_covering(one: Shape, other: Shape, covers: bool) -> None:
    assert automaton(one).covers(other) is covers


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        (("a", ANY), ("b", ANY), False),
        (("a", ANY), (ANY, "b"), True),
        ((RUN,), (ANY, ":", ANY), False),
        ((RUN, ":", RUN), (ANY, ":", ANY, ":", ANY), False),
        ((ATOM,), (":",), False),
        ((ONE,), (":",), True),
        (("arn:aws:orders:", RUN, ":1:", RUN), ("arn:aws:orders:", RUN, ":2:", RUN), False),
        (("arn:aws:orders:", RUN, ":1:", ANY), ("arn:aws:orders:", ANY, ":2:", ANY), True),
        ((ANY, "ab"), (ANY, "ba"), False),
    ],
)
def test_meeting(one: Shape, other: Shape, meets: bool) -> None:
    assert automaton(one).meets(other) is meets
    assert automaton(other).meets(one) is meets


@pytest.mark.parametrize(
    ("parts", "normal"),
    [
        (("a", "", "b"), ("ab",)),
        ((ANY, RUN, ANY), (ANY,)),
        ((RUN, ANY, "a"), (ANY, "a")),
        ((RUN, RUN, "a"), (RUN, "a")),
        ((ONE, ONE), (ONE, ONE)),
        (("x", RUN, ":", ANY), ("x", ANY, ":", ANY)),
        ((RUN, ":", RUN, ":", ANY), (ANY, ":", ANY, ":", ANY)),
        ((RUN, ":a", ANY), (RUN, ":a", ANY)),
        ((RUN, ":", RUN), (RUN, ":", RUN)),
    ],
)
def test_normal(parts: Shape, normal: Shape) -> None:
    assert shapes.normal(parts) == normal
