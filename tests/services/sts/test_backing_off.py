"""Wrong proofs: what they cost, for how long, whom they concern and whom not; and proofs that are right, once, on whatever worker."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho import meters, sigv4
from sekisho.calls import backing_off
from sekisho.errors import AccessDenied, SekishoError
from tests import clock, nodes
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import Phone, enabled
from tests.services.mfa.conftest import person, with_passkeys
from tests.services.sts.test_session_tokens import FAILED, session

SECONDS = {0: 0, 4: 0, 5: 60, 6: 120, 7: 240, 8: 480, 9: 900, 10: 900, 1_000_000: 900}
"""Seconds that the next proof waits after so many wrong ones."""


@pytest.fixture
def ann(house: House) -> sigv4.Credentials:
    return house.user("ann", allow("iam:ChangePassword", "sts:AssumeRole"))


@pytest.fixture
def device(house: House, ann: sigv4.Credentials, stopped_clock: datetime) -> Phone:
    return enabled(house, "ann")


def refusals(proof: str, reason: str) -> float:
    return float(meters.FAMILIES["sekisho_refused_proofs"].labels(proof, reason).numbers[0])


def test_waiting_grows_and_has_an_end() -> None:
    assert {failures: backing_off.pause(failures).total_seconds() for failures in SECONDS} == SECONDS


def test_after_five_wrong_codes_the_right_one_waits_too(
    house: House, ann: sigv4.Credentials, device: Phone, refused: Refused, stopped_clock: datetime
) -> None:
    wrong, waiting = refusals("code", "wrong"), refusals("code", "waiting")
    at = timedelta()
    for failures in range(12):
        at += backing_off.pause(failures)
        with clock.stopped(stopped_clock + at - timedelta(seconds=1)) if failures >= backing_off.FREE else clock.stopped(stopped_clock):
            if failures >= backing_off.FREE:  # the same sentence, and the code is not used up
                assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code()) == FAILED
        with clock.stopped(stopped_clock + at):
            assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code(30)) == FAILED
    assert (refusals("code", "wrong") - wrong, refusals("code", "waiting") - waiting) == (12, 7)
    with clock.stopped(stopped_clock + at + timedelta(minutes=15)):
        session(house, ann, serial_number=device.serial, token_code=device.code())
        # and all is forgotten
        for _ in range(backing_off.FREE - 1):
            assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code(30)) == FAILED
        session(house, ann, serial_number=device.serial, token_code=device.code(1))


def test_eight_devices_are_not_eight_times_as_many_tries(house: House, ann: sigv4.Credentials, device: Phone, refused: Refused) -> None:
    phones = [device, *(enabled(house, "ann", f"phone-{number}") for number in range(4))]
    for one in phones:
        assert refused("GetSessionToken", _as=ann, serial_number=one.serial, token_code=one.code(30)) == FAILED
    assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code()) == FAILED
    assert device.row.failures == 1


def test_who_has_no_key_of_the_owner_makes_nobody_wait(house: House, ann: sigv4.Credentials, device: Phone, refused: Refused) -> None:
    strangers = (house.user("eve", allow("*")), house.root, house.account())
    for who, _ in itertools.product(strangers, range(backing_off.FREE + 1)):
        with pytest.raises(SekishoError, match="invalid MFA one time pass code"):
            house.call("GetSessionToken", _as=who, serial_number=device.serial, token_code=device.code(30))
    assert (device.row.failures, device.row.failed_at) == (0, None)
    session(house, ann, serial_number=device.serial, token_code=device.code())


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long(
    house: House, ann: sigv4.Credentials, device: Phone, stopped_clock: datetime, refused: Refused
) -> None:
    with clock.stopped(stopped_clock + timedelta(days=400)):
        for _ in range(20):
            assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code(30)) == FAILED
    session(house, ann, serial_number=device.serial, token_code=device.code())


def test_codes_that_are_guessed_keep_nobody_from_a_passkey(house: House, refused: Refused, stopped_clock: datetime) -> None:
    ann = person(with_passkeys(house), house.user("ann", allow("iam:EnableMFADevice")))
    phone = enabled(house, "ann")
    for _ in range(backing_off.FREE):
        assert refused("GetSessionToken", _as=ann.keys, serial_number=phone.serial, token_code=phone.code(30)) == FAILED
    session(house, ann.keys, **ann.proof())
    assert refused("GetSessionToken", _as=ann.keys, serial_number=phone.serial, token_code=phone.code()) == FAILED


def test_wrong_assertions_wait_by_passkey(house: House, refused: Refused, stopped_clock: datetime) -> None:
    ann = person(with_passkeys(house), house.user("ann", allow("iam:EnableMFADevice")))
    other = person(house, ann.keys, label="other")
    wrong = refusals("assertion", "wrong")
    for _ in range(backing_off.FREE):
        assert refused("GetSessionToken", _as=ann.keys, **ann.proof(signature=b"0" * 70)) == FAILED
    assert refusals("assertion", "wrong") - wrong == backing_off.FREE
    assert refused("GetSessionToken", _as=ann.keys, **ann.proof()) == FAILED
    session(house, ann.keys, **other.proof())
    with clock.stopped(stopped_clock + timedelta(seconds=60)):
        session(house, ann.keys, **ann.proof())


def test_old_passwords_wait(house: House, ann: sigv4.Credentials, refused: Refused, stopped_clock: datetime) -> None:
    house.call("UpdateAccountPasswordPolicy", allow_users_to_change_password=True, minimum_password_length=15)
    house.call("CreateLoginProfile", user_name="ann", password="an old password, long")
    ask: dict[str, Any] = {"_as": ann, "new_password": "a new password, long"}
    no = ("AccessDenied", "The old password was incorrect.")
    for _ in range(backing_off.FREE):
        assert refused("ChangePassword", **ask, old_password="something else, long") == no
    waiting = refusals("password", "waiting")
    assert refused("ChangePassword", **ask, old_password="an old password, long") == no
    assert refusals("password", "waiting") - waiting == 1
    with clock.stopped(stopped_clock + timedelta(seconds=60)):
        house.call("ChangePassword", **ask, old_password="an old password, long")
        assert refused("ChangePassword", **ask, old_password="something else, long") == no
        house.call("ChangePassword", _as=ann, old_password="a new password, long", new_password="another password, long")


def test_of_many_uses_of_a_code_on_two_workers_one_wins(database_url: str, tmp_path: Path) -> None:
    """And of many wrong ones at once, no more than five are looked at."""
    with nodes.two(database_url, tmp_path) as houses, clock.stopped():
        first, second = houses
        first.seconds = second.seconds = 120.0
        ann = first.user("ann")
        device = enabled(first, "ann")
        barrier = threading.Barrier(8)

        def use(number: int, code: str) -> bool:
            barrier.wait(60)
            won = 0
            for _ in range(3):
                try:
                    session(houses[number % 2], ann, serial_number=device.serial, token_code=code)
                    won += 1
                except AccessDenied:
                    continue
            return bool(won)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda number: use(number, device.code()), range(8))) == 1
            device.forget()
            list(pool.map(lambda number: use(number, device.code(30)), range(8)))
        assert device.row.failures == backing_off.FREE
