"""Waiting after wrong proofs: from the sixth on, twice as long each time, up to a quarter of an hour."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.calls import backing_off
from sekisho.store.tables import Authenticator, ProofFailure
from tests.calls.fakes import NOW, ROLE, USER

MINUTE = timedelta(minutes=1)
TABLES = (ProofFailure,)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 15), (14, 15), (15, 15), (16, 15), (1000, 15)],
)
def test_each_wrong_proof_makes_the_next_wait_longer(failures: int, minutes: int) -> None:
    assert backing_off.pause(failures) == minutes * MINUTE


@pytest.mark.parametrize("after", [1, -1])
@pytest.mark.parametrize(("failures", "minutes"), [(5, 1), (6, 2), (9, 15), (40, 15)])
def test_nobody_waits_longer_than_the_pause(failures: int, minutes: int, after: int) -> None:
    row = ProofFailure(failures=failures, failed_at=NOW)
    ends = minutes * MINUTE
    assert backing_off.is_waiting(row, NOW)
    assert backing_off.is_waiting(row, NOW + after * (ends - timedelta.resolution))
    assert not backing_off.is_waiting(row, NOW + after * ends)


@pytest.mark.parametrize(
    "row",
    [None, ProofFailure(failures=4, failed_at=NOW), ProofFailure(failures=0, failed_at=NOW), Authenticator(failures=9, failed_at=None)],
)
def test_nobody_waits_after_few(row: Any) -> None:
    assert not backing_off.is_waiting(row, NOW)


def test_a_wrong_proof_is_counted_on_its_device() -> None:
    device = Authenticator(failures=3, failed_at=NOW)
    backing_off.failed(device, NOW + MINUTE)
    assert (device.failures, device.failed_at) == (4, NOW + MINUTE)


def test_wrong_proofs_are_counted_by_owner_and_kind_and_forgotten_by_a_right_one(session: Session) -> None:
    def counted() -> dict[tuple[str, str], tuple[int, Any]]:
        return {(row.owner_id, row.proof): (row.failures, row.failed_at) for row in session.scalars(select(ProofFailure))}

    backing_off.owner_failed(session, USER, backing_off.CODE, NOW)
    backing_off.owner_failed(session, USER, backing_off.CODE, NOW + MINUTE)
    backing_off.owner_failed(session, USER, backing_off.PASSWORD, NOW)
    backing_off.owner_failed(session, ROLE, backing_off.CODE, NOW)
    others = {(USER, "password"): (1, NOW), (ROLE, "code"): (1, NOW)}
    assert counted() == others | {(USER, "code"): (2, NOW + MINUTE)}
    backing_off.owner_proved(session, USER, backing_off.CODE)
    assert counted() == others
    backing_off.owner_proved(session, USER, backing_off.CODE)
    assert counted() == others


def test_refused_proofs_are_metered_by_kind_and_reason() -> None:
    def counted(*labels: str) -> float:
        return float(next(iter(backing_off._REFUSED.labels(*labels).numbers)))

    before = counted("code", "wrong"), counted("assertion", "cloned")
    backing_off.meter(backing_off.CODE, backing_off.WRONG)
    assert (counted("code", "wrong"), counted("assertion", "cloned")) == (before[0] + 1, before[1])
