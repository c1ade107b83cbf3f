"""What was revoked is refused by another worker: at once where the revision is given, and else as soon as the worker has heard of it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import postgres, revocations
from tests.harness import House
from tests.memory.test_new_enemy import together


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server
) -> Iterator[list[House]]:
    """Workers that hear of nothing by themselves: their feeds are stopped."""
    folder = tmp_path_factory.mktemp("revocations")
    with ExitStack() as stack:
        on_postgresql = request.param == "postgresql"
        url = stack.enter_context(postgres_server.migrated()) if on_postgresql else f"sqlite:///{folder / 'sekisho.db'}"
        made = stack.enter_context(together(url, folder))
        for one in made:
            one.node.feed.stop()
        yield made


@pytest.mark.parametrize("kind", revocations.KINDS)
def test_a_worker_that_is_given_the_revision_refuses_at_once(workers: list[House], kind: str) -> None:
    writer, *others = workers
    made = revocations.KINDS[kind](writer)
    before = writer.revision
    for other in others:
        other.node.world.poll()
        assert made.permitted(other, "" if kind in revocations.WITHOUT_REVISION else before)
    made.revoke()
    for other in others:
        if kind in revocations.WITHOUT_REVISION:
            other.node.world.poll()
            assert not made.permitted(other, "")
        else:
            assert made.permitted(other, ""), "it has not heard of it"
            assert not made.permitted(other, writer.revision)
