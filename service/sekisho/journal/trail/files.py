"""The files that a trail delivers, as CloudTrail lays them out. Pure.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_UNIQUE = 16
"""Letters and digits that tell files of one minute apart."""


def line(event: Mapping[str, Any]) -> bytes:
    """An event as it stands in a file."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def plain(lines: Iterable[bytes]) -> bytes:
    """The content of a file of these events, before it is compressed: what digest files have the hash of."""
    return b'{"Records":[' + b",".join(lines) + b"]}"


def compressed(content: bytes) -> bytes:
    """A file's bytes. No time stands in them, so that the same content makes the same bytes."""
    return gzip.compress(content, 6, mtime=0)


def sha256(content: bytes) -> str:
    """A hash as digest files write it."""
    return hashlib.sha256(content).hexdigest()


def key(prefix: str, organization_id: str | None, account_id: str, region: str, at: datetime, seed: str) -> str:
    """The key of a file that is made at this time; `seed` is what tells it from every other file."""
    name = f"{account_id}_CloudTrail_{region}_{at.astimezone(UTC):%Y%m%dT%H%MZ}_{_unique(seed)}.json.gz"
    return f"{folder(prefix, organization_id, account_id, 'CloudTrail', region, at)}/{name}"


def digest_key(prefix: str, organization_id: str | None, account_id: str, region: str, home: str, name: str, ends: datetime) -> str:
    """The key of the digest file of a trail for the period that ends then; `home` is the trail's region."""
    file = f"{account_id}_CloudTrail-Digest_{region}_{name}_{home}_{ends.astimezone(UTC):%Y%m%dT%H%M%SZ}.json.gz"
    return f"{folder(prefix, organization_id, account_id, 'CloudTrail-Digest', region, ends)}/{file}"


def folder(prefix: str, organization_id: str | None, account_id: str, kind: str, region: str, at: datetime) -> str:
    """The folder of a day."""
    names = (prefix, "AWSLogs", organization_id, account_id, kind, region, f"{at.astimezone(UTC):%Y/%m/%d}")
    return "/".join(name for name in names if name)


def _unique(seed: str) -> str:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    found = []
    for _ in range(_UNIQUE):
        number, digit = divmod(number, len(_LETTERS))
        found.append(_LETTERS[digit])
    return "".join(found)
