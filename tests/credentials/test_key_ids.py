"""Ids have AWS's prefixes and lengths; an access key id tells its account and a slip of the pen."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.credentials import key_ids

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        ("user", "AIDA"),
        ("role", "AROA"),
        ("group", "AGPA"),
        ("instance-profile", "AIPA"),
        ("policy", "ANPA"),
        ("policy-version", "ANVA"),
        ("server-certificate", "ASCA"),
        ("public-key", "APKA"),
    ],
)
def test_ids_of_entities(kind: str, prefix: str) -> None:
    made = key_ids.unique_id(kind)
    random = 16 if kind == "public-key" else 17  # as the ids that AWS shows
    assert re.fullmatch(f"{prefix}[A-Z2-7]{{{random}}}", made)
    assert key_ids.kind_of(made) == kind
    assert key_ids.unique_id(kind) != made


def test_ids_from_given_randomness() -> None:
    assert key_ids.unique_id("user", bytes) == "AIDAAAAAAAAAAAAAAAAAA"
    assert key_ids.unique_id("role", lambda size: b"\xff" * size) == "AROA77777777777777777"
    assert key_ids.long_term("123456789012", bytes) == "AKIADS7JSGQUAAAAAAFW"
    assert key_ids.temporary("123456789012", bytes) == "ASIADS7JSGQUAAAAAAE3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AIDA",
        "AIDAAAAAAAAAAAAAAAAA",
        "AIDAAAAAAAAAAAAAAAAAA1",
        "aidaAAAAAAAAAAAAAAAAA",
        "AXXAAAAAAAAAAAAAAAAAA",
        "APKAAAAAAAAAAAAAAAAAA",
    ],
)
def test_what_is_no_id_of_an_entity(text: str) -> None:
    assert key_ids.kind_of(text) is None


@given(st.from_regex("[0-9]{12}", fullmatch=True), st.randoms(use_true_random=False))
def test_a_key_id_tells_its_account(account: str, rng: random.Random) -> None:
    for made, prefix in ((key_ids.long_term(account, rng.randbytes), "AKIA"), (key_ids.temporary(account, rng.randbytes), "ASIA")):
        assert re.fullmatch(prefix + "[A-Z2-7]{16}", made)
        assert key_ids.account_of_key_id(made) == account
        assert key_ids.is_temporary(made) == (prefix == "ASIA")


def test_any_mistyped_character_is_noticed() -> None:
    made = key_ids.long_term("111122223333", random.Random(1).randbytes)
    for index in range(4, 20):
        for character in ALPHABET:
            if character != made[index]:
                assert key_ids.account_of_key_id(made[:index] + character + made[index + 1 :]) is None


def test_swapped_neighbours_are_noticed() -> None:
    made = key_ids.long_term("111122223333", random.Random(1).randbytes)
    swapped = {made[:i] + made[i + 1] + made[i] + made[i + 2 :] for i in range(4, 19)} - {made}
    assert len(swapped) > 10
    assert [text for text in swapped if key_ids.account_of_key_id(text)] == []


def test_an_account_of_thirteen_digits_is_none() -> None:
    assert key_ids.account_of_key_id(key_ids.long_term("999999999999")) == "999999999999"
    assert key_ids.account_of_key_id(key_ids.long_term("1000000000000")) is None


def test_what_is_no_key_id() -> None:
    made = key_ids.long_term("111122223333")
    for text in (
        "",
        made[:-1],
        made + "A",
        made.lower(),
        "ASIA" + made[4:],
        "AROA" + made[4:],
        made[:-1] + "1",
        "AKIA" + "7" * 16,
        "AKIA" + "é" * 16,
    ):
        assert key_ids.account_of_key_id(text) is None
