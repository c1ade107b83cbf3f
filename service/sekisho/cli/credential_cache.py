"""Temporary credentials between two starts of a command: a file for each, which its owner alone reads, and a lock beside it.

Processes that start at once ask once: the first renews the credentials, the others wait for it, or go on with those that are still good.
"""

import fcntl
import hashlib
import json
import os
import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sekisho.client import NoCredentialsError
from sekisho.client.processes import parsed, printed
from sekisho.client.sources import Temporary, renewal

EARLY = timedelta(minutes=20)
"""How long before their end credentials are renewed; of short ones when a third of their time is left, and up to a quarter earlier. AWS's
tools start their helper program for each call in the last 15 minutes.
"""

WAIT = 60.0
"""Seconds to wait for another process that renews the same credentials, perhaps while somebody types a code."""

_TRY = 0.02  # seconds between two looks at a lock
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Kept:
    found: Temporary
    renew_at: datetime


def folder(env: Mapping[str, str]) -> Path:
    """Where a user's credentials are kept. Source: https://specifications.freedesktop.org/basedir-spec/latest/"""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    cache = env.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache.startswith("/") else home / ".cache") / "sekisho" / "credentials"


def cached(place: Path, names: Sequence[str], load: Callable[[], Temporary], *, now: Callable[[], datetime]) -> Temporary:
    """The credentials of these names, out of their file where they need not be renewed; old ones where there are no new ones and they are
    good. Those without an end are not kept.
    """
    _private(place)
    file = place / f"{hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()}.json"
    kept = _read(file)
    if kept is not None and now() < kept.renew_at:
        return kept.found
    good = kept is not None and kept.found.ends is not None and now() < kept.found.ends
    with _alone(file.with_suffix(".lock"), 0.0 if good else WAIT) as alone:
        if good and not alone:
            assert kept is not None
            return kept.found
        kept = _read(file)
        if kept is not None and now() < kept.renew_at:
            return kept.found
        try:
            found = load()
        except NoCredentialsError:
            if kept is None or kept.found.ends is None or now() >= kept.found.ends:
                raise
            return kept.found
        moment = now()
        renew_at = renewal(found.ends, moment, EARLY, random.random() / 4)  # noqa: S311  # spreads load, hides nothing
        if renew_at is not None:
            _write(file, {**printed(found), "RenewAt": renew_at.isoformat()})
        return found


def _private(place: Path) -> None:
    """Make the folder, which is its owner's alone; NoCredentialsError when it is not."""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.stat()
    except OSError as error:
        raise NoCredentialsError(f"cannot keep credentials in `{place}`: {error.strerror}") from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise NoCredentialsError(f"`{place}` is not its owner's alone: others could read the credentials in it (chmod 700)")


def _read(file: Path) -> _Kept | None:
    """What is kept; None where there is nothing, or nothing that this user wrote for itself alone."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as content:
        found = os.fstat(opened)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o600 or not stat.S_ISREG(found.st_mode):
            return None
        text = content.read(_MAX_BYTES)
    try:
        said = json.loads(text)
        renew_at = datetime.fromisoformat(said["RenewAt"])
        return _Kept(parsed(said), renew_at if renew_at.tzinfo is not None else renew_at.replace(tzinfo=UTC))
    except (ValueError, KeyError, TypeError):
        return None


def _write(file: Path, said: Mapping[str, object]) -> None:
    """Put a file in the place of another, whole; where that cannot be done the next process asks again."""
    temporary = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        temporary.unlink(missing_ok=True)  # of a process of the same number that was killed
        opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(opened, "w") as content:
            json.dump(said, content)
        temporary.replace(file)


@contextmanager
def _alone(file: Path, seconds: float) -> Iterator[bool]:
    """Hold a lock while the block runs, if it can be had in so many seconds; it ends with the process that has it."""
    limit = time.monotonic() + seconds
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+") as lock:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
                return
            if time.monotonic() >= limit:
                break
            time.sleep(_TRY)
        yield False
