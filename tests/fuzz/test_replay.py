"""The corpus of the fuzzer, and mutations of it that are the same on every run; no fuzzer is needed for this."""

import random
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, matches

CORPUS = Path(__file__).parent / "corpus"
SEEDS = {name: {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())} for name in TARGETS}
MUTATIONS = 400
_SPICE = (
    b"*",
    b"?",
    b":",
    b"${",
    b"}",
    b"'",
    b'"',
    b"\\",
    b"\n",
    b"\t",
    b"[",
    b"{",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"9" * 50,
    b"Deny",
    b"/",
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bytes removed, replaced, doubled or put in."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.randint(0, 8))
        piece = chance.choice((b"", data[at:until] * 2, chance.choice(_SPICE), bytes([chance.randrange(256)])))
        data = data[:at] + piece + data[until:]
    return data


@pytest.mark.parametrize(("target", "seed"), [(target, seed) for target, seeds in SEEDS.items() for seed in seeds])
def test_corpus(target: str, seed: str) -> None:
    TARGETS[target](SEEDS[target][seed])


@pytest.mark.parametrize("target", TARGETS)
def test_mutations(target: str) -> None:
    chance = random.Random(target)
    seeds = list(SEEDS[target].values())
    for _ in range(MUTATIONS):
        data = mutated(chance.choice(seeds), chance)
        try:
            TARGETS[target](data)
        except Exception as error:
            error.add_note(f"input: {data!r}")
            raise


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_at_all(target: str) -> None:
    TARGETS[target](b"")


@pytest.mark.parametrize(
    ("pattern", "text", "plain", "segmented"),
    [
        ("a*c", "abc", True, True),
        ("a*c", "a:c", True, False),
        ("a*:c", "a:b:c", True, True),
        ("a*", "a:b", True, True),
        ("a?c", "a:c", True, False),
        ("a?c", "ac", False, False),
        ("*a*a", "aba", True, True),
        ("", "", True, True),
        ("", "a", False, False),
    ],
)
def test_the_definition_of_wildcards(pattern: str, text: str, plain: bool, segmented: bool) -> None:
    assert matches(pattern, text, segmented=False) is plain
    assert matches(pattern, text, segmented=True) is segmented
