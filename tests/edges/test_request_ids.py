"""Names of calls are nobody else's."""

import os
import re

import pytest

from sekisho.edges import request_ids


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


def test_a_process_that_was_forked_gives_other_names() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, request_ids.new().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        name = said.read()
    assert os.waitpid(child, 0)[1] == 0
    own = request_ids.new()
    assert name[-12:] == own[-12:]  # the numbers go on from where they were
    assert name[:-12] != own[:-12]
