"""The file of a key ring: whole or not there, its owner's alone, and rewritten by one process at a time."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sekisho.credentials.ring_document import Document, KeyRingUnusable
from sekisho.errors import RequestTimeout, ServiceUnavailable
from sekisho.store.durable import create_file, write_file
from sekisho.store.file_lock import FileLock

PATIENCE = 60.0
"""Seconds that a process waits for others which rewrite the file."""

_MODE = 0o600

Stamp = tuple[int, ...]


class RingFile:
    """A place for a document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), of="the key ring")

    def stamp(self) -> Stamp:
        """Numbers that change when the file does; OSError."""
        found = self.path.stat()
        return found.st_mode, found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, master: bytes | None) -> tuple[Document, Stamp]:
        """The document, and a stamp that is not newer than it; KeyRingUnusable."""
        try:
            stamp = self.stamp()
            if stamp[0] & 0o077:
                raise KeyRingUnusable(f"the key ring {self.path} is open to others than its owner: chmod 600 it")
            content = self.path.read_bytes()
        except OSError as error:
            raise KeyRingUnusable(f"the key ring {self.path} cannot be read: {error.strerror}") from error
        return Document.parse(self.path, content, master), stamp

    def create(self, document: Document) -> None:
        """Write the first document; of several processes that try at once, one does."""
        self._write(create_file, document)

    def replace(self, document: Document) -> None:
        """Write a document in place of what is there."""
        self._write(write_file, document)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from rewriting the file; KeyRingUnusable when one of them does not end."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock.held(time.monotonic() + PATIENCE))
            except (RequestTimeout, ServiceUnavailable) as error:
                raise KeyRingUnusable(f"the key ring {self.path} cannot be changed: {error.message}") from error
            yield

    def _write(self, put: Callable[..., None], document: Document) -> None:
        try:
            put(self.path, document.content(), mode=_MODE)
        except OSError as error:
            raise KeyRingUnusable(f"the key ring {self.path} cannot be written: {error.strerror}") from error
