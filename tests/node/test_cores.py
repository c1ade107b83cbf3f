"""Which worker is kept on which core."""

import os
import threading
from pathlib import Path

import pytest

from sekisho.node import cores

ALLOWED = [2, 3, 6, 7]


def test_workers_of_a_server_have_cores_of_their_own() -> None:
    assert sorted(cores.core(ALLOWED, index, "here") for index in range(4)) == ALLOWED
    assert cores.core(ALLOWED, 4, "here") == cores.core(ALLOWED, 0, "here")


def test_servers_of_a_machine_do_not_all_begin_with_the_same_core() -> None:
    assert {cores.core(ALLOWED, 0, f"host-{number} /data") for number in range(40)} == set(ALLOWED)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot keep a thread on a core")
def test_threads_stay_where_their_worker_is(tmp_path: Path) -> None:
    seen: list[set[int]] = []

    def work() -> None:
        cores.pin(0, tmp_path)
        inner = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        inner.start()
        inner.join()

    before = os.sched_getaffinity(0)
    outer = threading.Thread(target=work)
    outer.start()
    outer.join()
    assert [len(allowed) for allowed in seen] == [1]
    assert seen[0] <= before
    assert os.sched_getaffinity(0) == before
