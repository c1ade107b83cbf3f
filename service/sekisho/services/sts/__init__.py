"""Temporary credentials, as AWS STS (2011-06-15) has them."""

from sekisho.services.sts import identities, session_policies, session_tokens, sessions

__all__ = ["identities", "session_policies", "session_tokens", "sessions"]
