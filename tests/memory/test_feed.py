"""Waiting for a revision."""

import threading
import time
from pathlib import Path

import pytest

from sekisho.memory import feed
from sekisho.store.changes import Point
from tests.harness import house


def test_revisions_from_afar_hold_only_some_of_the_threads(tmp_path: Path) -> None:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        afar = Point(10**9, "0" * 16).token
        refused: list[str] = []

        def ask() -> None:
            with pytest.raises(feed.NotYet) as caught:
                made.node.feed.wait_for(afar, time.monotonic() + 1.5)
            refused.append(caught.value.message)

        waiting = [threading.Thread(target=ask) for _ in range(feed.WAITERS)]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        with pytest.raises(feed.NotYet, match="too many calls wait"):
            made.node.feed.wait_for(afar, time.monotonic() + 1.5)
        for thread in waiting:
            thread.join(10)
        assert len(refused) == feed.WAITERS
        made.node.feed.wait_for(made.node.world.point.token, time.monotonic() + 1.0)
