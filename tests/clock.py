"""The clock of calls, which a test can stop: what follows then takes no time, however slow the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest import mock

from sekisho.calls import pipeline


def now() -> datetime:
    """The moment at which a call would begin now."""
    moment: datetime = vars(pipeline)["datetime"].now(UTC)
    return moment


@contextmanager
def stopped(at: datetime | None = None) -> Iterator[datetime]:
    """Have all calls of this process begin at the same moment: this one, or another."""
    moment = at or datetime.now(UTC)

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return moment.astimezone(tz)

    with mock.patch.object(pipeline, "datetime", Stopped):
        yield moment


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Have the clock of all calls of this process be so much ahead, or behind, and go on."""

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + by

    with mock.patch.object(pipeline, "datetime", Moved):
        yield
