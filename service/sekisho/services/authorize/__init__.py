"""Decisions: Authorize, AuthorizeBatch and Explain."""

from sekisho.services.authorize import decisions

__all__ = ["decisions"]
