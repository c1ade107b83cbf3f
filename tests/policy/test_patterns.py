"""Wildcards: what matches, what does not, and how long the worst may take."""

import itertools
import random
import re
import time

import pytest

from sekisho.policy import patterns
from sekisho.policy.patterns import ANY, ONE

FLAT = {
    "nothing_matches_nothing": ("", "", True),
    "nothing_does_not_match_something": ("", "a", False),
    "literal": ("abc", "abc", True),
    "literal_is_the_whole_text": ("abc", "abcd", False),
    "literal_is_case_sensitive": ("abc", "ABC", False),
    "star_alone": ("*", "anything:at/all", True),
    "star_matches_nothing": ("*", "", True),
    "prefix": ("ab*", "abc", True),
    "prefix_matches_itself": ("ab*", "ab", True),
    "prefix_missing": ("ab*", "a", False),
    "suffix": ("*bc", "abc", True),
    "infix": ("*b*", "abc", True),
    "infix_missing": ("*x*", "abc", False),
    "both_ends": ("a*c", "abc", True),
    "both_ends_do_not_overlap": ("ab*ba", "aba", False),
    "pieces_in_order": ("a*b*c", "a1b2c", True),
    "pieces_out_of_order": ("a*b*c*d", "a1c2b3d", False),
    "the_last_piece_is_at_the_end": ("a*b*b", "abb", True),
    "a_piece_is_not_used_twice": ("a*bc*c", "abc", False),
    "one": ("a?c", "abc", True),
    "one_is_not_none": ("a?c", "ac", False),
    "one_is_not_two": ("a?c", "abbc", False),
    "ones_between_stars": ("*?b?*", "abc", True),
    "ones_need_characters": ("*??*", "a", False),
    "stars_join": ("a***b", "ab", True),
    "newline_is_a_character": ("a*c", "a\nb\nc", True),
    "brackets_are_literal": ("[ab]", "a", False),
    "dot_is_literal": ("a.c", "abc", False),
    "beyond_the_basic_plane": ("?", "𝕏", True),
}

RESOURCES = {
    "star_crosses_slashes": ("arn:aws:s3:::data/*.txt", "arn:aws:s3:::data/a/b/c.txt", True),
    "star_at_the_end_crosses_colons": ("arn:aws:logs:*:*:log-group:/a*", "arn:aws:logs:x:1:log-group:/a/b:log-stream:c", True),
    "star_at_the_end_of_a_segment_crosses_colons": ("arn:aws:s3:*:data", "arn:aws:s3:::data", True),
    "star_within_a_segment_stays_in_it": ("arn:aws:x:::a/*/c", "arn:aws:x:::a/b:b/c", False),
    "star_within_a_segment": ("arn:aws:x:::a/*/c", "arn:aws:x:::a/b/b/c", True),
    "star_within_an_early_segment": ("arn:aws:sns:us-*-1:1:t", "arn:aws:sns:us-east-1:1:t", True),
    "star_within_an_early_segment_stays_in_it": ("arn:aws:sns:us-*-1:1:t", "arn:aws:sns:us-a:b-1:1:t", False),
    "empty_segments": ("arn:aws:s3:*:*:data/*", "arn:aws:s3:::data/x", True),
    "one_is_no_colon": ("arn:aws:s3:::a?b", "arn:aws:s3:::a:b", False),
    "one_is_a_slash": ("arn:aws:s3:::a?b", "arn:aws:s3:::a/b", True),
    "one_and_a_star_at_the_end": ("arn:aws:s3:::b-?/*", "arn:aws:s3:::b-1/x:y", True),
    "one_before_a_colon": ("arn:aws:sqs:eu-west-?:*:q", "arn:aws:sqs:eu-west-1:111122223333:q", True),
    "a_star_covers_the_star_of_an_action_without_resources": ("*", "*", True),
    "an_arn_does_not": ("arn:aws:s3:::data", "*", False),
    "stars_at_both_ends_of_a_segment": ("arn:aws:x:::*b*:d", "arn:aws:x:::abc:c:d", True),
}


