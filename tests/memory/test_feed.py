"""Waiting for a revision."""

import threading
import time
from pathlib import Path

import pytest

from sekisho.errors import RequestTimeout
from sekisho.memory import feed
from sekisho.store import changes
from tests.harness import house


def test_revisions_from_afar_hold_only_some_of_the_threads(tmp_path: Path) -> None:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.call("CreateUser", user_name="ann")
        ahead = changes.Point(changes.parse(made.revision).number + 1, "0" * 16).token
        refused: list[str] = []

        def ask() -> None:
            with pytest.raises(feed.AnotherHistory) as caught:
                made.node.feed.wait_for(ahead, time.monotonic() + 300)
            refused.append(caught.value.message)

        waiting = [threading.Thread(target=ask) for _ in range(feed.WAITERS)]
        for thread in waiting:
            thread.start()
        while made.node.feed._places._value:  # until each has its place
            time.sleep(0.005)
        with pytest.raises(feed.NotYet, match="too many calls wait"):
            made.node.feed.wait_for(ahead, time.monotonic() + 300)
        made.call("CreateUser", user_name="bob")
        for thread in waiting:
            thread.join(60)
        assert len(refused) == feed.WAITERS
        made.node.feed.wait_for(made.node.world.point.token, time.monotonic() + 1.0)


@pytest.mark.parametrize("looks", [0, 1])
def test_a_deadline_that_comes_during_a_look_is_told_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.call("CreateUser", user_name="ann")
        ahead = changes.Point(changes.parse(made.revision).number + 1, "0" * 16).token
        left, poll = [looks], made.node.world.poll

        def late(deadline: float | None = None) -> changes.Point:
            if left[0] == 0:
                raise RequestTimeout("The deadline passed.")
            left[0] -= 1
            return poll(deadline)

        monkeypatch.setattr(made.node.world, "poll", late)
        with pytest.raises(feed.NotYet, match="has not reached the revision"):
            made.node.feed.wait_for(ahead, time.monotonic() + 300)
