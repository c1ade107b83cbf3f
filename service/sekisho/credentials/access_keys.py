"""Long-term access keys: made here, shown once, kept sealed to their row."""

import secrets
from base64 import b64encode

from sekisho.credentials import key_ids
from sekisho.credentials.key_ids import Random
from sekisho.credentials.key_ring import ACCESS_KEYS, KeyRing
from sekisho.sigv4 import Credentials


def new_secret(random: Random = secrets.token_bytes) -> str:
    """A secret access key as AWS's are: 40 characters of base64, 240 random bits."""
    return b64encode(random(30)).decode()


def new_access_key(account: str, random: Random = secrets.token_bytes) -> Credentials:
    """A key for a user of an account; nothing is stored."""
    return Credentials(key_ids.long_term(account, random), new_secret(random))


def seal(key: Credentials, ring: KeyRing) -> bytes:
    """What the column `access_keys.secret` of the key's row holds."""
    return ring.seal(ACCESS_KEYS, key.secret_access_key.encode(), _place(key.access_key_id))


def unseal(key_id: str, sealed: bytes, ring: KeyRing) -> str:
    """The secret in a row; SealBroken when it is not this row's."""
    return ring.unseal(ACCESS_KEYS, sealed, _place(key_id)).decode()


def _place(key_id: str) -> tuple[str, ...]:
    return ("access_keys", "secret", key_id)
