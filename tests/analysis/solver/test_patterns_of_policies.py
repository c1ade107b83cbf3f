"""Shapes: the texts that each is in and out, also where variables stand for any text."""

from typing import Any

import pytest

from sekisho.analysis.solver import languages, shapes
from sekisho.analysis.solver.effort import TooHard
from sekisho.analysis.solver.languages import ANYTHING, NO_COLON, Chars, Item, Language
from sekisho.policy import patterns
from sekisho.policy.variables import Variable, parse

OF_SHAPES = {
    "exact": ("a*b?", ["a*b?"], ["aab?", "a*bc", "A*B?", ""]),
    "any case": ("aB*", ["ab*", "AB*", "aB*"], ["abc", "ab"]),
    "like": ("a*b?", ["abc", "a:b:", "aaabb"], ["ab", "Abc", "abcd"]),
    "resource": ("a*:b?*", ["ax:bc", "a:bcd", "ax:y:bc", "a:bc:d"], ["a:b", "a:b:", "b:bc"]),
    "arn": ("arn:aws:s3:::b*", ["arn:aws:s3:::b", "arn:aws:s3:::b:c"], ["arn:aws:s3::b", "arn:aws:s3:::c", "arn:aws:s3:x::b"]),
}


@pytest.mark.parametrize("shape", OF_SHAPES)
def test_texts_of_a_shape(shape: str) -> None:
    written, some, none = OF_SHAPES[shape]
    run = shapes.SHAPES[shape](patterns.tokens(written))
    assert run is not None
    assert [text for text in some if not Language([run]).has(text)] == []
    assert [text for text in none if Language([run]).has(text)] == []


def test_every_shape() -> None:
    assert shapes.SHAPES.keys() == OF_SHAPES.keys()


RESOURCES = {
    "a*:b*c": (["a:x:bc", "ax:byc"], ["a:b:c", "axbc"]),
    "a*": (["a", "ab", "a:b"], ["b"]),
    "a*b": (["ab", "axb"], ["a:b", "a"]),
    "a*:b": (["a:b", "ax:b", "a:x:b"], ["axb"]),
    "a?": (["ab"], ["a:", "a"]),
    "a*?": (["ab", "abc"], ["a", "a:", "a:b"]),
    "a**": (["a", "a:b"], []),
    "a?*": (["ab", "ab:c"], ["a:", "a"]),
    "a*b:*": (["ab:", "axb:c:d"], ["a:b:"]),
}


@pytest.mark.parametrize("written", RESOURCES)
def test_stars_of_resources(written: str) -> None:
    some, none = RESOURCES[written]
    language = Language([shapes.of_resource(patterns.tokens(written))])
    assert [text for text in some + none if language.has(text)] == some


@pytest.mark.parametrize(
    ("written", "some", "none"),
    [
        ("arn:aws:s3:::b/*", ["arn:aws:s3:::b/x"], ["arn:aws:s3:::b"]),
        ("*", ["", "arn:aws:s3:::b"], []),
        ("arn:aws:s3:::${a:b}", ["arn:aws:s3:::${a:b}"], ["arn:aws:s3:::x"]),
    ],
)
def test_resources_as_they_are_written(written: str, some: list[str], none: list[str]) -> None:
    language = Language([shapes.of_written_resource(written)])
    assert [text for text in none if language.has(text)] == []
    assert [text for text in some if not language.has(text)] == []


ACTIONS = {
    "s3:GetObject": (["s3:getobject"], ["S3:GetObject", "s3:getobjects", "s3~getobject"]),
    "s3:*": (["s3:", "s3:a:b"], ["s3", "sqs:a"]),
    "*": (["", "s3:getobject"], []),
    "**": (["", "s3:getobject"], []),
    "s*:Get?": (["s:geta", "s3:get:"], ["s3:get", "s:x:geta", "a:geta"]),
    "s3:a*:b": (["s3:a:b", "s3:ax:y:b"], ["s3:ab"]),
    "*:get": (["s3:get", ":get"], ["a:b:get", "get"]),
    "s3:get*ct*": (["s3:getobject", "s3:getct"], ["s3:geta"]),
}


@pytest.mark.parametrize("written", ACTIONS)
def test_actions(written: str) -> None:
    some, none = ACTIONS[written]
    run = shapes.of_action(written)
    assert run is not None
    assert [text for text in some + none if Language([run]).has(text)] == some


@pytest.mark.parametrize("written", ["s3", "getobject", "s*", "", "*a", "~", "*~"])
def test_what_is_no_pattern_of_an_action(written: str) -> None:
    assert shapes.of_action(written) == ((ANYTHING,) if not written else None)


