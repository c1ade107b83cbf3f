"""The decision log: each decision as a line of JSON, or handed to another sink, written beside the calls and never in their way.

A thread writes what calls have put into a bounded queue. A sink that is slow or fails costs lines, which are counted, and never a call.
"""

import json
import os
import queue
import re
import select
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from sekisho import meters
from sekisho.errors import FailedPrecondition, InvalidArgument

MOST = 8192
"""Decisions that wait to be written; at most some 10 KB each, as long as a resource may be."""
BATCH = 512
"""Decisions that are written at once."""
STDOUT = "-"
ALL, DENIES = "all", "denies"

WRITTEN = meters.Counter("sekisho_decision_log_written", "Decisions that the decision log has written.")
DROPPED = meters.Counter(
    "sekisho_decision_log_dropped",
    "Decisions that the decision log should have and has not: the queue was full, the sink failed.",
    ["reason"],
)
_OF_QUEUE, _OF_SINK = DROPPED.labels("queue"), DROPPED.labels("sink")
_SAMPLED = re.compile(r"1/([1-9][0-9]{0,8})")

Entry = dict[str, Any]
Sink = Callable[[Sequence[Entry]], None]
"""Writes entries, or raises."""

log = structlog.get_logger(__name__)


class DecisionLog:
    """A queue and the thread that empties it into a sink. `level` is `all`, `denies`, or `1/100` for a hundredth of all."""

    def __init__(self, sink: Sink, level: str = ALL, *, reopen: Callable[[], None] = lambda: None) -> None:
        self._sink, self.reopen = sink, reopen
        self._denies, self._of = parsed(level)
        self._queue: queue.SimpleQueue[tuple[Callable[..., Entry], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def wants(self, decision_id: str, *, allowed: bool) -> bool:
        """Whether a decision is one of those that are logged. Which of all are sampled depends on their ids alone."""
        if self._denies and allowed:
            return False
        return self._of == 1 or zlib.crc32(decision_id.encode()) % self._of == 0

    def add(self, made: Callable[..., Entry], *arguments: Any) -> None:
        """Have an entry written; `made` makes it of the arguments, in the log's own thread."""
        if self._queue.qsize() >= MOST:
            _OF_QUEUE.inc()
        else:
            self._queue.put((made, arguments))

    def close(self) -> None:
        """Write what waits, then stop; a sink that takes too long is left alone."""
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        running = True
        while running:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            running = None not in batch
            waiting = [item for item in batch if item is not None]
            if waiting:
                self._write(waiting)

    def _write(self, waiting: Sequence[tuple[Callable[..., Entry], tuple[Any, ...]]]) -> None:
        try:
            self._sink([made(*arguments) for made, arguments in waiting])
        except Exception as error:  # whatever it is, the thread goes on, and the next ones may be written
            _OF_SINK.inc(len(waiting))
            if not self._failing:  # once for each time it begins to fail
                log.error("decision_log.failing", error=getattr(error, "strerror", None) or type(error).__name__)
            self._failing = True
        else:
            WRITTEN.inc(len(waiting))
            self._failing = False


class Lines:
    """A file of lines of JSON, to which all workers append, or standard output. To move a file away, rename it, then have it reopened.

    With `lasting`, what a call has written survives the machine's end, and a line that another process left unfinished is ended first.
    `of` says in errors what the lines are.
    """

    def __init__(self, path: str, *, of: str = "the decision log", lasting: bool = False) -> None:
        self._path = None if path == STDOUT else Path(path)
        self._of, self._lasting = of, lasting
        self._lock = threading.Lock()
        self._cut = False
        self._file = self._opened()

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Append entries, whole lines at once, so that those of several workers stand one behind the other."""
        made = [(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace") for entry in entries]
        with self._lock:
            if self._cut:
                made[0] = b"\n" + made[0]  # after what was cut off, a line of its own
            self._cut = True
            for data in [b"".join(made)] if self._path is not None else _pieces(made):
                while data:
                    data = data[os.write(self._file, data) :]
            if self._lasting and self._path is not None:
                os.fsync(self._file)
            self._cut = False

    def reopen(self) -> None:
        """Go on with the file that has the path now; with the old one, when it cannot be opened."""
        if self._path is None:
            return
        try:
            opened = self._opened()
        except FailedPrecondition as error:
            log.error("decision_log.not_reopened", error=error.message)
            return
        with self._lock:
            before, self._file = self._file, opened
        os.close(before)

    def _opened(self) -> int:
        if self._path is None:
            sys.stdout.flush()
            return sys.stdout.fileno()
        try:
            found = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            size = os.fstat(found).st_size
            self._cut = self._lasting and size > 0 and os.pread(found, 1, size - 1) != b"\n"
            return found
        except OSError as error:
            raise FailedPrecondition(f"{self._of} {self._path} cannot be opened: {error.strerror}") from error


def _pieces(made: Sequence[bytes]) -> Iterator[bytes]:
    """Whole lines, as many at once as a pipe takes without those of another worker in between; a longer line is a piece of its own."""
    begin = size = 0
    for at, line in enumerate(made):
        if at > begin and size + len(line) > select.PIPE_BUF:
            yield b"".join(made[begin:at])
            begin, size = at, 0
        size += len(line)
    yield b"".join(made[begin:])


def lines(path: str, level: str) -> DecisionLog:
    """A log of lines of JSON."""
    sink = Lines(path)
    return DecisionLog(sink, level, reopen=sink.reopen)


def parsed(level: str) -> tuple[bool, int]:
    """Whether only denies are logged, and one of how many; InvalidArgument for what says neither."""
    if level in (ALL, DENIES):
        return level == DENIES, 1
    found = _SAMPLED.fullmatch(level)
    if found is None:
        raise InvalidArgument("--decision-log-level is all, denies, or a share such as 1/100")
    return False, int(found[1])
