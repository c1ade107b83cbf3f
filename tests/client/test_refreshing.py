"""Temporary credentials that a client renews by itself: when, how often, and what happens when that fails."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from sekisho.client import Client, Credentials, NoCredentialsError, Unavailable
from sekisho.client.aio import AsyncClient
from sekisho.client.sources import Refreshing, Temporary
from tests.client.fake import Fake

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Issuer:
    """A place that has credentials for an hour, each time others, unless it is told to fail; its clock stands still."""

    def __init__(self) -> None:
        self.now, self.asked, self.fails = BEGIN, 0, False
        self.before: Callable[[], object] = lambda: None

    def __call__(self) -> Temporary:
        self.asked += 1
        self.before()
        if self.fails:
            raise NoCredentialsError("the place is closed")
        return Temporary(Credentials(f"ASIA{self.asked}", "s", "t"), self.now + HOUR)

    def source(self, chance: float = 0.0) -> Refreshing:
        return Refreshing(self, now=lambda: self.now, chance=lambda: chance)

    def after(self, **past: int) -> None:
        self.now = BEGIN + timedelta(**past)


def test_they_are_loaded_by_the_first_call_and_held() -> None:
    issuer = Issuer()
    source = issuer.source()
    assert (issuer.asked, source.cached_fresh()) == (0, None)
    issuer.after(minutes=54)
    assert [source().access_key_id, source().access_key_id, issuer.asked] == ["ASIA1", "ASIA1", 1]
    assert source.cached_fresh() == Credentials("ASIA1", "s", "t")


@pytest.mark.parametrize(("chance", "minute"), [(0.0, 55), (1.0, 50)])
def test_they_are_renewed_five_to_ten_minutes_before_they_end(chance: float, minute: int) -> None:
    issuer = Issuer()
    source = issuer.source(chance)
    source()
    issuer.after(minutes=minute, seconds=-1)
    assert source().access_key_id == "ASIA1"
    issuer.after(minutes=minute)
    assert source.cached_fresh() is None
    assert source().access_key_id == "ASIA2"


def test_short_ones_are_not_renewed_with_each_call() -> None:
    asked: list[None] = []
    past = [0]

    def load() -> Temporary:
        asked.append(None)
        return Temporary(Credentials("ASIA", "s", "t"), BEGIN + timedelta(seconds=past[0] + 180))

    source = Refreshing(load, now=lambda: BEGIN + timedelta(seconds=past[0]), chance=lambda: 0.0)
    for past[0], times in ((0, 1), (119, 1), (120, 2)):
        source()
        assert len(asked) == times


def test_while_one_thread_renews_them_the_others_go_on_with_the_old_ones() -> None:
    issuer = Issuer()
    source = issuer.source()
    source()
    issuer.after(minutes=56)
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(60)

    issuer.before = hold
    renewed: list[str] = []
    thread = threading.Thread(target=lambda: renewed.append(source().access_key_id))
    thread.start()
    assert begun.wait(60)
    assert [source().access_key_id for _ in range(3)] == ["ASIA1"] * 3
    go_on.set()
    thread.join(60)
    assert (renewed, source().access_key_id, issuer.asked) == (["ASIA2"], "ASIA2", 2)


def test_of_many_threads_that_come_first_one_asks() -> None:
    issuer = Issuer()
    source = issuer.source()
    barrier = threading.Barrier(10)
    found: list[str] = []

    def ask() -> None:
        barrier.wait(60)
        found.append(source().access_key_id)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (found, issuer.asked) == (["ASIA1"] * 10, 1)


def test_the_old_ones_are_given_until_they_end_when_no_new_ones_can_be_had() -> None:
    issuer = Issuer()
    source = issuer.source()
    source()
    issuer.fails = True
    issuer.after(minutes=55)
    assert source().access_key_id == "ASIA1"
    issuer.after(minutes=55, seconds=9)
    assert (source().access_key_id, issuer.asked) == ("ASIA1", 2)  # not asked again with each call
    issuer.after(minutes=55, seconds=10)
    assert (source().access_key_id, issuer.asked) == ("ASIA1", 3)
    issuer.after(minutes=60)
    for _ in range(3):  # and then they are given to nobody; a place in trouble is asked once a second
        with pytest.raises(NoCredentialsError, match="the place is closed"):
            source()
    assert issuer.asked == 4
    issuer.fails = False
    issuer.after(minutes=60, seconds=1)
    assert source().access_key_id == "ASIA5"


def test_a_client_signs_with_the_new_ones_and_its_call_fails_when_there_are_none(fake: Fake) -> None:
    fake.replies = [b""]
    issuer = Issuer()
    with Client(fake.endpoint, issuer.source(), timeout=20.0) as client:
        client.sts.get_caller_identity()
        issuer.after(minutes=56)
        client.sts.get_caller_identity()
        assert ["ASIA1" in fake.arrived[0].metadata["authorization"], "ASIA2" in fake.arrived[1].metadata["authorization"]] == [True, True]
        issuer.fails = True
        issuer.after(minutes=120)
        with pytest.raises(Unavailable, match="the place is closed") as raised:
            client.authorize(principal="arn:aws:iam::111122223333:user/a", action="a:B", resource="*")
        assert (raised.value.answered, len(fake.arrived)) == (False, 2)


def test_a_client_of_asyncio_does_the_same(fake: Fake) -> None:
    fake.replies = [b""]
    issuer = Issuer()

    async def calls() -> None:
        async with AsyncClient(fake.endpoint, issuer.source(), timeout=20.0) as client:
            await client.sts.get_caller_identity()
            issuer.after(minutes=56)
            await asyncio.gather(*(client.sts.get_caller_identity() for _ in range(5)))
            issuer.fails = True
            issuer.after(minutes=120)
            with pytest.raises(Unavailable, match="the place is closed"):
                await client.sts.get_caller_identity()

    asyncio.run(calls())
    assert issuer.asked == 3
    assert "ASIA2" in fake.arrived[-1].metadata["authorization"]
