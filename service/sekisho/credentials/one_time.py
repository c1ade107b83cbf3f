"""One-time passwords by time (RFC 6238 over RFC 4226): SHA-1, six digits, a new one every thirty seconds.

What makes them one-time is not here: whoever takes a code remembers its step, and takes no code of that step or an earlier one again.
"""

import hmac
import secrets
from base64 import b32decode, b32encode
from datetime import datetime
from urllib.parse import quote, urlencode

from sekisho.credentials.key_ids import Random
from sekisho.credentials.key_ring import MFA, KeyRing

STEP = 30
"""Seconds that a code lasts."""

WINDOW = 1
"""Steps that a device's clock may differ from what it was when it was last set (RFC 6238, section 5.2)."""

RESYNC_WINDOW = 120
"""Steps to either side, an hour, within which two codes in a row set a device's clock; a guess of both meets with 241 in 10^12."""

LEAST_SEED, MOST_SEED = 16, 64
"""Bytes of a seed that somebody brings."""

_DIGITS = 6
_SEED = 40  # bytes; 64 characters in base32, as AWS's


def new_seed(random: Random = secrets.token_bytes) -> bytes:
    """A new seed, more than the 160 bits that RFC 4226 recommends."""
    return random(_SEED)


def seal(device_id: str, seed: bytes, ring: KeyRing, *, table: str = "mfa_devices") -> bytes:
    """What the column `seed` of the device's row holds."""
    return ring.seal(MFA, seed, (table, "seed", device_id))


def unseal(device_id: str, sealed: bytes, ring: KeyRing, *, table: str = "mfa_devices") -> bytes:
    """The seed in a row; SealBroken when it is not this row's."""
    return ring.unseal(MFA, sealed, (table, "seed", device_id))


def parsed(text: str) -> bytes:
    """The seed that a hardware device came with, in base32 with or without padding; ValueError for one that is too short or too long.

    RFC 4226 demands 128 bits, and recommends 160.
    """
    digits = text.upper().replace(" ", "").rstrip("=")
    seed = b32decode(digits + "=" * (-len(digits) % 8))
    if not LEAST_SEED <= len(seed) <= MOST_SEED:
        raise ValueError(f"a seed has {LEAST_SEED} to {MOST_SEED} bytes")
    return seed


def shown(seed: bytes) -> str:
    """A seed as it is typed into an app: base32, without padding."""
    return b32encode(seed).decode().rstrip("=")


def uri(seed: bytes, name: str, account: str) -> str:
    """What the QR code of a device says. Source: https://github.com/google/google-authenticator/wiki/Key-Uri-Format"""
    return f"otpauth://totp/{quote(f'{name}@{account}')}?{urlencode({'secret': shown(seed), 'issuer': 'Sekisho'})}"


def step(now: datetime) -> int:
    """The time step that a moment lies in."""
    return int(now.timestamp()) // STEP


def code(seed: bytes, at: int, *, digits: int = _DIGITS) -> str:
    """The code of a time step (RFC 4226, section 5.3)."""
    digest = hmac.digest(seed, at.to_bytes(8), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def accepted(seed: bytes, given: str, now: datetime, *, drift: int = 0, after: int | None = None) -> int | None:
    """The step whose code was given, None when it is none near `now`.

    `drift` is how many steps the device is ahead, `after` the last step that a code was taken of.
    """
    expected = step(now) + drift
    return _found(seed, (given,), range(expected - WINDOW, expected + WINDOW + 1), after)


def pair(seed: bytes, first: str, second: str, now: datetime, *, window: int = WINDOW, after: int | None = None) -> int | None:
    """The step of the second of two codes in a row, None when they are not; the second lies within `window` of `now`."""
    found = _found(seed, (first, second), range(step(now) - window - 1, step(now) + window), after)
    return found + 1 if found is not None else None


def _found(seed: bytes, codes: tuple[str, ...], steps: range, after: int | None) -> int | None:
    """The newest step from which on the codes follow each other. All steps are tried, whichever fits, so that time tells nothing."""
    found = None
    for at in steps:
        right = hmac.compare_digest("".join(code(seed, at + n) for n in range(len(codes))), "".join(codes))
        if right and (after is None or at > after):
            found = at
    return found