ARNS: dict[str, tuple[list[str], list[str]] | None] = {
    "arn:aws:s3:::b": (["arn:aws:s3:::b"], ["arn:aws:s3:::", "Arn:aws:s3:::b", "arn:aws~s3:::b", "arn:aws:s3::~b"]),
    "a*:aws:s?:*:1:b?": (["arn:aws:s3::1:bc", "arn:aws:s3:x:1:b:"], ["arn:aws:s3:x:y:1:bc", "arn:aws:s::1:bc", "abc:aws:s3::1:bc"]),
    "arn:aws:s*x:::b": (["arn:aws:sqx:::b", "arn:aws:sx:::b"], ["arn:aws:sq:::b", "arnx:aws:s:::b"]),
    "*:*:*:*:*:*": (["arn:::::", "arn:a:b:c:d:e:f"], ["arn::::", "xyz:::::"]),
    "???:*:*:*:*:*": (["arn:::::"], ["abc:::::"]),
    "arx:aws:s3:::b": ([], ["arn:aws:s3:::b", "arx:aws:s3:::b", "", ":aws:s3:::b"]),
    "arn:aws:s3:::b:c:d": (["arn:aws:s3:::b:c:d"], ["arn:aws:s3:::b"]),
    "arn:aws:s3::*": None,
    "*": None,
    "": None,
    "arn:aws:s3:*:::": (["arn:aws:s3::::", "arn:aws:s3:x:::"], ["arn:aws:s3:x::"]),
}


@pytest.mark.parametrize("written", ARNS)
def test_patterns_of_arns(written: str) -> None:
    expected, run = ARNS[written], shapes.of_arn(patterns.tokens(written))
    if expected is None:
        assert run is None
    else:
        assert run is not None
        some, none = expected
        assert [text for text in some + none if Language([run]).has(text)] == some


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("arn:::::", True),
        ("arn:a:b:c:d:e:f", True),
        ("arn::::", False),
        ("arn::::~", False),
        ("aws:::::", False),
        ("xarn:::::", False),
        ("", False),
        ("arn:a:b:c:d:", True),
    ],
)
def test_readable_arns(text: str, readable: bool) -> None:
    assert shapes.READABLE_ARN.has(text) is readable


ANY_CASE = {
    "~": (["~"], []),
    "ab": (["ab", "AB", "aB"], ["abc", "a"]),
    "AB": (["ab", "AB"], []),
    "k": (["k", "K", "\u212a"], ["c"]),
    "é": (["é", "É"], ["e"]),
    "ék": (["ék", "É\u212a", "éK"], []),
    "1-": (["1-"], []),
    "ß": (["ß", "ẞ"], ["ss", "SS"]),
    "å": (["å", "Å", "\u212b"], ["a"]),
    "ꭰ": (["ꭰ", "Ꭰ"], []),
    "𐐨": (["𐐨", "𐐀"], []),
    "": ([""], ["a"]),
}


@pytest.mark.parametrize("written", ANY_CASE)
def test_texts_in_any_case(written: str) -> None:
    some, none = ANY_CASE[written]
    language = Language([shapes.in_any_case(written)])
    assert [text for text in some + none if language.has(text)] == some


@pytest.mark.parametrize("written", ["σ", "Σ", "aς", "İ", "i\u0307"])
def test_what_is_unsteady_in_lower_case(written: str) -> None:
    with pytest.raises(TooHard, match="is compared in any case, and what is lower case of it depends on its neighbours"):
        shapes.in_any_case(written)


def parts(text: str) -> Any:
    return parse(text, variables=True, wildcards=True)


RELAXED = {
    ("like", "a${a:w}b"): (["ab", "axb", "a:b"], ["a", "abc", "AxB"]),
    ("like", "~${a:w}"): (["~x"], ["x"]),
    ("resource", "a*/${a:w}"): (["a/", "ax:y/z"], ["a"]),
    ("exact", "a${a:w}"): (["a", "ax"], ["b", ""]),
    ("arn", "arn:aws:iam::${a:w}:user/*"): (["arn:aws:iam::1:user/a", "arn:aws:iam::1:2:user/"], ["arn:aws:iam::1:role/a"]),
    ("any case", "a${a:w}b"): (["AB", "axB", "Axxb"], ["b", "aBc", "İb"]),
    ("any case", "i${a:w}"): (["i", "I", "İ", "ix"], ["a"]),
    ("any case", "i${a:w}i"): (["ii", "İxi", "IxI"], ["İİ", "xi"]),
    ("any case", "ai${a:w}"): (["ai", "AİX"], ["İ", "a"]),
    ("any case", "${a:w}i"): (["i", "xI"], ["İ"]),
    ("any case", "${a:w}${a:v}"): (["", "x"], []),
    ("any case", "a${a:w}${a:v}b"): (["ab", "AxB"], ["a"]),
}


@pytest.mark.parametrize("case", RELAXED)
def test_whatever_the_values_are(case: tuple[str, str]) -> None:
    some, none = RELAXED[case]
    language = shapes.relaxed(case[0], parts(case[1]))
    assert [text for text in some + none if language.has(text)] == some


def test_a_default_may_be_nothing() -> None:
    """It stands between the letter and the value that may begin with a dot."""
    word = Variable("a:w")
    assert shapes.relaxed("any case", ("", word)) == languages.EVERYTHING
    assert shapes.relaxed("any case", ("i", "", word)).has("İ")


