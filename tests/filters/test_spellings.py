"""A shape says the same in every language: GLOB, LIKE and the regular expressions of Python and PostgreSQL."""

import random
import re
import sqlite3
import time

import pytest
from sqlalchemy import Column, MetaData, String, Table, column, create_engine, select, text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import CompileError

from sekisho.filters import dialects, rows, spellings
from sekisho.policy import residual
from sekisho.policy.residual import ANY, ATOM, ONE, RUN, Shape, automaton, shapes

LETTERS = (*"ab:*?[]%_", "\\", *"^$.-'\" é日{(+|#0", "\n")
GAPS = (ANY, ONE, RUN, ATOM)


def drawn(seed: int) -> tuple[list[Shape], list[str]]:
    """Shapes, and texts of which many match: shapes with something in the place of each wildcard."""
    rng = random.Random(seed)
    made, texts = [], []
    letters = [*rng.sample(LETTERS, 5), ":", "a"]
    for _ in range(60):
        found = shapes.normal(
            rng.choice(GAPS) if rng.random() < 0.4 else "".join(rng.choice(letters) for _ in range(rng.randrange(1, 4)))
            for _ in range(rng.randrange(1, 8))
        )
        if said(found):
            made.append(found)
        texts += [
            "".join(one if isinstance(one, str) else "".join(rng.choices(letters, k=rng.randrange(3))) for one in found) for _ in "123"
        ]
    return made, texts


def said(shape: Shape) -> bool:
    """Whether no ONE stands before RUN with no ANY between."""
    blocks = "".join({ANY: " ", ONE: "1", RUN: "r"}.get(part, "") for part in shape if not isinstance(part, str)).split()
    return not any("1r" in block or ("1" in block and "r" in block[block.index("1") :]) for block in blocks)


def test_what_no_policy_says_is_refused() -> None:
    with pytest.raises(ValueError, match="stands before one that stops at colons"):
        spellings.python((ONE, "a", RUN))
    assert not said((ONE, "a", RUN))
    assert said((ONE, ANY, RUN))


@pytest.mark.parametrize("seed", range(20))
def test_pythons_expressions_say_what_the_shape_does(seed: int) -> None:
    made, texts = drawn(seed)
    for shape in made:
        expression = re.compile(spellings.python(shape))
        for one in texts:
            assert (expression.search(one) is not None) is automaton(shape).matches(one), (shape, one, expression.pattern)


@pytest.mark.parametrize("seed", range(4))
def test_databases_match_what_the_shape_does(bare_database_url: str, seed: int) -> None:
    made, texts = drawn(1_000 + seed)
    engine = create_engine(bare_database_url.replace("postgresql://", "postgresql+psycopg://"))
    listed = Table("texts", MetaData(), Column("text", String))
    with engine.begin() as connection:
        listed.create(connection)
        connection.execute(listed.insert(), [{"text": one} for one in sorted(set(texts))])
        for shape in made:
            matching = rows._matching(dialects.Exactly(listed.c.text), shape)
            found = set(connection.execute(select(listed.c.text).where(matching)).scalars())
            assert found == {one for one in texts if automaton(shape).matches(one)}, shape
            others = set(connection.execute(select(listed.c.text).where(~matching)).scalars())
            assert others == set(texts) - found, shape
    engine.dispose()


