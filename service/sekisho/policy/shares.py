"""Values that are made of texts, kept for the next who brings the same text: bounded by characters, shared fairly by owners."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, TypeVar

from sekisho.policy import steps

T = TypeVar("T")

ENTRY = 512
"""Characters that an entry counts beside its text, for what even the shortest takes."""


class Shares(Generic[T]):
    """Values by owner and text. When they become more than `most` characters, the owner that has most of them loses its oldest: whoever has
    less than an equal share loses nothing, whatever the others bring. `before` is called before a value is made or waited for.
    """

    def __init__(
        self,
        most: int,
        making: Callable[[str], AbstractContextManager[object]] | None = None,
        *,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """`making` is what is held while a value of an owner is made; by default a lock, so that one at a time is."""
        self._most, self._before = most, before
        self._lock = threading.Lock()
        self._making = making or _one_at_a_time()
        self._owners: dict[str, OrderedDict[str, T]] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0

    def get(self, owner: str, text: str, make: Callable[[str], T]) -> T:
        """The value of an owner's text, made when it is not there; whatever `make` raises is not kept."""
        with self._lock:
            texts = self._owners.get(owner)
            if texts is not None and text in texts:
                texts.move_to_end(text)
                return texts[text]
        self._before()
        with self._making(owner):
            with self._lock:
                texts = self._owners.get(owner)
                if texts is not None and text in texts:
                    return texts[text]
            value = make(text)
            self._keep(owner, text, value)
        return value

    def _keep(self, owner: str, text: str, value: T) -> None:
        with self._lock:
            texts = self._owners.setdefault(owner, OrderedDict())
            texts[text] = value
            self._count(owner, len(text) + ENTRY)
            while self._size > self._most:
                self._drop(max(self._sizes, key=self._sizes.__getitem__))

    def characters(self, owner: str) -> int:
        """Characters that an owner has here, each entry's own among them."""
        return self._sizes.get(owner, 0)

    def _drop(self, owner: str) -> None:
        text, _ = self._owners[owner].popitem(last=False)
        self._count(owner, -len(text) - ENTRY)
        if not self._owners[owner]:
            del self._owners[owner], self._sizes[owner]

    def _count(self, owner: str, characters: int) -> None:
        self._sizes[owner] = self._sizes.get(owner, 0) + characters
        self._size += characters


def _one_at_a_time() -> Callable[[str], AbstractContextManager[object]]:
    """Making is processor time, which the threads of an interpreter can only take from each other."""
    one = threading.Lock()

    @contextmanager
    def held(_owner: str) -> Iterator[None]:
        with one, steps.unbroken():
            yield

    return held
