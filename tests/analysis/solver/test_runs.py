"""Runs and languages, piece by piece: classes of characters, containment, guesses, and the shortest text of all."""

import pytest

from sekisho.analysis.solver import languages
from sekisho.analysis.solver.effort import Effort
from sekisho.analysis.solver.languages import ALL, ANYTHING, EMPTY_TEXT, EVERYTHING, NOTHING, Chars, Item, Language, Run, literals, of, one

AB, NOT_AB, NONE = Chars(frozenset("ab"), False), Chars(frozenset("ab"), True), Chars(frozenset(), False)


NAMELESS = "xyzwvabcdefghijklmnopqrstu0123456789XYZ"


def chars(text: str) -> Chars:
    """Those of a text; all but those behind a `!`."""
    return Chars(frozenset(text.removeprefix("!")), text.startswith("!"))


def run(text: str) -> Run:
    """A text of classes with blanks between; a class with a `+` repeats, as `ab+`, and `!+` is anything."""
    return tuple(Item(chars(word.removesuffix("+")), word.endswith("+")) for word in text.split())


@pytest.mark.parametrize(
    ("which", "has", "lacks"),
    [(AB, "ab", "cA"), (NOT_AB, "cA:", "ab"), (ALL, "a:\n", ""), (NONE, "", "a")],
    ids=["ab", "!ab", "all", "none"],
)
def test_classes(which: Chars, has: str, lacks: str) -> None:
    assert [char for char in has + lacks if which.has(char)] == list(has)


@pytest.mark.parametrize(
    ("one", "other", "within", "both"),
    [
        ("a", "ab", True, "a"),
        ("ab", "a", False, "a"),
        ("ab", "bc", False, "b"),
        ("a", "b", False, ""),
        ("a", "!b", True, "a"),
        ("ab", "!b", False, "a"),
        ("!b", "a", False, "a"),
        ("!b", "b", False, ""),
        ("!ab", "!b", True, "!ab"),
        ("!b", "!ab", False, "!ab"),
        ("!a", "!b", False, "!ab"),
        ("!", "!", True, "!"),
        ("!a", "!", True, "!a"),
        ("", "a", True, ""),
    ],
)
def test_classes_beside_each_other(one: str, other: str, within: bool, both: str) -> None:
    assert chars(one).within(chars(other)) is within
    assert chars(one).both(chars(other)) == chars(both)


@pytest.mark.parametrize(
    ("texts", "allowed", "left"),
    [
        ("a b", "ab", "a b"),
        ("a c", "ab", None),
        ("a c+", "ab", "a"),
        ("abc !a", "ab", "ab b"),
        ("!+ c", "c", "c+ c"),
        ("!a+", "a", ""),
        ("!a", "a", None),
    ],
)
def test_what_is_left_of_a_run(texts: str, allowed: str, left: str | None) -> None:
    assert languages.restricted(run(texts), chars(allowed)) == (None if left is None else run(left))


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        ("a+ a+", "a+"),
        ("a+ ab+", "ab+"),
        ("ab+ a+", "ab+"),
        ("a+ a", "a+ a"),
        ("a a+", "a a+"),
        ("a+ a a+", "a+ a a+"),
        ("a+ ab+ !+ c", "!+ c"),
        ("a+ a+ b", "a+ b"),
        ("c b+ b+", "c b+"),
        ("!+ a+ b+", "!+"),
        ("a b", "a b"),
        ("", ""),
    ],
)
def test_neighbours(texts: str, joined: str) -> None:
    assert languages.joined(run(texts)) == run(joined)


@pytest.mark.parametrize(
    ("wide", "narrow", "said"),
    [
        ("a b", "a b", True),
        ("a b", "a", False),
        ("a", "a b", False),
        ("ab", "a", True),
        ("a", "ab", False),
        ("a", "a+", False),
        ("a+", "a+", True),
        ("a+", "b+", False),
        ("a+", "b", False),
        ("a+ b", "b", True),
        ("a+ b", "a a b", True),
        ("a+ b", "a b a", False),
        ("a b+", "a", True),
        ("a b+ c+", "a", True),
        ("a b+ c", "a", False),
        ("a+ b+ c", "c", True),
        ("!+ c", "a+ c", True),
        ("!+ c", "c a", False),
        ("a b+ a", "a b a", True),
        ("a+", "", True),
        ("a b+", "", False),
        ("a b+", "a b", True),
        ("a", "", False),
        ("", "", True),
        ("", "a", False),
        ("!a+", "b c+", True),
        ("!a+", "b a+", False),
        ("a !+ b", "a !+ c b", True),
        ("a !+ b", "a !+ c", False),
        ("c c !+ a", "c c a+ a", True),
    ],
)
def test_containment_by_classes(wide: str, narrow: str, said: bool) -> None:
    assert languages.covers(run(wide), run(narrow)) is said


