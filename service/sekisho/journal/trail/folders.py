"""A folder of this machine as a bucket.

An object is written beside, brought to the disk and renamed, so that it is there whole or not at all, also after the power failed. Folders
are walked one by one without following links: neither a key nor a link that somebody has made leads out.
"""

import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sekisho.journal.trail import object_keys
from sekisho.journal.trail.object_keys import NotDelivered

PARTS = ".parts"
"""The folder in which objects are written first. No key begins so."""
SIGNATURE = ".sig"
"""The ending of the file beside an object that has its metadata, as JSON."""
LEFT = 3600.0
"""Seconds after which what lies in `PARTS` is of somebody who was killed."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CODES = {
    errno.EACCES: "AccessDenied",
    errno.EPERM: "AccessDenied",
    errno.EROFS: "AccessDenied",
    errno.ENOSPC: "QuotaExceeded",
    errno.EDQUOT: "QuotaExceeded",
    errno.ENOENT: "NoSuchBucket",
    errno.ENOTDIR: "InvalidObjectState",
    errno.ELOOP: "InvalidObjectState",
    errno.EISDIR: "InvalidObjectState",
}
"""Codes of S3 by the errors of files; of others it says InternalError."""


class Folder:
    """A bucket in a folder that its operator has made; it is not made here, lest a disk that is not mounted be taken for an empty one."""

    def __init__(self, name: str, path: Path) -> None:
        self.bucket, self.prefix, self.path = name, "", path
        self._cleared = False

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Have the folder hold an object; NotDelivered, and then what was there before is there still. Its metadata is a file beside it,
        which is there first.
        """
        *folders, name = object_keys.names(key)
        try:
            with ExitStack() as stack:
                root = stack.enter_context(_opened(self.path))
                parts = stack.enter_context(_entered(root, PARTS))
                self._clear(parts)
                folder = root
                for inner in folders:
                    folder = stack.enter_context(_entered(folder, inner))
                if metadata:
                    _written(parts, folder, name + SIGNATURE, json.dumps(dict(metadata), sort_keys=True).encode() + b"\n")
                _written(parts, folder, name, body)
        except OSError as error:
            code = _CODES.get(error.errno or 0, "InternalError")
            raise NotDelivered(code, f"the folder of the bucket has not taken a file: {os.strerror(error.errno or 0)}") from error

    def _clear(self, parts: int) -> None:
        """Remove, once, what those left who were killed."""
        if self._cleared:
            return
        self._cleared = True
        for name in os.listdir(parts):
            if time.time() - os.stat(name, dir_fd=parts, follow_symlinks=False).st_mtime > LEFT:
                os.unlink(name, dir_fd=parts)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _entered(parent: int, name: str) -> Iterator[int]:
    """A folder in another one, made where it is missing."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another process was faster
            os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _written(parts: int, folder: int, name: str, body: bytes) -> None:
    part = secrets.token_hex(16)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parts)
    try:
        try:
            left = memoryview(body)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _refuse_folder(folder, name)
        os.rename(part, name, src_dir_fd=parts, dst_dir_fd=folder)
    except BaseException:
        os.unlink(part, dir_fd=parts)
        raise
    os.fsync(folder)


def _refuse_folder(folder: int, name: str) -> None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
