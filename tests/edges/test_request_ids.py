"""Names of calls are nobody else's."""

import os
import re

from sekisho.edges import request_ids


def test_a_name_has_the_shape_of_a_uuid() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", request_ids.new())
    assert len({request_ids.new() for _ in range(1000)}) == 1000


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
