"""One-time passwords against the vectors of RFC 4226 and RFC 6238, and what is taken for one."""

from base64 import b32decode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sekisho.credentials import one_time
from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import ACCESS_KEYS, KeyRing, UnknownKey

SEED = b"12345678901234567890"
NOW = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)
STEP = 58908960


@pytest.mark.parametrize(
    ("step", "expected"),
    list(enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])),
)
def test_rfc_4226_appendix_d(step: int, expected: str) -> None:
    assert one_time.code(SEED, step) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_rfc_6238_appendix_b(seconds: int, expected: str) -> None:
    assert one_time.code(SEED, one_time.step(datetime.fromtimestamp(seconds, UTC)), digits=8) == expected


@pytest.mark.parametrize(("off", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_is_taken_one_step_off_and_no_more(off: int, taken: bool) -> None:
    assert one_time.step(NOW) == STEP
    assert one_time.accepted(SEED, one_time.code(SEED, STEP + off), NOW) == (STEP + off if taken else None)


def test_a_code_is_not_taken_again_nor_one_from_before() -> None:
    for off in (-1, 0):
        assert one_time.accepted(SEED, one_time.code(SEED, STEP + off), NOW, after=STEP) is None
    assert one_time.accepted(SEED, one_time.code(SEED, STEP + 1), NOW, after=STEP) == STEP + 1


def test_a_device_that_is_ahead_is_known_to_be() -> None:
    code = one_time.code(SEED, STEP + 40)
    assert one_time.accepted(SEED, code, NOW) is None
    assert one_time.accepted(SEED, code, NOW, drift=41) == STEP + 40


@pytest.mark.parametrize("code", ["", "00000", "0000000", "abcdef"])
def test_what_is_no_code_is_never_taken(code: str) -> None:
    assert one_time.accepted(SEED, code, NOW) is None


def codes(first: int, second: int) -> tuple[str, str]:
    return one_time.code(SEED, STEP + first), one_time.code(SEED, STEP + second)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [(-1, 0, True), (0, 1, True), (-2, -1, True), (-3, -2, False), (1, 2, False), (0, 0, False), (0, -1, False), (-1, 1, False)],
)
def test_a_pair_follows_each_other_near_now(first: int, second: int, taken: bool) -> None:
    assert one_time.pair(SEED, *codes(first, second), NOW) == (STEP + second if taken else None)


@pytest.mark.parametrize(("second", "taken"), [(-121, False), (-120, True), (77, True), (120, True), (121, False)])
def test_a_resync_looks_an_hour_to_either_side(second: int, taken: bool) -> None:
    found = one_time.pair(SEED, *codes(second - 1, second), NOW, window=one_time.RESYNC_WINDOW)
    assert found == (STEP + second if taken else None)


def test_a_pair_of_used_codes_is_none() -> None:
    assert one_time.pair(SEED, *codes(-1, 0), NOW, after=STEP - 1) is None
    assert one_time.pair(SEED, *codes(-1, 0), NOW, after=STEP - 2) == STEP


def test_a_seed_is_shown_as_apps_read_it() -> None:
    seed = one_time.new_seed(lambda size: bytes(range(size)))
    assert len(one_time.shown(seed)) == 64
    assert b32decode(one_time.shown(seed)) == seed
    assert one_time.uri(SEED, "my phone+", "111122223333") == (
        "otpauth://totp/my%20phone%2B%40111122223333?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sekisho"
    )


def test_a_seed_opens_in_its_own_row_and_with_the_mfa_keys_only(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "ring.json")
    sealed = one_time.seal("device-1", SEED, ring)
    assert SEED not in sealed
    assert one_time.unseal("device-1", sealed, ring) == SEED
    with pytest.raises(SealBroken):
        one_time.unseal("device-2", sealed, ring)
    with pytest.raises(UnknownKey):
        one_time.unseal("device-1", sealed, KeyRing.open(tmp_path / "ring.json", purposes=[ACCESS_KEYS]))
