"""Loggers that keep nothing: `capture_logs` reaches one only as long as it asks for the configuration at each call.

The product's keep what they were made with at their first call. A test that configures logging again in its own process would leave them
with what stood there before, and every later test that captures them with nothing.
"""

from typing import Any

import structlog

_configure = structlog.configure


def ask_each_time() -> None:
    """Have every configuration of this process asked for at each call of a logger."""
    structlog.configure = _asked_each_time


def _asked_each_time(*args: Any, **given: Any) -> None:
    _configure(*args, **{**given, "cache_logger_on_first_use": False})
