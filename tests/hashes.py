"""Hashes of passwords in a process of tests: of the same kind, and made at once; each took a fiftieth of a second of CPU, on purpose.

Servers in processes of their own hash as always, and `PRODUCT` is the hasher that they have.
"""

from argon2 import PasswordHasher

from sekisho.credentials import passwords

PRODUCT = passwords._HASHER
_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def share() -> None:
    """From here on, passwords are hashed so."""
    vars(passwords)["_HASHER"] = _CHEAP
