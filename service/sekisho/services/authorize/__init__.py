"""Decisions: Authorize, AuthorizeBatch and Explain."""
