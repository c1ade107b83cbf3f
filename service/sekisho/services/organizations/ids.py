"""Ids as AWS makes them: a prefix and lower-case letters and digits; a unit's begins with its root's."""

import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def organization() -> str:
    """`o-` and ten characters."""
    return f"o-{_random(10)}"


def root() -> str:
    """`r-` and six characters: AWS has four, and AWS's organizations do not share a database."""
    return f"r-{_random(6)}"


def unit(root_id: str) -> str:
    """`ou-`, the root's own characters, and eight."""
    return f"ou-{root_id.removeprefix('r-')}-{_random(8)}"


def policy() -> str:
    """`p-` and ten characters."""
    return f"p-{_random(10)}"


def handshake() -> str:
    """`h-` and 32 characters."""
    return f"h-{_random(32)}"


def account_request() -> str:
    """`car-` and 32 characters."""
    return f"car-{_random(32)}"


def resource_policy() -> str:
    """`rp-` and eight characters."""
    return f"rp-{_random(8)}"
