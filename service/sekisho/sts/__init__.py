"""Temporary credentials, as AWS STS (2011-06-15) has them."""

from sekisho.sts import identities, sessions

__all__ = ["identities", "sessions"]