def test_letters_of_either_case(bare_database_url: str) -> None:
    """All letters of Unicode that have a lower case, each among others, and the two of which nothing is said."""
    cased = [chr(number) for number in range(0x1F000) if chr(number).lower() != chr(number) and len(chr(number).lower()) == 1]
    assert len(cased) > 1_300
    texts = sorted({f"x{one}y" for letter in cased for one in (letter, letter.lower(), letter.upper())} - {"xΣy", "xσy", "xςy"})
    engine = create_engine(bare_database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE texts (text VARCHAR)"))
        connection.execute(text("INSERT INTO texts VALUES (:text)"), [{"text": one} for one in texts])
        for wanted in sorted({one.lower() for one in texts})[::9]:
            matching = rows._in_any_case(dialects.Exactly(column("text", String)), wanted)
            selected: set[str] = set(connection.execute(select(column("text")).select_from(text("texts")).where(matching)).scalars())
            assert selected == {one for one in texts if one.lower() == wanted}, wanted
    engine.dispose()


def test_letters_that_nothing_is_said_of_are_the_only_ones() -> None:
    """Lower case goes letter by letter, but for a sigma and for the dotted I."""
    for number in range(0x110000):
        one = chr(number)
        if one in "Σσς" or 0xD800 <= number < 0xE000:
            continue
        lowered = one.lower()
        assert len(lowered) == 1 or one == "İ"
        if lowered != one:
            assert f"ab{one}c".lower() == f"ab{lowered}c"
            assert f"ab{one}".lower() == f"ab{lowered}"
            assert number < spellings._CASED


@pytest.mark.bounded
@pytest.mark.parametrize(
    "shape",
    [
        (ANY, *("a", ANY) * 30, "b"),
        (RUN, *("a", RUN) * 30, ":", ANY, "b"),
        (ANY, ":", RUN, *("a", RUN) * 30, "b", ANY),
        (ANY, *("a", RUN, "a", ANY) * 15, "b"),
        (ANY, ":", RUN, *("a", RUN) * 20, "b"),
        (ATOM, RUN, *("a", ATOM, RUN) * 20, ONE, ANY, "b"),
    ],
    ids=["any", "run", "run_in_the_middle", "both", "run_at_the_end", "single"],
)
@pytest.mark.parametrize("letter", ["a", "a:", ":a"])
def test_no_text_is_slow(shape: Shape, letter: str) -> None:
    """Of the longest ARN; a hundredth of a second is what it takes."""
    long = (letter * residual.MAX_ARN)[: residual.MAX_ARN]
    began = time.process_time()
    matched = re.search(spellings.python(shape), long) is not None
    assert time.process_time() - began < 4.0
    assert matched is automaton(shape).matches(long)


def test_other_databases_are_refused() -> None:
    test = rows.where(
        residual.Plan((residual.ARN,), residual.TagExists("team")), arn=column("arn", String), tags=lambda _: column("team", String)
    )
    with pytest.raises(CompileError, match="not of `mysql`"):
        test.compile(dialect=mysql.dialect())


def test_sqlites_like_is_never_used() -> None:
    """It does not mind the case."""
    plan = residual.Plan((residual.ARN,), residual.some_of([residual.TagLike("team", ("R", ANY)), residual.TagIn("team", ("blue",))]))
    said = str(rows.where(plan, arn=column("arn", String), tags=lambda _: column("team", String)).compile(dialect=sqlite.dialect()))
    assert " LIKE " not in said
    assert sqlite3.sqlite_version_info >= (3, 32)


@pytest.mark.parametrize("form", ["like", "mixed", "in", "any_case", "every"])
def test_the_largest_filters_are_taken(bare_database_url: str, form: str) -> None:
    """Of as many parts as a plan has; SQLite takes no expression that is more than 1,000 deep."""
    count = 1_990
    conditions: dict[str, residual.Node] = {
        "like": residual.some_of([residual.ArnLike((f"arn:aws:orders:eu:1:order/{n}-", ANY)) for n in range(count)]),
        "mixed": residual.some_of([residual.ArnLike(("arn:aws:", ANY, f":order/{n}-", RUN, "y", ANY)) for n in range(count)]),
        "in": residual.TagIn("team", tuple(f"t{n}" for n in range(count))),
        "any_case": residual.TagIn("team", tuple(f"t{n}" for n in range(count)), ignoring_case=True),
        "every": residual.all_of([residual.negated(residual.ArnLike((ANY, f"/{n}-", ANY))) for n in range(1, count)]),
    }
    listed = Table("texts", MetaData(), Column("arn", String), Column("team", String))
    engine = create_engine(bare_database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        listed.create(connection)
        connection.execute(listed.insert(), [{"arn": f"arn:aws:orders:eu:1:order/{n}-y", "team": f"t{n}"} for n in (0, 1_989, 2_500)])
        plan = residual.Plan((residual.ARN,), conditions[form])
        test = rows.where(plan, arn=listed.c.arn, tags=lambda _: listed.c.team)
        found = [one.rpartition("/")[2] for one in connection.execute(select(listed.c.arn).where(test)).scalars()]
    engine.dispose()
    assert found == (["0-y", "2500-y"] if form == "every" else ["0-y", "1989-y"])
