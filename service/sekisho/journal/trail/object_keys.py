"""Keys of objects in buckets, and the refusal of one that would lead out of its bucket or that a folder could not hold."""

from sekisho.errors import InvalidArgument, ServiceUnavailable

MOST = 1024
"""Bytes of a key, which is S3's limit."""
MOST_NAME = 250
"""Bytes of one name in a key: what file systems take, less the ending of a signature's file."""


class InvalidKey(InvalidArgument):
    """A key that no bucket is asked to hold."""


class NotDelivered(ServiceUnavailable):
    """A bucket has not taken an object; its `code` is in S3's words, as GetTrailStatus shows it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self._code = code

    @property
    def code(self) -> str:
        """The code by which the bucket calls it."""
        return self._code


def names(key: str) -> list[str]:
    """The names between the slashes of a key; InvalidKey unless each is the name of one file, in whatever file system."""
    found = key.split("/")
    try:
        sizes = [len(name.encode()) for name in found]
    except UnicodeEncodeError:
        raise InvalidKey("a key is not text in UTF-8") from None
    if sum(sizes) + len(found) - 1 > MOST:
        raise InvalidKey(f"a key is longer than {MOST} bytes")
    for name, size in zip(found, sizes, strict=True):
        if name.startswith(".") or not 0 < size <= MOST_NAME or not name.isprintable() or "\\" in name:
            raise InvalidKey(f"a key has a part that names no file: `{name[:64]!a}`")
    return found
