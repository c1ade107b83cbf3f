"""Passwords, kept as Argon2id hashes. Hashing takes a fiftieth of a second and 19 MiB on purpose: never inside a transaction."""

from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# OWASP's least: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hashed(password: str) -> str:
    """A password's hash with a salt of its own, in the PHC string format."""
    return _HASHER.hash(password)


def fits(password: str, password_hash: str) -> bool:
    """Whether a hash is this password's."""
    try:
        return _HASHER.verify(password_hash, password)
    except VerifyMismatchError:
        return False


def fits_any(password: str, hashes: Iterable[str]) -> bool:
    """Whether one of the hashes is this password's."""
    return any(fits(password, one) for one in hashes)
