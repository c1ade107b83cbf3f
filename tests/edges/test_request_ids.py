"""Names of calls are nobody else's."""

import re
from multiprocessing.connection import Connection

import pytest

from sekisho.edges import request_ids
from tests import processes


def test_a_name_has_the_shape_of_a_uuid() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", request_ids.new())
    assert len({request_ids.new() for _ in range(1000)}) == 1000


def test_the_numbers_go_on_when_the_prefix_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_ids, "_prefix", request_ids._prefix)
    before = request_ids.new()
    request_ids._renew()
    after = request_ids.new()
    assert (int(after[-12:], 16), after[:-12] != before[:-12]) == (int(before[-12:], 16) + 1, True)
    assert len(after) == 36


def say(answer: Connection) -> None:
    """Tell a name, in a process of its own."""
    answer.send(request_ids.new())


def test_processes_that_were_forked_of_one_give_other_names() -> None:
    names = []
    for _ in range(2):
        ours, theirs = processes.CONTEXT.Pipe(duplex=False)
        child = processes.CONTEXT.Process(target=say, args=(theirs,))
        child.start()
        assert ours.poll(processes.PATIENCE)
        names.append(ours.recv())
        child.join(processes.PATIENCE)
    assert names[0][-12:] == names[1][-12:]  # the numbers go on from where they were
    assert names[0][:-12] != names[1][:-12]
