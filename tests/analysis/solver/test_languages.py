"""Languages: what `find` says, held against every short text; and shapes, held against the matchers of policy."""

import itertools
from random import Random

import pytest

from sekisho.analysis.solver import languages, shapes
from sekisho.analysis.solver.effort import Effort, TooHard
from sekisho.analysis.solver.languages import Chars, Item, Language
from sekisho.policy import conditions, operands, patterns, rules
from sekisho.policy.document import Condition

LETTERS = "ab:"
TEXTS = ["".join(letters) for size in range(6) for letters in itertools.product(LETTERS, repeat=size)]


def written(rng: Random) -> str:
    """A pattern over a few letters."""
    return "".join(rng.choice("ab:**?") for _ in range(rng.randrange(6)))


def language(rng: Random) -> Language:
    """One to three patterns of either shape."""
    shape = rng.choice((shapes.plain, shapes.of_resource))
    return Language(shape(patterns.tokens(written(rng))) for _ in range(rng.choice((1, 1, 2, 3))))


@pytest.mark.parametrize("seed", range(8))
def test_a_text_is_found_where_there_is_one(seed: int) -> None:
    rng = Random(seed)
    for _ in range(120):
        within = [language(rng) for _ in range(rng.choice((1, 1, 2)))]
        without = [language(rng) for _ in range(rng.choice((0, 1, 2)))]
        short = [one for one in TEXTS if all(x.has(one) for x in within) and not any(x.has(one) for x in without)]
        found = languages.find(within, without, Effort(10_000))
        if found is None:
            assert short == [], (within, without)
        else:
            assert all(x.has(found) for x in within)
            assert not any(x.has(found) for x in without)
            assert not short or len(found) <= len(short[0]), (within, without, found)


@pytest.mark.parametrize("seed", range(4))
def test_the_closed_form_is_right_where_it_says_so(seed: int) -> None:
    rng, said = Random(seed), 0
    for _ in range(1_500):
        wide, narrow = (shapes.plain(patterns.tokens(written(rng))) for _ in range(2))
        if languages.covers(wide, narrow):
            said += 1
            assert languages.find([Language([narrow])], [Language([wide])], Effort(10_000)) is None, (wide, narrow)
    assert said > 50


@pytest.mark.parametrize(
    ("wide", "narrow", "said"),
    [
        ("s3:*", "s3:Get*", True),
        ("s3:Get*", "s3:*", False),
        ("*", "", True),
        ("a*b", "a?b", True),
        ("a?b", "a*b", False),
        ("a*", "a", True),
        ("*a*", "*ba", True),
        ("?*", "*", False),
        ("*b", "*a*b", True),
        ("a*c", "a*b", False),
    ],
)
def test_the_closed_form(wide: str, narrow: str, said: bool) -> None:
    assert languages.covers(*(shapes.plain(patterns.tokens(text)) for text in (wide, narrow))) is said


@pytest.mark.parametrize("seed", range(3))
def test_shapes_are_what_the_matchers_of_policy_are(seed: int) -> None:
    rng = Random(seed)
    for _ in range(60):
        text = written(rng)
        tokens = patterns.tokens(text)
        plain, resource = Language([shapes.plain(tokens)]), Language([shapes.of_resource(tokens)])
        matches, covers = patterns.matcher(tokens), patterns.resource_matcher(tokens)
        for one in TEXTS:
            assert plain.has(one) is matches(one), (text, one)
            assert resource.has(one) is covers(one), (text, one)


@pytest.mark.parametrize("seed", range(3))
def test_patterns_of_arns_are_read_segment_by_segment(seed: int) -> None:
    rng = Random(seed)
    values = [":".join(rng.choice(("arn", "aws", "a", "", "b/c", "ab:c")) for _ in range(rng.randrange(4, 9))) for _ in range(300)]
    for _ in range(60):
        text = ":".join(rng.choice(("arn", "arn", "*", "a*", "?", "aws", "", "b/*", "*c")) for _ in range(rng.choice((5, 6, 6, 6, 7))))
        tokens = patterns.tokens(text)
        matches, run = operands.arn_matcher(tokens), shapes.of_arn(tokens)
        assert (matches is None) is (run is None), text
        for value in values:
            segments = operands.arn_segments(value)
            assert shapes.READABLE_ARN.has(value) is (segments is not None)
            if matches is not None and run is not None and segments is not None:
                assert Language([run]).has(value) is matches(segments), (text, value)


@pytest.mark.parametrize("pattern", ["s3:Get*", "S3:GET?bject", "*", "**", "s3", "*:get*", "s3:", ":get", "s3*:*", "s?:*t"])
def test_patterns_of_actions(pattern: str) -> None:
    run = shapes.of_action(pattern)
    (rule,) = rules_of(pattern)
    for action in ("s3:getobject", "s3:gets", "sqs:get", "s3:", "a:b", "s3:putobject"):
        assert (run is not None and Language([run]).has(action)) is rule.covers_action(action), action


def rules_of(pattern: str) -> list[rules.Rule]:
    from sekisho import policy

    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": pattern, "Resource": "*"}}
    return list(policy.compile_policy(policy.from_json(document)).rules)


@pytest.mark.parametrize("listed", ["Kelvin", "été", "İ", "ΣΑΣ", "straße", "a*b"])
def test_texts_in_any_case(listed: str) -> None:
    test = conditions.compiled(Condition("StringEqualsIgnoreCase", "a:b", (listed,)), deny=False, dynamic=True).test
    try:
        found = Language([shapes.in_any_case(listed)])
    except TooHard:
        assert set(listed.lower()) & set("σς\u0307")
        return
    for value in (listed, listed.upper(), listed.lower(), "\u212aELVIN", "ÉTÉ", "STRASSE", "STRAẞE", "KELVIN!", ""):
        assert found.has(value) is test({"a:b": value}), value


def test_neighbours_that_both_repeat_are_one() -> None:
    digits, all_ = Item(Chars(frozenset("01"), False), True), languages.ANYTHING
    assert languages.joined((digits, all_)) == (all_,)
    assert languages.joined((all_, digits)) == (all_,)
    with pytest.raises(ValueError, match="side by side"):
        languages.joined((digits, Item(Chars(frozenset("23"), False), True)))


def test_a_search_that_takes_too_long_is_given_up() -> None:
    within = Language([shapes.plain(patterns.tokens("*" + "a?" * 40 + "*"))])
    without = [Language([shapes.plain(patterns.tokens("*" + letter + "?" * 30 + letter + "*"))]) for letter in "abcdefgh"]
    with pytest.raises(TooHard, match="the question takes more than 20 ms"):
        languages.find([within], without, Effort(20))


def test_of_nothing_nothing_is_found() -> None:
    assert languages.find([languages.NOTHING], [], Effort(1)) is None
    assert languages.find([], [languages.EVERYTHING], Effort(1)) is None
    assert languages.find([], [languages.EMPTY_TEXT], Effort(1)) == "x"
    assert languages.find([languages.literals(["b", "a"])], [languages.literals(["a"])], Effort(1)) == "b"