HAS = {
    "a b": (["ab"], ["", "a", "b", "abb", "aab"]),
    "a+": (["", "a", "aaa"], ["b", "ab", "ba"]),
    "a b+ c": (["ac", "abc", "abbc"], ["a", "c", "acc", "abcb", "aac"]),
    "!a": (["b", "\n"], ["", "a", "bb"]),
    "!a+": (["", "bcb"], ["a", "ba", "ab"]),
    "!a+ a": (["a", "bca"], ["", "b", "aa", "ab", "bab"]),
    "!+": (["", "a", "ab"], []),
    "!+ a": (["a", "aa", "xya"], ["", "ab"]),
    "a !+": (["a", "ab", "aa"], ["", "ba"]),
    "": ([""], ["a"]),
}


@pytest.mark.parametrize("texts", HAS)
def test_what_a_run_has(texts: str) -> None:
    has, lacks = HAS[texts]
    alone, beside = Language([run(texts)]), Language([run(texts), run("z z")])
    assert [text for text in has + lacks if alone.has(text)] == has
    assert [text for text in [*has, *lacks, "zz"] if beside.has(text)] == [*has, "zz"]


def test_a_language_has_what_some_run_has() -> None:
    some = Language([run("a b"), run("a c+"), run("!a")])
    assert [text for text in ("", "a", "ab", "ac", "acc", "abc", "b", "bb", "cb") if some.has(text)] == ["a", "ab", "ac", "acc", "b"]
    assert [text for text in ("", "a") if NOTHING.has(text)] == []
    assert [text for text in ("", "a") if EMPTY_TEXT.has(text)] == [""]
    assert [text for text in ("", "a") if EVERYTHING.has(text)] == ["", "a"]
    assert [text for text in ("", "a", "b", "ab") if literals(["a", "b"]).has(text)] == ["a", "b"]


def test_languages_of_the_same_runs_are_the_same() -> None:
    assert literals(["a", "b"]) == literals(["b", "a", "b"])
    assert hash(literals(["a", "b"])) == hash(literals(["b", "a"]))
    assert literals(["a"]) != literals(["b"])
    assert literals(["a"]) != frozenset(literals(["a"]).runs)
    assert {literals(["a"]): 1}[literals(["a"])] == 1


def test_items() -> None:
    assert one("a") == Item(Chars(frozenset("a"), False), False)
    assert of("ab") == Item(AB, False)
    assert of("ab", repeats=True) == Item(AB, True)
    assert languages.text("ab") == (one("a"), one("b"))
    assert Language([(ANYTHING,)]) == EVERYTHING


@pytest.mark.parametrize(
    ("texts", "closed"),
    [
        ("a b", True),
        ("a+", False),
        ("!a", False),
        ("", True),
        ("ab ab ab ab ab ab", True),
        ("ab ab ab ab ab ab ab", False),
        ("a" * 9 + " ab", True),
    ],
)
def test_what_can_be_spelled(texts: str, closed: bool) -> None:
    assert Language([run(texts)]).is_closed is closed
    assert Language([run(texts), run("a")]).is_closed is closed


GUESSES = {
    "a negated class beside one that is not": ([Language([run("a !b+ d c+ e")])], [literals(["ade"])], "axde"),
    "nothing asked": ([], [], ""),
    "nothing asked, but not nothing": ([], [EMPTY_TEXT], "x"),
    "a text": ([literals(["a"])], [], "a"),
    "a text that another has": ([literals(["a"]), EVERYTHING], [], "a"),
    "a text that another has not": ([literals(["a"]), literals(["b"])], [], None),
    "the least of a class": ([Language([run("cba a")])], [], "aa"),
    "a repeated class is left out": ([Language([run("a b+ c")])], [], "ac"),
    "a negated one, too": ([Language([run("a !b+ c")])], [], "ac"),
    "a negated one, where nothing is refused": ([Language([run("a !b+ c")])], [literals(["ac"])], "axc"),
    "a character that nobody names": ([Language([run("!b")])], [literals(["x", "y"])], "z"),
    "what is refused": ([literals(["a"])], [literals(["a", "b"])], None),
    "all is refused": ([EVERYTHING], [EVERYTHING], None),
    "no text": ([NOTHING], [], None),
    "the fewest runs first": ([literals(["a", "b", "c"]), literals(["c"])], [], "c"),
}


@pytest.mark.parametrize("name", GUESSES)
def test_guesses(name: str) -> None:
    within, without, expected = GUESSES[name]
    assert languages.guess(within, without) == expected


