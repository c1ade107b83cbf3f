"""Unique ids: the prefixes that AWS uses, over the alphabet of base32.

Entities have 17 random characters (85 bits), SSH public keys 16. An access key id says its account, so that it can be told without a
look-up, and has a checksum, so that a mistyped one is known as such; in 16 characters of five bits:

    account (40 bits) | random (32 bits) | CRC-8 over the prefix and both (8 bits)

Two ids of one account meet with 2^-32. A long-term id is looked up, in a UNIQUE column: the rare twin is drawn again there. A temporary
id is only ever used with its session token, which binds it to one secret; so twins do no harm. Nothing trusts an id for its account.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

import secrets
from base64 import b32decode, b32encode
from collections.abc import Callable
from functools import lru_cache

Random = Callable[[int], bytes]

PREFIXES = {
    "user": "AIDA",
    "role": "AROA",
    "group": "AGPA",
    "instance-profile": "AIPA",
    "policy": "ANPA",
    "policy-version": "ANVA",
    "server-certificate": "ASCA",
    "public-key": "APKA",
    "service-specific-credential": "ACCA",
}
LENGTHS = {"public-key": 20}
"""Characters of the ids of a kind; of the others, 21."""

_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}

LONG_TERM = "AKIA"
TEMPORARY = "ASIA"

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_ACCOUNTS = 10**12


def _crc8_table() -> tuple[int, ...]:
    """Remainders of the polynomial x^8 + x^2 + x + 1, which notices every change within eight neighbouring bits: any one character."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte << 1) ^ (0x107 if byte & 0x80 else 0)
        table.append(byte)
    return tuple(table)


_CRC8 = _crc8_table()


def unique_id(kind: str, random: Random = secrets.token_bytes) -> str:
    """A new id for an entity of a kind in PREFIXES."""
    return (PREFIXES[kind] + b32encode(random(11)).decode())[: LENGTHS.get(kind, 21)]


def kind_of(entity_id: str) -> str | None:
    """The kind of entity that an id is for, None when it has not the form of one."""
    kind = _KINDS.get(entity_id[:4])
    if kind is None or len(entity_id) != LENGTHS.get(kind, 21) or not _ALPHABET.issuperset(entity_id):
        return None
    return kind


def long_term(account: str, random: Random = secrets.token_bytes) -> str:
    """A new `AKIA…` id of 20 characters for a key of an account."""
    return _key_id(LONG_TERM, account, random)


def temporary(account: str, random: Random = secrets.token_bytes) -> str:
    """A new `ASIA…` id of 20 characters for a session in an account."""
    return _key_id(TEMPORARY, account, random)


@lru_cache(maxsize=4096)  # each call is asked whose it claims to be, before anything else
def account_of_key_id(key_id: str) -> str | None:
    """The account in an access key id of either sort, None when it is none of ours or mistyped."""
    if len(key_id) != 20 or key_id[:4] not in (LONG_TERM, TEMPORARY) or not _ALPHABET.issuperset(key_id):
        return None
    payload = b32decode(key_id[4:])
    account = int.from_bytes(payload[:5])
    if account >= _ACCOUNTS or _checksum(key_id[:4], payload[:9]) != payload[9]:
        return None
    return f"{account:012}"


def is_temporary(key_id: str) -> bool:
    """Whether the id is a session's, which comes with a token, and not one to look up."""
    return key_id.startswith(TEMPORARY)


def _key_id(prefix: str, account: str, random: Random) -> str:
    payload = int(account).to_bytes(5) + random(4)
    return prefix + b32encode(payload + bytes((_checksum(prefix, payload),))).decode()


def _checksum(prefix: str, payload: bytes) -> int:
    remainder = 0
    for byte in prefix.encode() + payload:
        remainder = _CRC8[remainder ^ byte]
    return remainder