FIRST, SECOND = "\ud800", "\ud801"
SYMBOLIC = {  # as wide, and as narrow as it may be
    ("exact", "a${a:w}"): ([f"a{FIRST}"], [], ["a", "ax", f"a{SECOND}"]),
    ("exact", "a*?${a:w}"): ([f"a*?{FIRST}"], [], [f"abc{FIRST}"]),
    ("like", "a${a:w}*"): ([f"a{FIRST}", f"a{FIRST}:{FIRST}"], [], ["a"]),
    ("like", "${a:w}?"): ([f"{FIRST}x"], [f"{FIRST}:", f"{FIRST}{FIRST}"], [FIRST]),
    ("like", "${a:w}/${a:v}/${a:w}"): ([f"{FIRST}/{SECOND}/{FIRST}"], [], [f"{FIRST}/{FIRST}/{FIRST}", f"{FIRST}/{SECOND}/{SECOND}"]),
    ("like", "${a:w}${a:w, 'x'}"): ([f"{FIRST}{SECOND}"], [], [f"{FIRST}{FIRST}"]),
    ("like", "${a:w}*b"): ([f"{FIRST}:b", f"{FIRST}{FIRST}b"], [], [FIRST]),
    ("resource", "a*b:${a:w}"): ([f"axb:{FIRST}"], [f"a:b:{FIRST}", f"a{FIRST}b:{FIRST}"], ["ab:"]),
    ("resource", "a*:b*c${a:w}"): ([f"a{FIRST}:bc{FIRST}"], [f"a:b:c{FIRST}"], []),
    ("resource", "a*${a:w}"): ([f"ab{FIRST}"], [f"a:{FIRST}", f"a{FIRST}{FIRST}"], ["a"]),
    ("resource", "a*:${a:w}"): ([f"ab:{FIRST}", f"a{FIRST}:{FIRST}", f"a:x:{FIRST}"], [], ["a:"]),
    ("resource", "${a:w}/*"): ([f"{FIRST}/", f"{FIRST}/x:{FIRST}"], [], ["/"]),
    ("resource", "${a:w}?b"): ([f"{FIRST}xb", f"{FIRST}~b"], [f"{FIRST}:b", f"{FIRST}{SECOND}b"], [f"{FIRST}b"]),
    ("resource", "${a:w}*b"): ([f"{FIRST}xb", f"{FIRST}b"], [f"{FIRST}:b", f"{FIRST}{SECOND}b"], [f"{FIRST}"]),
}


@pytest.mark.parametrize("case", SYMBOLIC)
def test_one_character_for_a_value(case: tuple[str, str]) -> None:
    both, only_wide, none = SYMBOLIC[case]
    wide, narrow = (shapes.symbolic(case[0], parts(case[1]), {}, wide=wide) for wide in (True, False))
    assert wide is not None
    assert narrow is not None
    assert [text for text in both + only_wide + none if wide.has(text)] == both + only_wide
    assert [text for text in both + only_wide + none if narrow.has(text)] == both


@pytest.mark.parametrize("shape", ["any case", "arn"])
def test_shapes_that_let_no_value_be_told_so(shape: str) -> None:
    assert shapes.symbolic(shape, parts("a${a:w}"), {}, wide=True) is None


def test_symbols_are_shared() -> None:
    symbols: dict[str, str] = {}
    shapes.symbolic("like", parts("${a:w}"), symbols, wide=True)
    language = shapes.symbolic("like", parts("${a:v}${a:w}"), symbols, wide=True)
    assert language == languages.literals([f"{SECOND}{FIRST}"])
    assert list(symbols.values()) == [FIRST, SECOND]


def test_without_symbols() -> None:
    """Only a star that crosses everything takes a symbol."""
    last = chr(ord(FIRST) + shapes.MAX_SYMBOLS - 1)
    for item, takes in (
        (ANYTHING, True),
        (Item(NO_COLON, True), False),
        (Item(Chars(frozenset(), True)), False),
        (languages.one("a"), False),
    ):
        language = shapes.without_symbols(Language([(item,)]))
        assert [language.has(text) for text in (FIRST, last, "a")] == [takes, takes, True]
    assert not shapes.without_symbols(Language([(Item(NO_COLON, True),)])).has(":")


def test_of_those_that_there_are() -> None:
    assert shapes.united([languages.text("a"), None, languages.text("b")]) == languages.literals(["a", "b"])
    assert shapes.united([None]) == languages.NOTHING


def test_classes_of_names() -> None:
    account = Language([shapes.ACCOUNT])
    assert [text for text in ("1" * 12, "1" * 11, "1" * 13, "11111111111a", "11111111111~") if account.has(text)] == ["1" * 12]
    partition = Language([shapes.PARTITION])
    assert [text for text in ("arn:aws", "arn:aws-cn", "arn:aws-us-gov", "arn:aws~", "arn:awS", "arn:aws:") if partition.has(text)] == [
        "arn:aws", "arn:aws-cn", "arn:aws-us-gov",
    ]  # fmt: skip