FOUND = {
    "what begins with a letter": ([Language([run("a !+")])], [], "a"),
    "of the texts of all": ([literals(["a", "bb"]), literals(["bb", "ccc"])], [], "bb"),
    "by the order of letters that nobody knows": ([Language([(one("~"), ANYTHING), (one("!"), ANYTHING)])], [], "!"),
    "what is refused in two ways, as nothing": ([Language([run("a+ b")])], [Language([run("a a+ b"), run("b")])], None),
    "of two texts the shorter": ([literals(["bb", "a", "ccc"])], [], "a"),
    "of two as long the first": ([literals(["b", "a", "c"])], [], "a"),
    "of a class what is left": ([Language([run("ab ab")])], [literals(["aa"])], "ab"),
    "not what all refuse": ([literals(["a", "bb"])], [literals(["x"]), literals(["a"])], "bb"),
    "of a text and a pattern the shorter": ([Language([run("a a a"), run("b !b+ b")])], [], "bb"),
    "of a pattern and a text the shorter": ([Language([run("a"), run("b !b+ b")])], [], "a"),
    "the text, where the pattern is refused": ([Language([run("a a a"), run("b !b+ b")])], [Language([run("b !+")])], "aaa"),
    "of a pattern that a wider one covers nothing": ([Language([run("a !b+")])], [Language([run("a !+")])], None),
    "of one that a wider one nearly covers": ([Language([run("a !b+")])], [Language([run("a c !+")]), literals(["a"])], "ax"),
    "in all": ([Language([run("a !+")]), Language([run("!+ b")]), Language([run("! !")])], [], "ab"),
    "in all, as nothing": ([Language([run("a !+")]), Language([run("b !+")])], [], None),
    "the same run on both sides": ([Language([run("a !+"), run("c c")])], [Language([run("a !+")])], "cc"),
    "by letters that are known before others": ([Language([run("!") * 2])], [Language([run("x !+")])], "yy"),
    "beyond what is spelled": ([Language([run(" ".join(["ab"] * 7))])], [literals(["a" * 7])], "aaaaaab"),
    "by a letter that people read": ([Language([run("é !+"), run("z !+")])], [EMPTY_TEXT], "z"),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_shortest_text(name: str) -> None:
    within, without, expected = FOUND[name]
    assert languages.find(within, without, Effort(10_000)) == expected


@pytest.mark.parametrize(("named", "expected"), [("", "x"), ("x", "y"), ("xyz", "w"), (NAMELESS, "Ā"), (f"{NAMELESS}Ā", "ā")])
def test_a_letter_that_nobody_names(named: str, expected: str) -> None:
    assert languages._other(frozenset(named)) == expected


def test_spelled() -> None:
    assert sorted(languages._spelled(run("ab c ab"))) == ["aca", "acb", "bca", "bcb"]
    assert languages._spelled(()) == [""]


def test_other_constants() -> None:
    assert Chars(frozenset(":"), True) == languages.NO_COLON
    assert Chars(frozenset(), True) == ALL
    assert not Language([(of("abcde"), of("abcdefghijklm"))]).is_closed  # 65 texts
    with pytest.raises(ValueError, match=r"^two repeated classes side by side, neither within the other$"):
        languages.joined(run("a+ b+"))


def test_a_run_that_is_refused_whole_says_nothing_of_its_neighbour() -> None:
    """Whichever of the runs comes first: what ends in anything stays refused, what only begins with it does not."""
    without = Language([run("a+ b !+"), run("a+ c !+")])
    assert languages.find([Language([run("a a d !+")])], [without], Effort(1_000)) == "aad"
    assert languages.find([Language([run("a b !+")])], [Language([run("!+ a")])], Effort(1_000)) == "ab"


def unwalked(*_asked: object) -> None:
    raise AssertionError


@pytest.mark.parametrize(("size", "is_walked"), [(2, False), (63, False), (64, True)])
def test_what_shows_without_a_search_is_not_searched_for(size: int, is_walked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "_walk", unwalked)
    wide = Language([(*languages.text("a" * (size - 1)), ANYTHING)])
    narrow = Language([(*languages.text("a" * size), ANYTHING)])
    if is_walked:
        with pytest.raises(AssertionError):
            languages.find([narrow], [wide], Effort(1_000))
    else:
        assert languages.find([narrow], [wide], Effort(1_000)) is None
        assert languages.find([Language([*narrow.runs, run("b")])], [literals(["c"]), wide], Effort(1_000)) == "b"


def test_texts_that_can_be_spelled_are_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "_walk", unwalked)
    assert languages.find([literals(["b", "a"])], [literals(["a"]), EMPTY_TEXT], Effort(1_000)) == "b"
    assert languages.find([EVERYTHING], [EVERYTHING, EMPTY_TEXT], Effort(1_000)) is None  # a run on both sides


def steps(within: list[Language], without: list[Language]) -> int:
    effort = Effort(1_000)
    languages.find(within, without, effort)
    return 60_000 - effort.left


def test_effort() -> None:
    """A text costs by its length and by the languages that are asked; runs by their pairs; a walk by the size of its states."""
    one_text = literals(["a" * 136])
    assert steps([one_text, EVERYTHING], [literals(["b"])]) == 1 + 136 * 2 // 16
    covered = Language((*languages.text(f"a{letter}"), ANYTHING) for letter in "bcde")
    wide = Language((*languages.text(text), ANYTHING) for text in ("a", "xa", "xb", "xc", "xd"))
    assert steps([covered], [wide]) == 4 * 5 // 4
    assert steps([Language([(one("a"), one("b"), ANYTHING)])], []) == 2  # until the last state, which costs nothing
    for length, price in ((2047, 3), (2045, 2), (1022, 1), (1023, 2)):
        effort = Effort(0)
        effort.left = price * length
        within = [Language([(*languages.text("a" * length), ANYTHING)])]
        assert languages.find(within, [], effort) == "a" * length
        assert effort.left == 0
