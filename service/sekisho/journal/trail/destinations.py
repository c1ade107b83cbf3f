"""The buckets of this server: where its operator has the files of trails put, each under the name that trails call it by.

`NAME=file:///absolute/folder` is a folder of the machine, `NAME=s3://bucket/prefix?endpoint_url=…` a bucket of whatever speaks S3's
protocol. An object is put whole or not at all; putting the same once more leaves the same.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from sekisho.errors import InvalidArgument
from sekisho.journal.trail import object_keys
from sekisho.journal.trail.folders import Folder
from sekisho.journal.trail.object_keys import InvalidKey
from sekisho.journal.trail.s3 import S3Bucket

Destination = Folder | S3Bucket
"""`bucket` is the name by which digest files call it, `prefix` what its keys begin with, and `put` has it hold an object."""

SETTINGS = ("endpoint_url", "profile", "region")
"""Names of what may follow the `?` of a bucket of S3."""

_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def parsed(buckets: Iterable[str]) -> dict[str, Destination]:
    """Destinations by the names of buckets, as the options say them; InvalidArgument quotes what is wrong."""
    found: dict[str, Destination] = {}
    for text in buckets:
        name, _, url = text.partition("=")
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"--trail-bucket: `{name}` is not the name of a bucket: 3 to 63 of a-z, 0-9, `.` and `-`")
        if name in found:
            raise InvalidArgument(f"--trail-bucket: `{name}` is said twice")
        parts = urlsplit(url)
        make = _SCHEMES.get(parts.scheme)
        if make is None:
            raise InvalidArgument(f"--trail-bucket: `{name}` is neither file:///absolute/folder nor s3://bucket/prefix")
        found[name] = make(name, parts)
    return found


def _folder(name: str, url: SplitResult) -> Folder:
    path = Path(unquote(url.path))
    if url.netloc or url.query or url.fragment or not path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise InvalidArgument(f"--trail-bucket: the folder of `{name}` is not an absolute path: file:///var/lib/trail")
    return Folder(name, path)


def _s3(name: str, url: SplitResult) -> S3Bucket:
    given = dict(parse_qsl(url.query, keep_blank_values=True))
    if unknown := sorted(given.keys() - set(SETTINGS)):
        raise InvalidArgument(f"--trail-bucket: `{unknown[0]}` of `{name}` is not one of {', '.join(SETTINGS)}")
    if not _NAME.fullmatch(url.netloc) or url.fragment:
        raise InvalidArgument(f"--trail-bucket: `{name}` does not name a bucket of S3: s3://bucket/prefix")
    endpoint = given.get("endpoint_url")
    if endpoint is not None and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).netloc):
        raise InvalidArgument(f"--trail-bucket: the endpoint_url of `{name}` is not http(s)://HOST:PORT")
    prefix = unquote(url.path).strip("/")
    if prefix:
        try:
            object_keys.names(prefix)
        except InvalidKey as error:
            raise InvalidArgument(f"--trail-bucket: the prefix of `{name}` is not one: {error.message}") from None
    return S3Bucket(url.netloc, prefix, endpoint_url=endpoint, region=given.get("region"), profile=given.get("profile"))


_SCHEMES: dict[str, Callable[[str, SplitResult], Destination]] = {"file": _folder, "s3": _s3}
