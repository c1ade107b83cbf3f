"""Where the numbers of a worker are: in its own memory, and, once it has a place among workers, in a file that it maps.

A file belongs to a place, not to a process. Who takes the place of a dead worker goes on counting where that one stopped, so nothing that
was counted vanishes, and nothing counts twice. Any worker reads the files of all. A file is written by one process, in stores of eight
aligned bytes; a record is announced (the first eight bytes of the file say how many are used) after it is whole.
"""

import json
import mmap
import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

SIZE = 2 * 1024 * 1024
"""Bytes of a file: some fifteen thousand counters."""

_USED = struct.Struct("=Q")  # bytes of the file that are used, this number included
_RECORD = struct.Struct("=II")  # bytes of the key, numbers behind it

Key = tuple[str, tuple[str, ...]]
"""The name of a metric, and the values of its labels."""

log = structlog.get_logger(__name__)


class Series:
    """The numbers of one metric with one set of labels; `adds` when a successor goes on with them, as with counters."""

    __slots__ = ("adds", "key", "numbers")

    def __init__(self, key: Key, count: int, *, first: float, adds: bool) -> None:
        self.key, self.adds = key, adds
        self.numbers: memoryview[float] = _private([first] * count)


class Sheet:
    """All series of a process. `lock` is held for a few instructions by whoever counts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.folder: Path | None = None
        self._place = "0"
        self._series: list[Series] = []
        self._file: memoryview[int] | None = None
        self._records: dict[Key, memoryview[float]] = {}

    def add(self, series: Series) -> None:
        """Have a series kept with the others."""
        with self.lock:
            self._series.append(series)
            if self._file is not None:
                self._move(series)

    def keep(self, folder: Path, index: int) -> None:
        """Keep the numbers in the file of worker number `index` from now on. Without room on the disk they stay in memory, and the worker
        serves: they are then missing from what the others show.
        """
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            data = _mapped(folder / f"{index}")
        except OSError as error:
            log.error("meters.kept_in_memory", error=error.strerror)
            return
        with self.lock:
            self.folder, self._place, self._file = folder, str(index), data
            self._records = dict(_records(data))
            for series in self._series:
                self._move(series)

    def leave(self) -> None:
        """Keep the numbers in memory alone again."""
        with self.lock:
            for series in self._series:
                series.numbers = _private(series.numbers)
            self.folder, self._file, self._records = None, None, {}

    def read(self) -> Iterator[tuple[str, Key, Iterable[float]]]:
        """Every series of every worker: the worker, the key, the numbers. Of a process without siblings, its own."""
        with self.lock:
            mine = [series for series in self._series if self._file is None or series.key not in self._records]
            found = [(self._place, series.key, list(series.numbers)) for series in mine]
        yield from found
        for path in sorted(self.folder.iterdir()) if self.folder is not None else ():
            if path.name.isdecimal():
                for key, numbers in _records(memoryview(_written(path))):
                    yield path.name, key, numbers

    def _move(self, series: Series) -> None:
        record = self._records.get(series.key)
        if record is None:
            record = self._allot(series)
            if record is None:
                return
        elif series.adds:
            for at, number in enumerate(series.numbers):
                record[at] += number
        else:
            record[:] = series.numbers
        series.numbers = record

    def _allot(self, series: Series) -> "memoryview[float] | None":
        assert self._file is not None
        key = json.dumps(series.key).encode()
        begin = _USED.unpack_from(self._file)[0]
        numbers = begin + _padded(_RECORD.size + len(key))
        end = numbers + series.numbers.nbytes
        if end > SIZE:
            return None
        _RECORD.pack_into(self._file, begin, len(key), len(series.numbers))
        self._file[begin + _RECORD.size : begin + _RECORD.size + len(key)] = key
        record = self._records[series.key] = self._file[numbers:end].cast("d")
        record[:] = series.numbers
        _USED.pack_into(self._file, 0, end)
        return record


def clear(folder: Path) -> None:
    """Forget what the workers of an earlier server have counted: a server begins at zero, as Prometheus expects of a process."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()


def _private(numbers: Iterable[float]) -> "memoryview[float]":
    made = list(numbers)
    view = memoryview(bytearray(8 * len(made))).cast("d")
    for at, number in enumerate(made):
        view[at] = number
    return view


def _mapped(path: Path) -> "memoryview[int]":
    """The file of a place, whole on the disk: a page that finds no room when it is first written ends the process (SIGBUS)."""
    if not path.exists() or path.stat().st_size != SIZE:
        path.write_bytes(_USED.pack(_USED.size) + bytes(SIZE - _USED.size))
        path.chmod(0o600)
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), SIZE))


def _written(path: Path) -> bytes:
    """What a file holds so far; most of it is room."""
    with path.open("rb") as file:
        used = file.read(_USED.size)
        return used + file.read(max(0, _USED.unpack(used)[0] - _USED.size)) if len(used) == _USED.size else b""


def _records(data: "memoryview[int]") -> "Iterator[tuple[Key, memoryview[float]]]":
    """What a file holds; a file that is being made holds nothing yet."""
    end = min(_USED.unpack_from(data)[0], len(data)) if len(data) >= _USED.size else 0
    at = _USED.size
    while at < end:
        length, count = _RECORD.unpack_from(data, at)
        name, labels = json.loads(bytes(data[at + _RECORD.size : at + _RECORD.size + length]))
        numbers = at + _padded(_RECORD.size + length)
        at = numbers + 8 * count
        yield (name, tuple(labels)), data[numbers:at].cast("d")


def _padded(size: int) -> int:
    """The next multiple of eight, where a number may stand."""
    return -size // 8 * -8


SHEET = Sheet()
"""Of this process."""
