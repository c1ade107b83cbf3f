"""Milliseconds until a change holds on every worker, and the cost of a thousand watchers to those who decide.

    python -m bench.freshness [--changes 2000] [--watchers 1000]

A change has its effect on a worker when that has applied its revision: everything that it touched has gone from memory. The workers are
nodes of their own (database connections, cache, feed) in this process; the time is counted from the moment at which the writer had its
answer, on the two workers that did not write.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sekisho.api.authorize.v1.changes_pb2 import WatchChangesRequest
from sekisho.client.decisions import Question
from sekisho.client.local.follower import WATCH
from sekisho.store import changes
from tests import postgres
from tests.harness import House
from tests.inside import Inside, inside
from tests.memory.test_new_enemy import together
from tests.services.iam.documents import allow

QUESTIONS = 500


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=2000)
    parser.add_argument("--watchers", type=int, default=1000)
    given = parser.parse_args()
    for kind in ("sqlite", "postgresql"):
        with database(kind) as (url, folder), together(url, folder) as workers:
            waited = sorted(_waited(workers, given.changes))
        print(f"commit to effect, {kind:10} {len(waited)} observations: {_quantiles(waited)}")
    with database("sqlite") as (url, folder), inside(url, folder) as place:
        _watchers(place, given.watchers)
    return 0


def _waited(workers: list[House], count: int) -> list[float]:
    """Seconds from a commit to its effect, of each change on each worker that did not write it."""
    writer, *others = workers
    waited: list[float] = []
    for number in range(count):
        document = allow(f"orders:Do{number}")
        writer.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=document)
        committed, wanted = time.monotonic(), changes.parse(writer.revision).number
        left = list(others)
        while left:
            now = time.monotonic()
            behind = [one for one in left if one.node.world.point.number < wanted]
            waited += [now - committed] * (len(left) - len(behind))
            left = behind
            time.sleep(0.0005)
    return waited


def _watchers(place: Inside, count: int) -> None:
    """Authorize with and without watchers, quiet and while their account changes; interleaved in three rounds."""
    place.house.call("CreateUser", user_name="ann")
    question: Question = {
        "principal": f"arn:aws:iam::{place.house.account_id}:user/ann",
        "action": "orders:Ship",
        "resource": "*",
    }
    with place.client() as client:

        def asked() -> list[float]:
            times = []
            for _ in range(QUESTIONS):
                began = time.perf_counter()
                client.authorize(**question)
                times.append(time.perf_counter() - began)
            return sorted(times)

        rows: dict[str, list[float]] = {}
        for _ in range(3):
            rows.setdefault("no watchers", []).extend(asked())
            with _changing(place):
                rows.setdefault("no watchers, 20 changes a second", []).extend(asked())
            with _watching(place, count):
                rows.setdefault(f"{count} watchers", []).extend(asked())
                with _changing(place):
                    rows.setdefault(f"{count} watchers, 20 changes a second", []).extend(asked())
                threads = [thread for thread in threading.enumerate() if thread.name.startswith(("inside-streams", "lot"))]
        for name, times in rows.items():
            print(f"Authorize, {name:36} {_quantiles(sorted(times))}")
        print(f"threads of {count} streams: {len(threads)}")


@contextmanager
def _watching(place: Inside, count: int) -> Iterator[None]:
    """So many streams of one account, on connections of a hundred, each of which is read by nobody but one thread."""
    with ExitStack() as stack:
        clients = [stack.enter_context(place.client()) for _ in range((count + 99) // 100)]
        request = WatchChangesRequest(heartbeat_seconds=5)
        calls = [clients[number // 100]._transport.begin(WATCH, request, timeout=None) for number in range(count)]
        for call in calls:
            stack.callback(call.cancel)
            next(call)
        yield


@contextmanager
def _changing(place: Inside) -> Iterator[None]:
    """Twenty changes a second of the watchers' own account."""
    ended = threading.Event()

    def change() -> None:
        number = 0
        while not ended.wait(0.05):
            number += 1
            place.house.call("TagUser", user_name="ann", tags=[{"key": "k", "value": str(number)}])

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def database(kind: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'sekisho.db'}", folder
        else:
            server = stack.enter_context(postgres.running(postgres.binaries()))
            yield stack.enter_context(server.database()), folder


def _quantiles(times: Sequence[float]) -> str:
    """Median, p99 and the longest, in milliseconds, of what is sorted."""
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    return f"p50 {statistics.median(times) * 1000:7.1f} ms, p99 {p99 * 1000:7.1f} ms, longest {times[-1] * 1000:7.1f} ms"


if __name__ == "__main__":
    raise SystemExit(main())