@pytest.mark.parametrize(("pattern", "text", "expected"), FLAT.values(), ids=FLAT.keys())
def test_flat(pattern: str, text: str, *, expected: bool) -> None:
    assert patterns.matcher(patterns.tokens(pattern))(text) is expected


@pytest.mark.parametrize(("pattern", "text", "expected"), RESOURCES.values(), ids=RESOURCES.keys())
def test_resources(pattern: str, text: str, *, expected: bool) -> None:
    assert patterns.resource_matcher(patterns.tokens(pattern))(text) is expected


def test_literal_tokens_hold_wildcard_characters() -> None:
    matches = patterns.matcher(("a*", ANY, "?"))
    assert matches("a*x?")
    assert not matches("abx?")
    assert not matches("a*xy")


def test_tokens_and_back() -> None:
    assert patterns.tokens("a**b?") == ("a", ANY, "b", ONE)
    assert patterns.text_of(("a", ANY, "b", ONE)) == "a*b?"


def test_agrees_with_regular_expressions() -> None:
    """All patterns of up to five characters over a small alphabet, flat and as resources, against an independent reading."""
    rnd = random.Random(1)
    texts = ["".join(text) for length in range(5) for text in itertools.product("ab:", repeat=length)]
    for length in range(1, 6):
        for letters in itertools.product("a:*?", repeat=length):
            if length == 5 and rnd.random() > 0.1:
                continue
            pattern = "".join(letters)
            flat = re.compile("".join(".*" if c == "*" else "." if c == "?" else c for c in pattern), re.DOTALL)
            joined = re.sub(r"\*+", "*", pattern)
            resource = re.compile(
                "".join(
                    (".*" if joined[i + 1 : i + 2] in ("", ":") else "[^:]*") if c == "*" else "[^:]" if c == "?" else c
                    for i, c in enumerate(joined)
                ),
                re.DOTALL,
            )
            matches, covers = patterns.matcher(patterns.tokens(pattern)), patterns.resource_matcher(patterns.tokens(pattern))
            for text in rnd.sample(texts, 25):
                assert matches(text) is (flat.fullmatch(text) is not None), (pattern, text)
                assert covers(text) is (resource.fullmatch(text) is not None), (pattern, text)


WORST = {
    "many_stars": ("*a" * 1000, "a" * 999 + "b" * 1049, 0.001),
    "many_stars_alternating": ("*a" * 1000 + "c", "ab" * 1024, 0.001),
    "stars_and_ones": ("*?a" * 1000 + "b", "a" * 2048, 0.002),
    "a_long_piece_of_ones": ("*" + "?" * 1000 + "a*b", "a" * 2047, 0.002),
    "stars_within_segments": ("*:" + "a*a:" * 500 + "z", "a:" * 1024, 0.002),
}


@pytest.mark.bounded
@pytest.mark.parametrize(("pattern", "text", "seconds"), WORST.values(), ids=WORST.keys())
def test_bounded(pattern: str, text: str, seconds: float) -> None:
    for make in (patterns.matcher, patterns.resource_matcher):
        matches = make(patterns.tokens(pattern))
        began = time.process_time()
        assert not matches(text)
        assert time.process_time() - began < 20 * seconds


def test_the_automaton_refuses_endless_texts() -> None:
    matches = patterns.matcher(patterns.tokens("*?a*"))
    assert matches("b" * 16_383 + "a")
    with pytest.raises(ValueError, match="16385"):
        matches("b" * 16_385)


def test_slow_patterns_are_known() -> None:
    assert patterns.is_slow(patterns.tokens("*?a"))
    assert patterns.is_slow(patterns.tokens("a*b:c*d:e"))
    assert not patterns.is_slow(patterns.tokens("arn:aws:s3:::data/*"))
